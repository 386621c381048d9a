# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Debian's kernels for the virtual machines, sourced. Each is fetched once, with apt's own means, and kept by its
# version in $cache; nothing is installed on this system.
#
#   kernel_get SERIES     6.1, 6.12 (from the sources that apt knows here), newest (Debian's unstable, through a private apt
#                         folder) or a package's release (6.12.117+deb13-rt-amd64, from any of Debian's suites, likewise).
#                         Sets release, vmlinuz, kmods (folder of Debian's own modules).
#   kernel_module         builds dragoman.ko for $release into $module
#   kselftest_tree        sets KSFT: tools/testing/selftests of a kernel source package
# Each returns 1 with the reason in $why.

cache=${VM_CACHE:-$BUILD/vm/cache}
why=

# Debian modules that the tests load, or that the tests' file systems need; whichever the kernel has as modules.
vm_modules='binfmt_misc overlay fuse loop crc16 libcrc32c crc32c_generic mbcache jbd2 ext4'

# apt_mirrors: Debian's archive in $mirror, its security updates in $security, as apt has them here; maybe empty.
apt_mirrors() {
	local all
	all=$(apt-get indextargets --format '$(REPO_URI) $(SUITE)' 'Created-By: Packages' 2>/dev/null)
	mirror=$(grep -v -- -security <<<"$all" | head -n 1 | cut -d ' ' -f 1)
	security=$(grep -- -security <<<"$all" | head -n 1 | cut -d ' ' -f 1)
}

# suite_lines SUITE: the sources that have a kernel for that Debian, one a line.
suite_lines() {
	local suite
	case $1 in
	sid) set -- sid experimental ;;
	*) set -- "$1" "$1-updates" "$1-backports" ${security:+"$1-security"} ;;
	esac
	for suite; do
		case $suite in
		*-security) echo "deb $security $suite main" ;;
		*) echo "deb $mirror $suite main" ;;
		esac
	done
}

# suite_of RELEASE: whose tools its headers go with, in the end of its name.
suite_of() {
	case $1 in
	6.1.*|*+deb12*) echo bookworm ;;
	*+deb13*) echo trixie ;;
	*) echo sid ;;
	esac
}

# apt_private SUITE NAME: the options for a private apt folder that knows a suite, or all, in $apt.
apt_private() {
	local dir suite mirror security
	dir=$(realpath -m "$cache")/$2
	apt=(-o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" -o Dir::Etc::sourcelist="$dir/sources.list"
	     -o Dir::Etc::sourceparts=/dev/null -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root)
	apt_mirrors
	[ -n "$mirror" ] || { why="apt knows no package source"; return 1; }
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	if [ "$1" = newest ]; then
		echo "deb $mirror sid main" >"$dir/sources.list"
	else
		suite_lines "$1" >"$dir/sources.list"
	fi
	[ -n "$(find "$dir/lists" -maxdepth 1 -name '*Packages*' -mtime -7)" ] && return 0
	apt-get "${apt[@]}" update -qq >"$dir/log" 2>&1 || { why="apt-get update of Debian's $1 failed"; return 1; }
}

apt_newest() { apt_private newest apt; }

# deb_get PACKAGE: downloads it, if it is not there; its file is in $deb.
deb_get() {
	local dir
	dir=$(realpath -m "$cache")/debs
	mkdir -p "$dir"
	deb=$(find "$dir" -name "$1_*.deb" -print -quit)
	[ -n "$deb" ] && return 0
	(cd "$dir" && timeout 900 apt-get "${apt[@]}" -o APT::Sandbox::User=root download -qq "$1") >"$dir/log" 2>&1 || {
		why="package $1 could not be fetched: $(grep -m 1 '^[EW]:' "$dir/log")"
		return 1
	}
	deb=$(find "$dir" -name "$1_*.deb" -print -quit)
}

# newest_name SERIES PREFIX: the highest package PREFIX-SERIES*-amd64 that apt knows.
newest_name() {
	apt-cache "${apt[@]}" pkgnames "linux-image-$1" |
		grep -E "^linux-image-${1:+${1//./\\.}\\.}[0-9.]+([-+][0-9a-z+]*)*-amd64$" | grep -vE 'cloud|rt-amd64|-rc' | sort -V | tail -n 1
}

is_release() { [[ $1 == *-amd64 ]]; }

# find_image SERIES: the name of the image package in $image, apt's options in $apt.
find_image() {
	local series=$1
	apt=()
	if is_release "$series"; then
		apt_private "$(suite_of "$series")" "apt-$(suite_of "$series")" || return 1
		image=linux-image-$series
		apt-cache "${apt[@]}" show "$image" >/dev/null 2>&1 || { why="Debian's $(suite_of "$series") has no $image"; return 1; }
		return 0
	fi
	if [ "$series" = newest ]; then
		apt_newest || return 1
		series=
	fi
	image=$(newest_name "$series")
	if [ -z "$image" ] && [ "$1" != newest ]; then
		apt-get update -qq >/dev/null 2>&1
		image=$(newest_name "$series")
	fi
	[ -n "$image" ] || { why="apt knows no linux-image-$series for amd64 here"; return 1; }
}

# unpack_image FOLDER DEB...: vmlinuz and the modules in the list, decompressed.
unpack_image() {
	local m deb dir=$1 patterns=('*/boot/vmlinuz-*' '*/vmlinuz')
	shift
	for m in $vm_modules; do
		patterns+=("*/$m.ko" "*/$m.ko.xz")
	done
	rm -rf "$dir.part"
	mkdir -p "$dir.part/modules" "$dir.part/x"
	for deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -C "$dir.part/x" -x --wildcards "${patterns[@]}" 2>/dev/null
	done
	find "$dir.part/x" -name '*.xz' -exec xz -d {} +
	find "$dir.part/x" -name 'vmlinuz*' -type f -exec mv {} "$dir.part/vmlinuz" \;
	find "$dir.part/x" -name '*.ko' -exec mv {} "$dir.part/modules/" \;
	rm -rf "$dir.part/x"
	[ -s "$dir.part/vmlinuz" ] || return 1
	echo "$vm_modules" >"$dir.part/list"
	mkdir -p "$dir"
	rm -rf "$dir/modules"
	mv "$dir.part"/* "$dir/"
	rmdir "$dir.part"
}

# image_debs: the image of $release and, where Debian has split it, the parts, in $debs.
image_debs() {
	local p
	debs=()
	for p in "linux-image-$release" $(apt-cache "${apt[@]}" depends "linux-image-$release" |
			sed -nE "s/^ *Depends: (linux-(binary|modules)-${release//+/\\+})\$/\1/p"); do
		deb_get "$p" || return 1
		debs+=("$deb")
	done
}

kernel_get() {
	local dir
	mkdir -p "$cache"
	# A kernel that is there is used as it is: a test run does not depend on the mirror twice.
	if [ -z "${VM_UPDATE:-}" ] && [ -e "$cache/series-$1" ]; then
		release=$(cat "$cache/series-$1")
	else
		find_image "$1" || return 1
		release=${image#linux-image-}
	fi
	dir=$cache/$release
	if [ ! -e "$dir/vmlinuz" ] || [ "$(cat "$dir/list" 2>/dev/null)" != "$vm_modules" ]; then
		[ -n "${image:-}" ] || find_image "$1" || return 1
		image_debs || return 1
		unpack_image "$dir" "${debs[@]}" || { why="linux-image-$release has no kernel in it"; return 1; }
		rm -f "${debs[@]}"
	fi
	echo "$release" >"$cache/series-$1"
	vmlinuz=$dir/vmlinuz kmods=$dir/modules
	series=$1
}

# headers_get: the headers of $release, installed ones or unpacked, in $kdir.
headers_get() {
	local root p names
	kdir=/usr/src/linux-headers-$release
	[ -e "$kdir/Makefile" ] && return 0
	root=$(realpath -m "$cache/$release/headers")
	kdir=$root/usr/src/linux-headers-$release
	[ -e "$kdir/Makefile" ] && return 0
	[ -n "${image:-}" ] || find_image "$series" || return 1
	names=$(apt-cache "${apt[@]}" depends "linux-headers-$release" |
		sed -nE 's/^ *Depends: (linux-(headers|kbuild)-.*)/\1/p')
	mkdir -p "$root"
	for p in $names "linux-headers-$release"; do
		deb_get "$p" || return 1
		dpkg-deb -x "$deb" "$root"
		rm -f "$deb"
	done
	# The packages name each other by absolute paths.
	sed -i "s|/usr/src/|$root/usr/src/|" "$kdir/Makefile"
}

# module_stamp: changes when a source of the module does.
module_stamp() { cat Kbuild $(find kmod include -type f | sort) | sha256sum | cut -c 1-16; }

build_module() {
	make -C "$1" M="$2" modules >"$2/log" 2>&1
}

kernel_module() {
	local stamp dir
	stamp=$(module_stamp)
	dir=$(realpath -m "$BUILD/vm/module/$release")
	module=$dir/dragoman.ko
	[ -e "$module" ] && [ "$(cat "$dir/stamp" 2>/dev/null)" = "$stamp" ] && return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -r Kbuild kmod include "$dir/"
	if [ "$series" = newest ] || is_release "$series"; then
		newest_module "$dir" || return 1
	else
		headers_get || return 1
		build_module "$kdir" "$dir" || { why="dragoman.ko does not build for $release, see $BUILD/vm/module/$release/log"; return 1; }
		scripts/module-btf.py "$module" "$vmlinuz" >>"$dir/log" 2>&1
	fi
	echo "$stamp" >"$dir/stamp"
}

# The newest headers' tools want the newest C library and compiler: they are used in a folder made by mmdebstrap, with /proc,
# which objtool reads.
newest_module() {
	local root mirror security suite=sid
	root=$(realpath -m "$cache/$release/root")
	if [ ! -e "$root/usr/src/linux-headers-$release/Makefile" ]; then
		apt_mirrors
		[ "$series" = newest ] || suite=$(suite_of "$series")
		rm -rf "$root"
		{
			if [ "$series" = newest ]; then echo "deb $mirror sid main"; else suite_lines "$suite"; fi
		} | mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
			--include="linux-headers-$release,binutils,make,kmod,xz-utils" "$suite" "$root" - \
			>"$cache/$release/root.log" 2>&1 || {
			why="mmdebstrap could not make a folder with linux-headers-$release: $(tail -n 1 "$cache/$release/root.log")"
			return 1
		}
	fi
	rm -rf "$root/build"
	cp -r "$1" "$root/build"
	unshare -m sh -c "mount -t proc proc '$root/proc' && exec chroot '$root' make -C '/usr/src/linux-headers-$release' M=/build modules" \
		>"$1/log" 2>&1 || { why="dragoman.ko does not build for $release, see $BUILD/vm/module/$release/log"; return 1; }
	cp "$root/build/dragoman.ko" "$1/"
}

# kselftest_tree: the kernel's own harness, lib.mk and runner; nothing else of the source is kept.
kselftest_tree() {
	local name dir
	dir=$(realpath -m "$cache/kselftest")
	KSFT=${KSFT:-$dir/tools/testing/selftests}
	[ -e "$KSFT/lib.mk" ] && return 0
	apt=()
	name=$(apt-cache pkgnames linux-source-6 | grep -E '^linux-source-6\.(1[2-9]|[2-9][0-9])$' | sort -V | head -n 1)
	[ -n "$name" ] || { why="apt knows no linux-source-6.12 or newer here"; return 1; }
	deb_get "$name" || return 1
	mkdir -p "$dir"
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$name.tar.xz" | xz -dc |
		tar -C "$dir" -x --strip-components=1 --no-wildcards-match-slash --wildcards \
			"$name/tools/testing/selftests/*.*" "$name/tools/testing/selftests/kselftest/*" 2>/dev/null
	[ -e "$KSFT/lib.mk" ] || { why="$name holds no kselftest"; return 1; }
}
