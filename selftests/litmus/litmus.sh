#!/bin/bash
# SPDX-License-Identifier: MIT
#
# litmus.sh [WORD...]: the memory model as aarch64 programs see it: litmus.c (only tests with a WORD in their name) and atomics.c,
# through `dragoman run`. Prints KTAP. In: BUILD, DRAGOMAN, GUEST_CC; LITMUS_SECONDS for each of the litmus tests: 0.5, 1 for
# store buffering.
# That the tests can fail is shown too: store buffering without barriers has to be seen, and where qemu-aarch64 7.2 is
# installed, STLR; LDAR under it is run for comparison (it lets the load pass the store).
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
dragoman=${DRAGOMAN:-$build/dragoman}
cc=${GUEST_CC:-aarch64-linux-gnu-gcc}
out=$build/litmus
n=0 bad=0

command -v "$cc" >/dev/null || { echo "no aarch64 cross compiler"; exit 77; }
mkdir -p "$out"
flags="-std=gnu11 -O2 -g -Wall -Wextra -march=armv8.3-a -static -pthread"
# shellcheck disable=SC2086
"$cc" $flags -o "$out/litmus" selftests/litmus/litmus.c selftests/litmus/lib_litmus.c || exit 1
# shellcheck disable=SC2086
"$cc" $flags -o "$out/atomics" selftests/litmus/atomics.c || exit 1

# run COMMAND...: its results, with numbers of our own; the last one: it came to its end.
run() {
	local line ended=0
	while IFS= read -r line; do
		case $line in
		"ok "*|"not ok "*)
			n=$((n + 1))
			[[ $line == "not ok"* && $line != *"# TODO"* ]] && bad=1
			echo "${line%%ok *}ok $n ${line#*ok [0-9]* }" ;;
		"1.."*) ended=1 ;;
		*) echo "# $line" ;;
		esac
	done < <("$@" 2>&1)
	[ $ended = 1 ] && return
	n=$((n + 1)) bad=1
	echo "not ok $n $*: did not come to its end"
}

# check CONDITION NAME
check() {
	n=$((n + 1))
	if [ "$1" = 1 ]; then echo "ok $n $2"; else echo "not ok $n $2"; bad=1; fi
}

if [ $# -gt 0 ]; then
	run "$dragoman" run "$out/litmus" "${LITMUS_SECONDS:-1}" "$@"
else
	run "$dragoman" run "$out/litmus" "${LITMUS_SECONDS:-1}" SB
	run "$dragoman" run "$out/litmus" "${LITMUS_SECONDS:-0.5}" MP LB 2+2W R+ S+ IRIW
	run "$dragoman" run "$out/atomics"
fi
if [ "$(nproc)" -gt 1 ]; then
	# Its two threads have to run at once, which on a busy machine they seldom do.
	for seconds in 1 5 20 60; do
		seen=$("$dragoman" run "$out/litmus" "$seconds" SB | sed -n 's/^ok [0-9]* SB: \([0-9]*\) of.*/\1/p')
		[ "${seen:-0}" -gt 0 ] && break
	done
	check "$([ "${seen:-0}" -gt 0 ] && echo 1)" "a store is seen to be buffered (${seen:-0} times)"
	if qemu-aarch64 --version 2>/dev/null | grep -q 'version 7\.2'; then
		echo "# qemu-aarch64 7.2: $(qemu-aarch64 "$out/litmus" 1 SB+stlr+ldar | head -n 1)"
	fi
fi
echo "1..$n"
exit $bad
