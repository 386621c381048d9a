#!/bin/sh
# SPDX-License-Identifier: MIT
#
# zlib.sh fetch DIR			Debian's zlib source (or another of the list below: $PROJECT), unpacked as DIR/zlib
# zlib.sh native DIR			configure and make it on this machine, in a copy
# zlib.sh guest DIR ROOT HANDLER...	the same in a chroot of ROOT, with arm64 programs handled by HANDLER: either a qemu-aarch64 or
#					the words of a `dragoman enable aarch64`
#
# Out: hashes of the objects; exit 77 where chroot.sh cannot register a handler.
set -eu

# What is measured, on both sides, in the current folder.
project=${PROJECT:-zlib}
case $project in
zlib)	build='./configure --static >configure.out 2>&1 && make -j1 >make.out 2>&1 && ./example >example.out && sha256sum *.o' ;;
bzip2)	build='make -j1 CC=gcc CFLAGS="-O2 -D_FILE_OFFSET_BITS=64" bzip2 bzip2recover >make.out 2>&1 && sha256sum *.o' ;;
*)	exit 2 ;;
esac

fetch() {
	[ ! -e "$1/$project/Makefile" ] || exit 0
	mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial" "$1/apt/parts"
	apt=$(realpath "$1/apt")
	apt-get indextargets --format '$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)|$(ORIGIN)|' 'Created-By: Packages' |
	sort -u | awk -F'|' '$3 == "main" && $5 == "Debian" && $2 !~ /security|updates/ {
		print "deb-src" ($4 ~ /^\// ? " [signed-by=" $4 "]" : "") " " $1 " " $2 " main" }' >"$apt/sources.list"
	options="-o Dir::State::lists=$apt/lists -o Dir::Cache=$apt/cache -o Dir::Etc::sourcelist=$apt/sources.list
		 -o Dir::Etc::sourceparts=$apt/parts -o APT::Sandbox::User=root -o Debug::NoLocking=true -o Acquire::Languages=none"
	apt-get $options update >"$apt/log" 2>&1 &&
	(cd "$apt" && apt-get $options source -qq --download-only $project >>"$apt/log" 2>&1) || {
		tail -n 3 "$apt/log" >&2
		exit 1
	}
	mkdir -p "$1/unpacked"
	tar -xf "$(ls "$apt/${project}"_*.orig.tar.?z* | grep -v asc | head -n 1)" -C "$1/unpacked" --strip-components=1 --no-same-owner
	rm -rf "$apt"
	mv "$1/unpacked" "$1/$project"
}

copy() {
	rm -rf "$2"
	cp -r --preserve=mode,timestamps "$1/$project" "$2"
}

native() {
	copy "$1" "$1/$project-native"
	cd "$1/$project-native"
	exec env CC=gcc sh -c "$build"
}

guest() {
	dir=$1 root=$2
	shift 2
	work=/tmp/$project.$$
	trap 'rm -rf "$root$work"' EXIT
	mkdir -p "$root/tmp"
	copy "$dir" "$root$work"
	status=0
	"$(dirname "$0")/chroot.sh" "$root" "$@" -- /bin/sh -c "cd $work && CC=gcc PATH=/usr/bin:/bin && export CC PATH && $build" || status=$?
	if [ $status != 0 ] && [ $status != 77 ]; then
		tail -n 3 "$root$work/configure.out" "$root$work/make.out" >&2 || :
	fi
	exit $status
}

mode=$1
shift
case $mode in
fetch)	fetch "$1" ;;
native)	native "$1" ;;
guest)	guest "$@" ;;
*)	exit 2 ;;
esac
