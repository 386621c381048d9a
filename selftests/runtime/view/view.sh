#!/bin/bash
# SPDX-License-Identifier: MIT
# Guest code that runs from code objects made ahead of time: view.c and slot.c with libview.so and the cross compiler's libc, each of
# them mapped as the server's objects would be; and the in-guest tests in the same way. The results of view.c and slot.c are their own KTAP.
cd "$(dirname "$0")/../../.." || exit 1
. scripts/ktap.sh
export BUILD=${BUILD:-build}
here=selftests/runtime/view
cc=${GUEST_CC:-aarch64-linux-gnu-gcc}
root=${GUEST_ROOT:-/usr/aarch64-linux-gnu}
command -v "$cc" >/dev/null || skip_all "$cc is not there"
[ -e "$root/lib/libc.so.6" ] || skip_all "the cross compiler's libc is not there"
for f in dragoman-rt tests/tool_object; do
	[ -x "$BUILD/$f" ] || skip_all "$BUILD/$f is not built"
done
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
"$cc" -O2 -shared -fPIC -o "$w/libview.so" $here/libview.c && "$cc" -O2 -o "$w/view" $here/view.c -lm -ldl -pthread &&
	"$cc" -O2 -o "$w/slot" $here/slot.c -ldl -pthread || exit 1

objects=()
add() {
	"$BUILD/tests/tool_object" "$1" "$w/$(basename "$1").obj" >"$w/log" 2>&1 || { cat "$w/log"; return 1; }
	objects+=("--object=$w/$(basename "$1").obj")
}
for f in "$w/view" "$w/slot" "$w/libview.so" "$root"/lib/{ld-linux-aarch64.so.1,libc.so.6,libm.so.6}; do
	add "$f" || exit 1
done
run() {
	timeout -k 5 "${TEST_TIMEOUT:-300}" "$BUILD/dragoman-rt" --run --flags="$1" --root="$root" "${objects[@]}" -- "${@:2}"
}

# How often shared code came and went, as --strace tells.
run 1 "$w/view" view "$w/libview.so" >"$w/out" 2>"$w/trace"
status=$?
came=$(grep -c 'shared code of .* is at' "$w/trace")
went=$(grep -c 'shared code of .* is no longer used' "$w/trace")
check "shared code comes ($came times) and goes ($went times)" [ "$came" -ge 100 -a "$went" -ge 100 ]
check "the traced run succeeds" [ $status = 0 ]
# results NAME: those of the program that has just ended.
results() {
	while read -r line; do
		check "$1: ${line#*ok * }" [ "${line%% *}" = ok ]
	done < <(grep -E '^(not )?ok' "$w/out")
	check "$1: all of it was run" grep -q '^1\.\.' "$w/out"
	check "$1: no message, status 0" [ ! -s "$w/err" -a $status = 0 ]
	grep -hE '^#.*(line|called|status)' "$w/out"
	sed 's/^/# /' "$w/err"
}
run 0 "$w/view" view "$w/libview.so" >"$w/out" 2>"$w/err"
status=$?
results view
run 0 "$w/slot" slot "$w/libview.so" 3 >"$w/out" 2>"$w/err"
status=$?
results "slot, shared code"
with=("${objects[@]}") objects=()
DRAGOMAN_SERVER=off run 0 "$w/slot" slot "$w/libview.so" 3 >"$w/out" 2>"$w/err"
status=$?
results "slot, private code"
objects=("${with[@]}")
# Memory for private code is used again although another thread never leaves shared code.
objects=()
add "$BUILD/guest/code" && check "code is made and thrown away beside a busy thread" \
	[ "$(ulimit -v 140000; run 0 "$BUILD/guest/code" code churn 100000 busy 2>&1)" = "churn equal" ]
for p in "$BUILD"/guest/*; do
	[ -x "$p" ] && [[ $p != *.d ]] || continue
	objects=()
	add "$p" || { check "object of $(basename "$p")" false; continue; }
	run 0 "$p" "$p" >"$w/out" 2>&1
	status=$?
	check "guest/$(basename "$p") from an object" [ $status = 0 -o $status = 4 ]
	grep -E '^not ok|Bail' "$w/out" | sed 's/^/# /'
done
finish
