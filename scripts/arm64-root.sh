#!/bin/sh
# SPDX-License-Identifier: MIT
#
# arm64-root.sh [-d DIR] PACKAGE...: unpacks Debian's arm64 packages, with all that they depend on, into DIR
# (build/arm64-root). Their maintainer scripts do not run. In: package names; out: DIR has them, and
# DIR/.packages lists what is unpacked. Nothing is fetched when all that was asked for is there.
#
# apt gets folders of its own, so that the system's apt and dpkg, and their architectures, stay as they are; the
# archive's address is what this machine's apt is set up with.
set -eu

cd "$(dirname "$0")/.."
BUILD=${BUILD:-build}
root=$BUILD/arm64-root
if [ "${1:-}" = -d ]; then
	root=$2
	shift 2
fi
[ $# -gt 0 ] || { echo "usage: $0 [-d DIR] PACKAGE..." >&2; exit 2; }

mkdir -p "$root" "$BUILD/apt-arm64"
exec 9>"$BUILD/apt-arm64/.lock"
flock 9

touch "$root/.packages" "$root/.asked"
want=
for p; do
	grep -qx "$p" "$root/.asked" || want="$want $p"
done
[ -n "$want" ] || exit 0

apt=$(realpath "$BUILD/apt-arm64")
mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/etc/parts"
: >"$apt/status"
options="-o Dir::State=$apt/state -o Dir::State::lists=$apt/state/lists -o Dir::State::status=$apt/status
	 -o Dir::Cache=$apt/cache -o Dir::Etc::sourcelist=$apt/etc/sources.list -o Dir::Etc::sourceparts=$apt/etc/parts
	 -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=$apt/etc/parts
	 -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o APT::Sandbox::User=root
	 -o APT::Install-Recommends=false -o APT::Get::List-Cleanup=false -o Debug::NoLocking=true
	 -o Acquire::Languages=none"

# The suites of this machine's own sources, without those that are no Debian archive.
sources() {
	apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)|$(ORIGIN)|' 'Created-By: Packages' |
	sort -u | awk -F'|' '$3 == "main" && ($5 == "Debian" || $5 == "" || $5 ~ /^\$/) {
		by = $4 ~ /^\// ? " signed-by=" $4 : ""
		print "deb [arch=arm64" by "] " $1 " " $2 " " $3
	}'
}
sources >"$apt/etc/sources.list"
[ -s "$apt/etc/sources.list" ] || { echo "arm64-root.sh: apt has no Debian source configured" >&2; exit 1; }

log=$apt/log
if [ -z "$(find "$apt/state/lists" -name '*Packages*' -mmin -1440 2>/dev/null | head -n 1)" ]; then
	apt-get $options update >"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 1; }
fi
fetch() {
	apt-get $options install -y -qq --download-only $want </dev/null >"$log" 2>&1
}
fetch || { apt-get $options update >>"$log" 2>&1 && fetch; } || {
	echo "arm64-root.sh: cannot fetch:$want" >&2
	grep '^E:' "$log" >&2 || tail -n 5 "$log" >&2
	exit 1
}

# /bin, /lib, /sbin are links into /usr, as debootstrap makes them; no package carries those links.
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib" "$root/etc" "$root/tmp"
for d in bin sbin lib; do
	[ -e "$root/$d" ] || ln -s "usr/$d" "$root/$d"
done
# The cache may hold more, of other roots: take what apt would install for this one.
wanted_debs() {
	apt-get $options install -s $want </dev/null |
	sed -n 's/^Inst \([^ :]*\)[^ ]* (\([^ ]*\) .*\[\([a-z0-9]\{1,\}\)\]).*/\1_\2_\3/p' | sed 's/:/%3a/g'
}
for id in $(wanted_debs); do
	deb=$apt/cache/archives/$id.deb
	grep -qxF "$id" "$root/.packages" && continue
	dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink --no-same-owner -C "$root" -f -
	echo "$id" >>"$root/.packages"
done

# What maintainer scripts would do and programs miss.
[ -e "$root/bin/sh" ] || [ ! -e "$root/bin/dash" ] || ln -s dash "$root/bin/sh"
for awk in gawk mawk; do
	[ -e "$root/usr/bin/awk" ] || [ ! -e "$root/usr/bin/$awk" ] || ln -s $awk "$root/usr/bin/awk"
done
[ -e "$root/etc/passwd" ] || [ ! -e "$root/usr/share/base-passwd/passwd.master" ] || {
	cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
	cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
}
printf '%s\n' $want >>"$root/.asked"
