#!/bin/bash
# SPDX-License-Identifier: MIT
#
# translator.sh [SECONDS]: random single instructions through the whole translator, `dragoman run`, in each class of CPU
# and with all that this CPU has ("host"), against the evaluator (test_diff.c). In: BUILD, DRAGOMAN. SECONDS of each class: 10.
set -u
BUILD=${BUILD:-build}
dragoman=${DRAGOMAN:-$BUILD/dragoman}
guest=$BUILD/guest/diff_guest
here=$(dirname "$0")
n=0 bad=0

if ! command -v "${GUEST_CC:-aarch64-linux-gnu-gcc}" >/dev/null; then
	echo "no aarch64 cross compiler"
	exit 77
fi
mkdir -p "$BUILD/guest"
"${GUEST_CC:-aarch64-linux-gnu-gcc}" -O1 -static -o "$guest" "$here/diff_guest.c" || exit 1
for class in v2 v3 v4 host; do
	n=$((n + 1))
	run="env DRAGOMAN_CPU=$class $dragoman run"
	[ $class = host ] && run="$dragoman run"
	# a class that this CPU does not have is refused
	if ! $run "$guest" </dev/null >/dev/null 2>&1; then
		if grep -qw avx512vl /proc/cpuinfo || [ $class != v4 ] && grep -qw avx2 /proc/cpuinfo; then
			echo "not ok $n $class: dragoman run fails"
			bad=1
		else
			echo "ok $n $class # SKIP this CPU is of a lower class"
		fi
		continue
	fi
	if "$BUILD/tests/test_diff" -t "${1:-10}" -s "${SEED:-$(date +%s)}" -m 2 -g "$guest" -r "$run"; then
		echo "ok $n $class"
	else
		echo "not ok $n $class"
		bad=1
	fi
done
echo "1..$n"
exit $bad
