#!/bin/bash
# SPDX-License-Identifier: MIT
# `dragoman cache`, `translate` and the server's part of `status`: with and without a running server, on whole and damaged objects and
# archives. Real arm64 programs are what is translated.
. "$(dirname "$0")/../faults/libfaults.sh"
faults_begin
d=$dragoman
out() { "$@" 2>&1; echo "status $?"; }
says() { grep -qF -- "$1" <<<"$2"; }
fails() { ! "$@" >/dev/null 2>&1; }
one_line() { same "$1: one line" 1 "$(printf '%s\n' "$2" | wc -l)"; }
objects_in() { find "$1/objects" -name '*.dgo' 2>/dev/null | wc -l; }

# Nobody there.
got=$(DRAGOMAN_SOCKET=$w/none "$d" status)
check "status without a server" says "server: none runs" "$got"
same "status --json without a server" None "$(DRAGOMAN_SOCKET=$w/none "$d" status --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["server"])')"
got=$(DRAGOMAN_SOCKET=$w/none "$d" translate "$root/usr/bin/true" 2>&1)
same "translate without a server: exit status" 1 $?
one_line "translate without a server" "$got"
check "translate without a server: the remedy" says "systemctl start" "$got"
check "a cache folder that is not there" fails "$d" cache -d "$w/nowhere" list
mkdir -m 700 "$w/empty"
check "an empty folder is an empty cache" says "0 objects: 0 fine" "$("$d" cache -d "$w/empty" verify)"

server || finish
got=$("$d" translate -L "$root" "$root/usr/bin/perl")
same "translate a program: exit status" 0 $?
for f in perl libc.so.6 libm.so.6 libcrypt.so.1 ld-linux-aarch64.so.1; do
	check "its $f too" grep -q "/$f: [0-9]* instructions" <<<"$got"
done
same "as many objects as files" "$(grep -c 'instructions, [0-9]* KiB$' <<<"$got")" "$(objects)"
got=$(out "$d" translate -L "$root" "$root/usr/bin/perl" | tail -n 1)
same "once more" "status 0" "$got"
mkdir "$w/tree"
cp -a "$root/usr/bin/seq" "$root/usr/bin/expr" "$w/tree/"
cp /bin/true "$w/tree/native"
echo text >"$w/tree/text"
ln -s seq "$w/tree/link"
ln "$w/tree/seq" "$w/tree/hard"
check "a folder: each file once" says "2 files: 2 translated" "$("$d" translate "$w/tree")"
got=$(out "$d" translate "$w/tree/text")
check "not a program" says "is no aarch64 program" "$got"
check "not a program: exit status" says "status 1" "$got"
got=$(out "$d" translate -L "$w/empty" "$w/tree/seq")
check "missing libraries are named" says "needs libc.so.6" "$got"
check "what is not there" fails "$d" translate "$w/tree/none"
if command -v script >/dev/null; then
	check "a bar on a terminal" says "[###" "$(script -qec "$d translate -L $root $root/usr/bin/gzip" /dev/null)"
	rm -f typescript
else
	skip "a bar on a terminal" "script is not there"
fi

guest "$root/usr/bin/seq" 1 3 >/dev/null
got=$("$d" status)
check "status: running, with pid" says "server: runs, pid $server," "$got"
check "status: the cache" says "in $cache" "$got"
check "status: how much was there" grep -q 'asked for [0-9]* files: [0-9.]* %' <<<"$got"
same "status --json: pid" "$server" "$(field .pid)"
check "status --json: attached" [ "$(field .attached.files)" -gt 0 ]
for v in cache workers unsupported objects uptime version memory; do
	check "status --json has $v" [ "$(field .$v)" != None ]
done

settle
n=$("$d" cache list | grep -c '^[0-9a-f]\{64\} ')
same "list shows each object" "$(objects)" "$n"
check "stat counts them" grep -q "^objects: *$n," <<<"$("$d" cache stat)"
check "verify" quiet "$d" cache verify
check "verify with the files" grep -q "translated again: [1-9]" <<<"$("$d" cache verify "$root/usr/bin/perl")"
"$d" cache export "$w/a.zst" >/dev/null
same "export: exit status" 0 $?
check "it is a zstd file" [ "$(head -c 4 "$w/a.zst" | od -An -tx1 | tr -d ' ')" = 28b52ffd ]

# Without the server: the same from the directory.
stop_server
export DRAGOMAN_CACHE=$cache
same "list without the server" "$n" "$("$d" cache list | grep -c '^[0-9a-f]\{64\} ')"
check "verify without the server" quiet "$d" cache verify
same "export to a pipe, the same objects" "$n objects written" "$("$d" cache export - 2>&1 >/dev/null)"

# Import elsewhere.
mkdir -m 700 "$w/other"
got=$(out "$d" cache -d "$w/other" import "$w/a.zst")
check "import" says "$n objects imported" "$got"
check "import says what is not checked" says "Not checked" "$got"
same "files are equal" "" "$(diff -r "$cache/objects" "$w/other/objects")"
check "import again changes nothing" says "0 objects imported, $n not newer" "$("$d" cache -d "$w/other" import "$w/a.zst")"
cache_of_test=$cache
unset DRAGOMAN_CACHE
cache=$w/other
server
made=$(field .objects_made)
for i in 1 2 3; do guest "$root/usr/bin/perl" -e 'print 1' >/dev/null; sleep 0.2; done	# read from the disk, then given
same "a server uses what was imported" "$made" "$(field .objects_made)"
check "it gave objects" [ "$(field .attached.ok)" -gt 0 ]
stop_server
cache=$cache_of_test

# Archives that are not right.
bad() {
	local name=$1 word=$2 got
	rm -rf "$w/third"; mkdir -m 700 "$w/third"
	got=$("$d" cache -d "$w/third" import "$w/bad" 2>&1 >/dev/null)
	same "$name: exit status" 1 $?
	check "$name: says '$word'" says "$word" "$got"
	check "$name: nothing damaged is taken" quiet "$d" cache -d "$w/third" verify
	same "$name: no leftovers" "" "$(find "$w/third" -name '.tmp*')"
}
head -c $(($(stat -c %s "$w/a.zst") / 2)) "$w/a.zst" >"$w/bad"; bad "cut archive" "cut off"
: >"$w/bad"; bad "empty archive" "no archive"
cp /bin/true "$w/bad"; bad "not an archive" "no archive"
# archive HOW: a.zst with its content changed
archive() {
	zstd -dqc "$w/a.zst" | python3 -c '
import struct, sys
b = bytearray(sys.stdin.buffer.read())
how = sys.argv[1]
first = 48 + 8 + 16                     # head, object, part: the first object begins
if how == "translator": b[16] ^= 1
elif how == "version": b[8] = 9
elif how == "object": b[first + 24] ^= 1
elif how == "checksum": b[first + 360 - 1] ^= 1
elif how == "code": b[first + 100000] ^= 1
elif how == "size": struct.pack_into("<Q", b, 48, 1 << 40)
elif how == "part": struct.pack_into("<QQ", b, 56, 1 << 50, 16)
elif how == "backwards":
    n = struct.unpack_from("<Q", b, 64)[0]
    struct.pack_into("<Q", b, first + n, 0)
sys.stdout.buffer.write(b)' "$1" | zstd -q >"$w/bad"
}
if command -v zstd >/dev/null; then
	archive translator; bad "another translator" "another version of dragoman"
	archive version; bad "another format" "no archive"
	archive object; bad "a damaged object" "refused"
	archive checksum; bad "a wrong checksum" "checksum"
	archive code; bad "changed code" "checksum"
	archive size; bad "an impossible size" "damaged"
	archive part; bad "a part beyond the end" "damaged"
	archive backwards; bad "parts out of order" "damaged"
else
	skip "changed archives" "zstd is not there"
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$w/other"; chmod 644 "$w/a.zst"
	mkdir -m 755 "$w/bin"; cp "$d" "$w/bin/"
	got=$(setpriv --reuid 65534 --clear-groups "$w/bin/dragoman" cache -d "$w/other" import "$w/a.zst" 2>&1)
	same "import by a stranger: exit status" 1 $?
	check "import by a stranger" says "only root or the owner" "$got"
	check "clear by a stranger" fails setpriv --reuid 65534 --clear-groups "$w/bin/dragoman" cache -d "$w/other" clear
	chmod 700 "$w/other"
else
	skip "import by a stranger" "needs root and setpriv"
fi

# Damage in the directory.
victim=$(find "$w/other/objects" -name '*.dgo' | sort | head -n 1)
python3 selftests/faults/damage.py "$victim" flip hot
got=$(out "$d" cache -d "$w/other" verify)
check "verify finds it" says "$(basename "$victim" | cut -c 1-16)...: the checksum is wrong" "$got"
check "verify's exit status" says "status 1" "$got"
got=$(out "$d" cache -d "$w/other" export "$w/b.zst")
check "export leaves it out" says "is left out: the checksum is wrong" "$got"
check "import repairs it" says "1 objects imported" "$("$d" cache -d "$w/other" import "$w/a.zst")"
check "all right again" quiet "$d" cache -d "$w/other" verify
# Wrong code under a right checksum: only translating again finds that.
python3 selftests/faults/damage.py "$victim" code
check "verify without files cannot see wrong code" quiet "$d" cache -d "$w/other" verify
check "verify with the files can" fails "$d" cache -d "$w/other" verify "$root/usr/bin" "$root/usr/lib/aarch64-linux-gnu" "$w/tree"
touch "$w/other/objects/notes.txt"
check "clear without a server" says "$n objects removed" "$("$d" cache -d "$w/other" clear)"
same "nothing is left" 0 "$(objects_in "$w/other")"
check "what is not ours stays" [ -e "$w/other/objects/notes.txt" ]

server
check "clear by the server" says "the server has removed" "$("$d" cache clear)"
same "nothing is left there" 0 "$(objects_in "$cache")"
same "nor in memory" 0 "$(objects)"
same "programs run" 2 "$(guest "$root/usr/bin/expr" 1 + 1)"
healthy "at the end"
stop_server

for c in cache translate status; do check "$c --help" grep -q "^usage: dragoman $c" <("$d" $c --help); done
same "unknown subcommand" 2 "$("$d" cache bogus 2>/dev/null; echo $?)"
same "no subcommand" 2 "$("$d" cache 2>/dev/null; echo $?)"
same "translate without a path" 2 "$("$d" translate 2>/dev/null; echo $?)"
finish
