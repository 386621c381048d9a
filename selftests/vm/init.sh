#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The first process of a virtual machine: loads the module, runs the suites, unloads, ends the machine. In: /vm.conf
# (set by run.sh: suites, tests, out, faults). Out: KTAP on the second serial line ($out), the kernel's log on the
# first. Lines "vm: ..." are results of this script itself.
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm /tmp /root /run /etc /var/tmp
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
[ -e /dev/stdout ] || ln -s /proc/self/fd/1 /dev/stdout
ln -sf /proc/mounts /etc/mtab
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
mkdir -p /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
ip link set lo up 2>/dev/null
chmod 666 /dev/null /dev/zero /dev/full /dev/random /dev/urandom 2>/dev/null
. /vm.conf

stty -F "$out" raw -echo 2>/dev/null
exec >"$out" 2>&1 </dev/null
n=0
result() { n=$((n + 1)); echo "vm: $1 $n $2"; echo "dragoman-vm: $1 $2" >/dev/kmsg; }
say() { echo "# $*"; }

# What the tests may use, if this kernel has it.
for m in overlay fuse binfmt_misc; do
	[ -e /modules/$m.ko ] && insmod /modules/$m.ko
done
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null
echo /tmp/core.%p >/proc/sys/kernel/core_pattern
echo 0 >/proc/sys/kernel/printk_ratelimit 2>/dev/null

say "kernel $(uname -r), $(nproc) processors, $(awk '/MemTotal/ { print $2 }' /proc/meminfo) kB"

load() { insmod /dragoman.ko $params && [ -e /sys/module/dragoman ]; }
# Closing is asynchronous in the kernel (delayed fput), so a module may be busy a moment longer.
unload() {
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		rmmod dragoman 2>/dev/null
		[ -e /sys/module/dragoman ] || return 0
		usleep 500000
	done
	say "refcnt $(cat /sys/module/dragoman/refcnt)"
	return 1
}

if load; then result ok "module loads"; else result "not ok" "module loads"; fi
if unload; then result ok "module unloads unused"; else result "not ok" "module unloads unused"; fi
for cycle in $(seq "${cycles:-20}"); do
	load && unload || { result "not ok" "load and unload, cycle $cycle"; break; }
done
[ -e /sys/module/dragoman ] || result ok "load and unload $cycle times"
load

export DRAGOMAN_MODULE=/dragoman.ko $env
if [ -x /kselftest/run_kselftest.sh ]; then
	args=
	for s in $suites; do
		case $s in
		*:*) args="$args -t $s" ;;
		*) args="$args -c $s" ;;
		esac
	done
	echo "vm: kselftest begins"
	/kselftest/run_kselftest.sh $args
	echo "vm: kselftest ends"
fi

# rmmod while something still holds the module must have failed in the tests; by now all are gone.
if [ -e /sys/module/dragoman ]; then
	if unload; then result ok "module unloads at the end"; else result "not ok" "module unloads at the end"; fi
else
	result "not ok" "module still there at the end"
fi
if [ -e /sys/kernel/debug/kmemleak ]; then
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	cat /sys/kernel/debug/kmemleak >/tmp/leaks
	if grep -q 'unreferenced object' /tmp/leaks; then
		head -n 100 /tmp/leaks
		result "not ok" "kmemleak"
	else
		result ok "kmemleak"
	fi
fi
echo "vm: end"
sync
exec reboot -f
