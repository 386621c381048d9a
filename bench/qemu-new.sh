#!/bin/sh
# SPDX-License-Identifier: MIT
#
# qemu-new.sh [DIR]: unpacks the newest qemu-user of Debian (suite sid, or $QEMU_SUITE), with its libraries, into DIR
# (build/bench/qemu-new). Out: DIR/qemu-aarch64, a file that can be executed, and DIR/version. Nothing is
# fetched when it is there. The system's apt and dpkg stay as they are; the archive's address is the system's.
set -eu

cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
dir=${1:-$BUILD/bench/qemu-new}
suite=${QEMU_SUITE:-sid}
[ ! -x "$dir/qemu-aarch64" ] || exit 0

mkdir -p "$dir"
dir=$(realpath "$dir")
apt=$dir/apt
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/etc/parts"
: >"$apt/status"
options="-o Dir::State=$apt/state -o Dir::State::lists=$apt/state/lists -o Dir::State::status=$apt/status
	 -o Dir::Cache=$apt/cache -o Dir::Etc::sourcelist=$apt/etc/sources.list -o Dir::Etc::sourceparts=$apt/etc/parts
	 -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=$apt/etc/parts
	 -o APT::Architecture=amd64 -o APT::Architectures::=amd64 -o APT::Sandbox::User=root
	 -o APT::Install-Recommends=false -o Debug::NoLocking=true
	 -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false"

# The first Debian archive of this machine that is not the one for security updates.
uri=$(apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(SUITE)' 'Created-By: Packages' |
	awk -F'|' '$2 == "Debian" && $3 !~ /security|updates/ { print $1; exit }')
[ -n "$uri" ] || { echo "qemu-new.sh: apt has no Debian source configured" >&2; exit 1; }
echo "deb $uri $suite main" >"$apt/etc/sources.list"

log=$apt/log
{ apt-get $options update && apt-get $options install -y -qq --download-only qemu-user; } </dev/null >"$log" 2>&1 || {
	echo "qemu-new.sh: cannot fetch qemu-user of $suite" >&2
	tail -n 3 "$log" >&2
	exit 1
}
mkdir -p "$dir/root/usr/bin" "$dir/root/usr/sbin" "$dir/root/usr/lib" "$dir/root/usr/lib64"
for d in bin sbin lib lib64; do
	[ -e "$dir/root/$d" ] || ln -s "usr/$d" "$dir/root/$d"
done
for deb in "$apt"/cache/archives/*.deb; do
	dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$dir/root" -f -
done

# Static or dynamic, the result is one file; a loader of its own keeps the libraries apart from the system's.
root=$dir/root
if "$root/usr/bin/qemu-aarch64" --version >/dev/null 2>&1; then
	cp "$root/usr/bin/qemu-aarch64" "$dir/qemu-aarch64"
else
	printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' "$root/lib64/ld-linux-x86-64.so.2" \
		"$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/qemu-aarch64" >"$dir/qemu-aarch64"
	chmod +x "$dir/qemu-aarch64"
fi
"$dir/qemu-aarch64" --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p' >"$dir/version"
rm -rf "$apt/cache" "$apt/state"
