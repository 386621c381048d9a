#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds guest_*.c of this folder for aarch64, static and dynamic, and runs them. Prints KTAP.
set -u
cd "$(dirname "$0")/../../.."
build=${BUILD:-build}
dragoman=${DRAGOMAN:-$build/dragoman}
cc=${GUEST_CC:-aarch64-linux-gnu-gcc}
command -v "$cc" >/dev/null || { echo "no aarch64 cross compiler"; exit 77; }
sysroot=$("$cc" -print-sysroot)
[ -e "${sysroot%/}/lib/ld-linux-aarch64.so.1" ] || sysroot=/usr/aarch64-linux-gnu
out=$(cd "$build" && pwd)/guest-load
mkdir -p "$out"
status=0 number=0

# run NAME COMMAND...: its lines with numbers of our own.
run() {
	local name=$1 line
	shift
	while IFS= read -r line; do
		case $line in
		"ok "*|"not ok "*)
			number=$((number + 1))
			echo "${line%%ok *}ok $number $name: ${line#*ok [0-9]* }" ;;
		"1.."*)
			finished=1 ;;
		*)
			echo "# $line" ;;
		esac
	done < <("$@" 2>&1)
	number=$((number + 1))
	if [ "${finished:-0}" = 1 ]; then
		echo "ok $number $name: came to its end"
	else
		echo "not ok $number $name: came to its end"
		status=1
	fi
	finished=0
}

# A binfmt_misc of our own, in a user namespace (Linux 6.7): the machine's stays as it is.
in_namespace() {
	unshare -Urm bash -c '
		mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || exit 1
		echo ":dragoman-test:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:$0:PFO" \
			> /proc/sys/fs/binfmt_misc/register || exit 1
		export DRAGOMAN_SYSROOT="$1"
		shift
		exec "$@"' "$(cd "$build" && pwd)/dragoman-rt" "$@"
}

for source in selftests/runtime/load/guest_*.c; do
	name=$(basename "$source" .c)
	"$cc" -O1 -g -std=gnu11 -D_GNU_SOURCE -Wall -static -o "$out/$name-static" "$source" || exit 1
	"$cc" -O1 -g -std=gnu11 -D_GNU_SOURCE -Wall -o "$out/$name-dynamic" "$source" || exit 1
	run "$name static" "$dragoman" run "$out/$name-static"
	if [ -x "$build/tests/tool_deny_set_mm" ]; then
		run "$name without PR_SET_MM" "$build/tests/tool_deny_set_mm" "$dragoman" run "$out/$name-static"
	fi
	if in_namespace "" true 2>/dev/null; then
		run "$name by binfmt_misc" in_namespace "" "$out/$name-static"
		run "$name dynamic by binfmt_misc" in_namespace "$sysroot" "$out/$name-dynamic"
	else
		number=$((number + 1))
		echo "ok $number $name by binfmt_misc # SKIP no binfmt_misc of our own here (needs Linux 6.7)"
	fi
	run "$name dynamic" "$dragoman" run -L "$sysroot" "$out/$name-dynamic"
done
echo "1..$number"
exit $status
