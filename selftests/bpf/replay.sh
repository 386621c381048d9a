#!/bin/bash
# SPDX-License-Identifier: MIT
# The BPF tools without the module: they build, this kernel takes the programs, and recorded events that are run through them
# (events.txt) come out as the right lines and numbers. Messages when module or tools are not there.
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
BUILD=${BUILD:-build}
scripts/deps.sh bpf >&2 || skip_all "what the BPF tools are built with could not be installed"
make -s BUILD="$BUILD" bpf >&2 || { ktap_result "not ok" "the tools build"; finish; }
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
events=selftests/bpf/events.txt
d=${DRAGOMAN:-$BUILD/dragoman}
# Events have no process of their own here, so that a program's name is the tool's.
cp "$BUILD/dragoman-bpf" "$w/sample"

# message NAME STATUS TEXT COMMAND...: exit status, and one line on stderr that has the text
message() {
	local name=$1 status=$2 text=$3 got
	shift 3
	"$@" >"$w/out" 2>"$w/err"
	got=$?
	same "$name" "$status 1 1" "$got $(wc -l <"$w/err") $(grep -c -- "$text" "$w/err")"
}

cp "$d" "$w/dragoman"
message "tools are not installed" 1 "clang, bpftool, libbpf-dev" "$w/dragoman" top
for tool in top trace hist policy; do
	same "$tool --help" "usage: dragoman $tool" "$("$d" $tool --help | head -n 1 | cut -d ' ' -f 1-3)"
done
"$d" top -i 0 >/dev/null 2>"$w/err"
same "top: interval 0" 2 $?
"$d" policy >/dev/null 2>"$w/err"
same "policy: without a rule" 2 $?
message "policy: no cgroup" 1 "not a folder of a cgroup2" "$d" policy --refuse "$w"
[ -e /sys/module/dragoman ] || message "the module is not loaded" 1 "module is not loaded" "$d" trace

[ "$(id -u)" = 0 ] || { skip replay "needs root"; finish; }
[ -e /sys/kernel/btf/vmlinux ] || { skip replay "this kernel has no BTF"; finish; }
if ! "$w/sample" hist --replay /dev/null >"$w/out" 2>"$w/err" && grep -qE 'Operation not permitted|not implemented' "$w/err"; then
	skip replay "BPF may not be used here: $(cat "$w/err")"
	finish
fi
same "nothing happened" "nothing happened 0" "$(cat "$w/out") $(wc -c <"$w/err")"

# top: one line each; execs, average of 300 and 500 us, 2 of 4 files, 2 misses, 1 prefetch, average of 0.5 and 1.5 ms, 2 refused
"$w/sample" top --replay $events >"$w/out" 2>"$w/err"
same "top: status" "0" "$?$(cat "$w/err")"
same "top: the program" "sample 2 0 400 us 4 50.0 2 1 1.00 ms 2" "$(grep '^sample' "$w/out" | tr -s ' ')"
same "top: the one that failed" "? 0 1 - 0 - 0 0 - 0" "$(grep '^?' "$w/out" | tr -s ' ')"
same "top: nobody else" 3 "$(wc -l <"$w/out")"

"$w/sample" trace --replay $events >"$w/out" 2>"$w/err"
same "trace: status" "0" "$?$(cat "$w/err")"
cut -c 17- "$w/out" | tr -s ' ' | sed 's/^ //' | tail -n +2 >"$w/lines"
cat >"$w/want" <<'W'
0 sample exec ? (aarch64): handed over in 300 us
0 sample exec ? (aarch64, privileged): handed over in 500 us
0 sample exec ? (machine 62): EACCES (Permission denied)
0 sample miss request 1 (file 6 has no code, wanted) after 500 us, 480 us of it in the server: has code
0 sample again request 2 (file 5 has no code at 0x1040, object 3, somebody waits): its server is gone, 1. time
0 sample miss request 2 (file 5 has no code at 0x1040, object 3, somebody waits) after 1.50 ms, 500 us of it in the server: never from the server
0 sample miss request 3 (file 5 has no code at 0x2000, object 3, in advance) after 4.00 s, no server had it: ETIMEDOUT (Connection timed out)
0 sample refuse code of a place: EAGAIN (Resource temporarily unavailable)
0 sample refuse code of a file: never from the server
0 ? miss request 99 (place without code) after 7.00 us: translated
W
check "trace: the lines" diff "$w/want" "$w/lines"
same "trace: with looks and requests" "4 3" \
	"$("$w/sample" trace -a --replay $events | awk '$4 == "look" { l++ } $4 == "ask" { a++ } END { print l, a }')"
same "trace: of another process" 1 "$("$w/sample" trace -p 77 --replay $events | wc -l)"

"$w/sample" hist --replay $events >"$w/out" 2>"$w/err"
same "hist: status" "0" "$?$(cat "$w/err")"
numbers() { grep -A 1 "^$1" "$w/out" | sed -n 's/^ *\([0-9]*\), on average \(.*\)/\1 \2/p'; }
same "hist: hand-over" "2 400 us" "$(numbers hand-over)"
same "hist: open" "1 500 us" "$(numbers open)"
same "hist: miss" "1 1.50 ms" "$(numbers miss)"
same "hist: prefetch" "1 4.00 s" "$(numbers prefetch)"
same "hist: service, from the last server on" "2 490 us" "$(numbers service)"
same "hist: a slot" "262 us ... 524 us 2" "$(grep -A 2 '^hand-over' "$w/out" | sed -n '3s/|.*//p' | tr -s ' ' | sed 's/^ //; s/ $//')"

# Names that could harm a terminal.
evil=$w/$(printf 'a\033[2Jb')
cp "$w/sample" "$evil"
same "top: a name with control characters" "a?[2Jb" "$("$evil" top --replay $events | awk 'NR == 2 { print $1 }')"

# Edges of slots: 0, 1, 2^n - 1, 2^n, and more than there are slots for.
for ns in 0 1 1023 1024 18446744073709551615; do
	echo "x: dragoman_exec: name=a machine=183 secure=0 err=0 ns=$ns"
done >"$w/edges"
"$w/sample" hist --replay "$w/edges" >"$w/out"
same "hist: edges of slots" "0ns-1ns:1 1ns-2ns:1 512ns-1.02us:1 1.02us-2.05us:1" \
	"$(sed -nE 's/^ +([0-9.]+) (.?s) \.\.\. +([0-9.]+) (.?s) +([1-9][0-9]*) .*/\1\2-\3\4:\5/p' "$w/out" | head -n 4 | xargs)"

# More programs in flight than any table holds: nothing breaks, and what is counted stays right.
awk 'BEGIN { for (i = 1; i <= 20000; i++) print "x: dragoman_queued: id=" i " kind=2 image=1 object=1 offset=0 priority=0" }' >"$w/many"
same "top: 20000 requests" "20000" "$("$w/sample" top --replay "$w/many" | awk '$1 == "sample" { print $7 }')"
finish
