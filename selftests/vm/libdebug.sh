# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A kernel with KASAN, lockdep, kmemleak and fault injection (debug.config), built once from Debian's linux-source and kept
# by the hash of its configuration: sourced by run. JOBS: for make -j.
#
#   debug_get      sets release, vmlinuz, kmods, module and more memory and time; 1 with the reason in $why

# What the tests rely on: without it the kernel proves nothing.
debug_needs='KASAN PROVE_LOCKING DEBUG_KMEMLEAK FAULT_INJECTION FAILSLAB'

# source_get SERIES FOLDER: the whole source of linux-source-SERIES.
source_get() {
	local name=linux-source-$1
	[ -e "$2/Makefile" ] && return 0
	deb_get "$name" || return 1
	rm -rf "$2.part"
	mkdir -p "$2.part"
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$name.tar.xz" | xz -dc | tar -C "$2.part" -x --strip-components=1 &&
		mv "$2.part" "$2" || { why="$name cannot be unpacked"; return 1; }
}

# debug_build SOURCE OUT BASE TARGETS ARCH-ARGUMENTS...
debug_build() {
	local source=$1 out=$2 base=$3 targets=$4 option
	shift 4
	scripts/deps.sh vm-build >&2 || { why="what a kernel's build needs could not be installed"; return 1; }
	rm -rf "$out"
	mkdir -p "$out"
	echo "# building $(basename "$out") (once; a quarter of an hour)" >&2
	{
		make -C "$source" O="$out" "$@" "$base" && cat "$debug_config" >>"$out/.config" &&
			make -C "$source" O="$out" "$@" olddefconfig
	} >"$out/log" 2>&1 || { why="the debug kernel cannot be configured, see $out/log"; return 1; }
	for option in $debug_needs; do
		grep -q "^CONFIG_$option=y" "$out/.config" || { why="the debug kernel would lack $option"; return 1; }
	done
	nice -n 19 make -C "$source" O="$out" "$@" -j"${JOBS:-$(nproc)}" $targets >>"$out/log" 2>&1 ||
		{ why="the debug kernel does not build, see $out/log"; return 1; }
	touch "$out/done"
}

debug_get() {
	local dir stamp name
	apt=()
	debug_config=$(realpath selftests/vm/debug.config)
	stamp=$(sha256sum <"$debug_config" | cut -c 1-8)
	dir=$(realpath -m "$cache")
	name=$(apt-cache pkgnames linux-source-6 | grep -E '^linux-source-6\.(1[2-9]|[2-9][0-9])$' | sort -V | head -n 1)
	[ -n "$name" ] || { why="apt knows no linux-source-6.12 or newer here"; return 1; }
	kdir=$dir/${name#linux-source-}-debug-$stamp
	if [ ! -e "$kdir/done" ]; then
		# Others need not wait for this, but two builds would spoil each other.
		vm_unlock
		exec 8>"$dir/debug.lock" && flock 8
		[ -e "$kdir/done" ] || {
			source_get "${name#linux-source-}" "$dir/source-${name#linux-source-}" &&
				debug_build "$dir/source-${name#linux-source-}" "$kdir" tinyconfig "bzImage modules"
		} || return 1
		flock -u 8
		vm_lock
	fi
	vmlinuz=$kdir/arch/x86/boot/bzImage
	release=$(cat "$kdir/include/config/kernel.release")-debug
	kmods=/nonexistent
	series=debug
	# Four times slower, and more memory for the shadow.
	vm_memory=3G vm_limit=$((${VM_LIMIT:-540} * 4))
	debug_module "$kdir"
}

# debug_module KDIR MAKE-ARGUMENTS...: the module for a kernel that was built here.
debug_module() {
	local build=$1 dir stamp
	shift
	stamp=$(module_stamp)
	dir=$(realpath -m "$BUILD/vm/module/$release")
	module=$dir/dragoman.ko
	[ -e "$module" ] && [ "$(cat "$dir/stamp" 2>/dev/null)" = "$stamp" ] && return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -r Kbuild kmod include "$dir/"
	make -C "$build" "$@" M="$dir" DRAGOMAN_KUNIT=1 modules >"$dir/log" 2>&1 ||
		{ why="dragoman.ko does not build for $release, see $dir/log"; return 1; }
	echo "$stamp" >"$dir/stamp"
}
