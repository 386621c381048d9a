# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# User-Mode Linux from the newest linux-source of Debian unstable: a kernel as a process of this system, whose programs run at
# the machine's own speed. Built once and kept by the hash of its configuration. Sourced by run, after libdebug.sh.
#
#   uml_get [debug]   plain (uml.config), or with KASAN, lockdep, kmemleak and fault injection (debug.config on top). Sets release,
#                     linux, module; 1 with the reason in $why

uml_get() {
	local dir name stamp config=selftests/vm/uml.config needs='SMP MODULE_UNLOAD MEMCG USER_NS' kind=uml
	if [ "${1:-}" = debug ]; then
		config="$config selftests/vm/debug.config" needs="$needs $debug_needs" kind=uml-debug
		vm_kunit=${VM_KUNIT-1} vm_memory=2G vm_limit=$((${VM_LIMIT:-540} * 3))
	fi
	dir=$(realpath -m "$cache")
	stamp=$({ cat $config; [ $kind = uml ] || declare -f own_fixes; } | sha256sum | cut -c 1-8)
	name=$(find -L "$dir" -maxdepth 2 -path "$dir/*-$kind-$stamp/done" | sort -V | tail -n 1)
	if [ -n "$name" ] && [ -z "${VM_UPDATE:-}" ]; then
		kdir=$(dirname "$name")
	else
		apt_newest || return 1
		name=$(apt-cache "${apt[@]}" pkgnames linux-source- | grep -E '^linux-source-[0-9.]+$' | sort -V | tail -n 1)
		# Older ones have one processor, or do not run on a processor with many registers.
		dpkg --compare-versions "${name#linux-source-}" ge 7.2 || { why="apt knows no linux-source-7.2 or newer"; return 1; }
		kdir=$dir/${name#linux-source-}-$kind-$stamp
		own_kernel "$name" "$kdir" "$config" "$needs" "linux modules" ARCH=um || return 1
	fi
	linux=$kdir/linux
	release=$(cat "$kdir/include/config/kernel.release")-$kind
	kmods=/nonexistent series=$kind vm_out=/dev/tty1
	own_module "$kdir" ARCH=um DRAGOMAN_KUNIT="${vm_kunit:-}"
}

# uml_boot FOLDER: as boot(), with the same files.
uml_boot() {
	local dir=$1 memory=/dev/shm
	# Its memory is a file that has to be executable. Its root is ramfs if not told, whose files no server translates for all.
	[ "$(df --output=avail -BM "$memory" 2>/dev/null | tail -n 1 | tr -dc 0-9)" -gt 2500 ] 2>/dev/null || memory=$dir
	env -i HOME=/ PATH=/usr/bin:/bin TMPDIR="$memory" timeout -k 10 "$vm_limit" "$linux" mem="${vm_memory:-1G}" ncpus=2 \
		initrd="$dir/initrd" uml_dir="$dir/" umid=uml seccomp=on con=null ssl=null con0=null,fd:1 con1=null,fd:3 \
		rootfstype=tmpfs loglevel=6 oops=panic ${vm_append:-} </dev/null >"$dir/console" 2>"$dir/uml.log" 3>"$dir/ktap"
}
