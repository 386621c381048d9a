# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A kernel with KASAN, lockdep, kmemleak and fault injection (debug.config), built once from Debian's linux-source and kept
# by the hash of its configuration: sourced by run. JOBS: for make -j.
#
#   debug_get      sets release, vmlinuz, kmods, module and more memory and time; 1 with the reason in $why

# What the tests rely on: without it the kernel proves nothing.
debug_needs='KASAN PROVE_LOCKING DEBUG_KMEMLEAK FAULT_INJECTION FAILSLAB KUNIT'

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

# own_fixes SOURCE: what is wrong in that kernel's User-Mode Linux and would end the proof; nothing where it is mended there.
#
# Its copies to and from user memory ask for the page table's entry again after a fault, and follow it though there was no memory
# for the table: kmod:failnth would panic UML in the native ELF loader. Who has no entry gets EFAULT, as for one that is not present.
#
# Its stack traces (at each allocation, for kmemleak and KASAN) ask of each word of the stack whether it is a module's code, under
# a lock, with two system calls of the host: milliseconds each. What cannot be code's address need not be asked.
own_fixes() {
	local um=$1/arch/um/kernel
	[ ! -e "$um/skas/uaccess.c" ] ||
		sed -i '/^static pte_t \*maybe_map(/,/^}/s/if (!pte_present(\*pte))$/if (pte \&\& !pte_present(*pte))/' "$um/skas/uaccess.c"
	[ ! -e "$um/stacktrace.c" ] ||
		sed -i 's/^\t\tif (__kernel_text_address(addr)) {/\t\tif ((core_kernel_text(addr) || (addr >= MODULES_VADDR \&\& addr < MODULES_END)) \&\&\n\t\t    __kernel_text_address(addr)) {/' "$um/stacktrace.c"
}

# own_build SOURCE OUT CONFIG NEEDS TARGETS MAKE-ARGUMENTS...: a kernel from tinyconfig and a fragment; NEEDS are options
# without which it would prove nothing.
own_build() {
	local source=$1 out=$2 config=$3 needs=$4 targets=$5 option
	shift 5
	scripts/deps.sh vm-build >&2 || { why="what a kernel's build needs could not be installed"; return 1; }
	rm -rf "$out"
	mkdir -p "$out"
	echo "# building $(basename "$out") (once; a quarter of an hour)" >&2
	{
		make -C "$source" O="$out" "$@" tinyconfig && cat $config >>"$out/.config" &&
			make -C "$source" O="$out" "$@" olddefconfig
	} >"$out/log" 2>&1 || { why="the kernel cannot be configured, see $out/log"; return 1; }
	for option in $needs; do
		grep -q "^CONFIG_$option=y" "$out/.config" || { why="the kernel would lack $option"; return 1; }
	done
	nice -n 19 make -C "$source" O="$out" "$@" -j"${JOBS:-$(nproc)}" $targets >>"$out/log" 2>&1 ||
		{ why="the kernel cannot be built, see $out/log"; return 1; }
	touch "$out/done"
}

# own_kernel PACKAGE OUT CONFIG NEEDS TARGETS MAKE-ARGUMENTS...: the same, once, from Debian's package of that source.
own_kernel() {
	local package=$1 out=$2 source
	shift 2
	[ -e "$out/done" ] && return 0
	source=$(dirname "$out")/source-${package#linux-source-}
	# Others need not wait for this, but two builds would spoil each other.
	vm_unlock
	exec 8>"$(dirname "$out")/build.lock" && flock 8
	[ -e "$out/done" ] || {
		source_get "${package#linux-source-}" "$source" && own_fixes "$source" && own_build "$source" "$out" "$@"
	} || { flock -u 8; return 1; }
	flock -u 8
	vm_lock
}

debug_get() {
	local dir stamp name
	apt=()
	stamp=$(sha256sum <selftests/vm/debug.config | cut -c 1-8)
	dir=$(realpath -m "$cache")
	name=$(apt-cache pkgnames linux-source-6 | grep -E '^linux-source-6\.(1[2-9]|[2-9][0-9])$' | sort -V | head -n 1)
	[ -n "$name" ] || { why="apt knows no linux-source-6.12 or newer here"; return 1; }
	kdir=$dir/${name#linux-source-}-debug-$stamp
	own_kernel "$name" "$kdir" selftests/vm/debug.config "$debug_needs" "bzImage modules" || return 1
	vmlinuz=$kdir/arch/x86/boot/bzImage
	release=$(cat "$kdir/include/config/kernel.release")-debug
	kmods=/nonexistent
	series=debug
	# Four times slower, and more memory for the shadow.
	vm_kunit=${VM_KUNIT-1} vm_memory=3G vm_limit=$((${VM_LIMIT:-540} * 4))
	own_module "$kdir" DRAGOMAN_KUNIT="$vm_kunit"
}

# own_module KDIR MAKE-ARGUMENTS...: the module for a kernel that was built here.
own_module() {
	local build=$1 dir stamp
	shift
	stamp="$(module_stamp) $*"
	dir=$(realpath -m "$BUILD/vm/module/$release")
	module=$dir/dragoman.ko
	[ -e "$module" ] && [ "$(cat "$dir/stamp" 2>/dev/null)" = "$stamp" ] && return 0
	rm -rf "$dir"
	mkdir -p "$dir"
	cp -r Kbuild kmod include "$dir/"
	make -C "$build" "$@" M="$dir" modules >"$dir/log" 2>&1 ||
		{ why="dragoman.ko does not build for $release, see $dir/log"; return 1; }
	echo "$stamp" >"$dir/stamp"
}
