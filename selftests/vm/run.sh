#!/bin/bash
# SPDX-License-Identifier: MIT
#
# run.sh [-k KERNEL]... [SUITE...]: boots Debian's kernels in qemu with the module and the kselftests, and prints what
# came out as KTAP. KERNEL: 6.1, 6.12, newest, debug, uml; without -k 6.1 and 6.12. SUITE: a collection (exec, kmod) or one
# test of it (kmod:device); without any, all. In the environment: VM_LIMIT seconds for each machine, VM_UPDATE=1 looks
# for newer kernel packages. Each machine's log stays in build/vm/run/RELEASE.
set -u
cd "$(dirname "$0")/../.."
export BUILD=${BUILD:-build} LC_ALL=C
. selftests/vm/libkernel.sh
. selftests/vm/librun.sh
. selftests/vm/libdebug.sh

kernels=()
while getopts k: option; do
	case $option in
	k) kernels+=("$OPTARG") ;;
	*) echo "usage: run.sh [-k KERNEL]... [SUITE...]" >&2; exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ ${#kernels[@]} = 0 ] && kernels=(6.1 6.12)
suites=$*
vm_limit=${VM_LIMIT:-540}

skip() { emit ok "$1 # SKIP $2"; }
skip_all() { echo "$1"; exit 4; }

[ "$(id -u)" = 0 ] || skip_all "virtual machines are made as root (mknod, chroot)"
scripts/deps.sh vm >&2 || skip_all "what the virtual machines need could not be installed"
mkdir -p "$vmdir"
vm_programs || skip_all "$why"

for kernel in "${kernels[@]}"; do
	case $kernel in
	debug | uml) debug_get "$kernel" ;;
	*) kernel_get "$kernel" && kernel_module ;;
	esac || {
		case $why in
		*"does not build"*) emit "not ok" "$kernel: $why" ;;
		*) skip "$kernel" "$why" ;;
		esac
		continue
	}
	vm_run
done
echo "1..$vm_n"
[ "${vm_bad:-0}" = 0 ]
