#!/bin/sh
# SPDX-License-Identifier: MIT
#
# make demo: real arm64 programs beside the same command on this machine. Installs what is missing, builds, fetches
# arm64 packages, runs each command twice and prints both. Exit 1 if any differs.
set -u
cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
RUNNER=${RUNNER:-$BUILD/dragoman run}
export LC_ALL=C

scripts/deps.sh build demo || exit 1
make -s -j"$(nproc)" BUILD="$BUILD" all || exit 1
scripts/arm64-root.sh busybox-static bash coreutils grep sed || exit 1
root=$(realpath "$BUILD/arm64-root")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
seq 1 2000 >"$work/numbers"
count=0 equal=0

# First line of a file, and how many there are.
brief() {
	lines=$(wc -l <"$1")
	head -n 1 "$1" | cut -c 1-60 | tr -d '\n'
	[ "$lines" -le 1 ] || printf ' ... (%d lines)' "$lines"
}

# compare STATIC|DYNAMIC PROGRAM ARGUMENTS...: PROGRAM is a path below the root and on the host.
compare() {
	kind=$1 program=$2
	shift 2
	host=$(command -v "$(basename "$program")")
	set -- "$@"
	(cd "$work" && exec "$host" "$@") >"$work/host" 2>"$work/host.err" </dev/null
	host_status=$?
	if [ "$kind" = static ]; then
		$RUNNER "$root$program" "$@" >"$work/guest" 2>"$work/guest.err" </dev/null
	else
		$RUNNER -L "$root" "$root$program" "$@" >"$work/guest" 2>"$work/guest.err" </dev/null
	fi
	guest_status=$?
	count=$((count + 1))
	verdict=DIFFERENT
	if cmp -s "$work/host" "$work/guest" && [ $host_status = $guest_status ]; then
		verdict=equal
		equal=$((equal + 1))
	fi
	printf '\n%s %s\n' "$(basename "$program")" "$*" | cut -c 1-110
	printf '  %-22s exit %-3d %s\n' "host, $(uname -m)" $host_status "$(brief "$work/host")"
	printf '  %-22s exit %-3d %s\n' "dragoman, aarch64" $guest_status "$(brief "$work/guest")"
	printf '  %s\n' "$verdict"
	[ $verdict = equal ] || sed 's/^/  stderr: /' "$work/guest.err" | head -n 3
}

echo "The programs, from Debian's arm64 packages:"
for p in /bin/busybox /bin/bash /usr/bin/sha256sum; do
	printf '  %s: ' "$p"
	head -c 20 "$root$p" | od -An -tx1 -j 16 -N 4 | tr -d ' \n' |
		sed 's/^0[23]00b700$/ELF, aarch64/'
	echo
done

n=$work/numbers
compare static /bin/busybox echo "hello from a static program"
compare static /bin/busybox sha256sum "$n"
compare static /bin/busybox sh -c 'i=0; while [ $i -lt 1000 ]; do i=$((i + 1)); done; echo $i; exit 7'
compare static /bin/busybox awk '{ s += $1 * 1.5 } END { print s }' "$n"
compare static /bin/busybox gunzip -t /nonexistent
compare dynamic /bin/echo "hello from a dynamic program"
compare dynamic /usr/bin/sha512sum "$n"
compare dynamic /usr/bin/sort -rn "$n"
compare dynamic /bin/grep -c '[13579]$' "$n"
compare dynamic /bin/sed -n '5,7s/$/ edited/p' "$n"
compare dynamic /usr/bin/factor 18446744073709551557 1000000007
compare dynamic /bin/bash -c 'for i in {1..5}; do echo $((i ** 9)); done | { read a; read b; echo "$a $b"; }'
compare dynamic /bin/bash -c 'kill -TERM $$'
compare dynamic /bin/ls /nonexistent

printf '\n%d of %d commands gave the same on both.\n' $equal $count
[ $equal = $count ]
