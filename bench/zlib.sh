#!/bin/sh
# SPDX-License-Identifier: MIT
#
# zlib.sh fetch DIR			Debian's zlib source, unpacked as DIR/zlib
# zlib.sh native DIR			configure and make it on this machine, in a copy
# zlib.sh guest DIR ROOT HANDLER...	the same in a chroot of ROOT, with arm64 programs handled by HANDLER: either a qemu-aarch64 or
#					the words of a `dragoman enable aarch64`
#
# Out: hashes of the objects. The handler is registered in a binfmt_misc of a user namespace (Linux 6.7), so nothing on
# the machine changes; exit 77 where that cannot be had.
set -eu

fetch() {
	[ ! -e "$1/zlib/configure" ] || exit 0
	mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial" "$1/apt/parts"
	apt=$(realpath "$1/apt")
	apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)|$(ORIGIN)|' 'Created-By: Packages' |
	sort -u | awk -F'|' '$3 == "main" && $5 == "Debian" && $2 !~ /security|updates/ {
		print "deb-src" ($4 ~ /^\// ? " [signed-by=" $4 "]" : "") " " $1 " " $2 " main" }' >"$apt/sources.list"
	options="-o Dir::State::lists=$apt/lists -o Dir::Cache=$apt/cache -o Dir::Etc::sourcelist=$apt/sources.list
		 -o Dir::Etc::sourceparts=$apt/parts -o APT::Sandbox::User=root -o Debug::NoLocking=true -o Acquire::Languages=none"
	apt-get $options update >"$apt/log" 2>&1 &&
	(cd "$apt" && apt-get $options source -qq --download-only zlib >>"$apt/log" 2>&1) || {
		tail -n 3 "$apt/log" >&2
		exit 1
	}
	mkdir -p "$1/unpacked"
	tar -xf "$(ls "$apt"/zlib_*.orig.tar.* | head -n 1)" -C "$1/unpacked" --strip-components=1 --no-same-owner
	rm -rf "$apt"
	mv "$1/unpacked" "$1/zlib"
}

# What is measured, on both sides, in the current folder.
build='./configure --static >configure.out 2>&1 && make -j1 >make.out 2>&1 && ./example >example.out && sha256sum *.o'

copy() {
	rm -rf "$2"
	cp -r --preserve=mode,timestamps "$1/zlib" "$2"
}

native() {
	copy "$1" "$1/zlib-native"
	cd "$1/zlib-native"
	exec env CC=gcc sh -c "$build"
}

# In the namespaces that guest() made.
inside() {
	dir=$1 root=$2
	shift 2
	binfmt=/proc/sys/fs/binfmt_misc
	[ $# -gt 0 ] || exit 77
	mount -t binfmt_misc none $binfmt 2>/dev/null || exit 77
	if [ $# = 1 ]; then
		magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
		mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
		printf '%s' ":qemu:M::$magic:$mask:$1:F" >$binfmt/register
	else
		"$@" >&2
	fi
	mkdir -p "$root/dev" "$root/proc" "$root/tmp"
	mount --rbind /dev "$root/dev"
	mount --rbind /proc "$root/proc"
	work=/tmp/zlib.$$
	copy "$dir" "$root$work"
	status=0
	chroot "$root" /bin/sh -c "cd $work && CC=gcc PATH=/usr/bin:/bin && export CC PATH && $build" || status=$?
	if [ $status != 0 ]; then
		tail -n 3 "$root$work/configure.out" "$root$work/make.out" >&2 || :
	fi
	rm -rf "$root$work"
	exit $status
}

mode=$1
shift
case $mode in
fetch)	fetch "$1" ;;
native)	native "$1" ;;
guest)	exec unshare --user --map-root-user --mount "$0" inside "$@" ;;
inside)	inside "$@" ;;
*)	exit 2 ;;
esac
