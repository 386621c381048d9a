#!/bin/bash
# SPDX-License-Identifier: MIT
# The cache directory is full, has no inodes, is read-only, is removed under load, belongs to another: objects live in memory, results
# are the same, one line of the log says so.
. "$(dirname "$0")/libfaults.sh"
[ "$(id -u)" = 0 ] || skip_all "mounts need root"
faults_begin
mkdir "$w/disk"
disk() { mount -t tmpfs -o "$1" tmpfs "$w/disk" 2>/dev/null && echo "$w/disk" >>"$w/mounts"; }
cache=$w/disk/cache

# fault NAME: the workload, cold and warm
fault() {
	local begun=$SECONDS
	: >"$w/log"
	server || return
	work "$1: cold"
	flush
	settle
	work "$1: warm"
	check "$1: programs found objects" [ "$(field .attached.ok)" -gt 0 ]
	said_once "$1: one line of the log" $((1 + (SECONDS - begun) / 60))
	healthy "$1"
	check "$1: the server ends" stop_server
	umount "$w/disk"
}
# said_once NAME TRIES: the log says it at least once, and not more often than it has tried: once a minute, of which a busy machine needs
# several for the workload.
said_once() {
	local n=0
	for _ in $(seq 50); do
		n=$(grep -c 'cache directory cannot be used' "$w/log")
		[ "$n" = 0 ] || break
		sleep 0.1
	done
	if [ "$n" -ge 1 ] && [ "$n" -le "$2" ]; then
		ktap_result ok "$1"
	else
		ktap_result "not ok" "$1"
		echo "# $n times, at most $2"
		tail -n 5 "$w/log" | sed 's/^/# log: /'
	fi
}
# Has it write now what it would write when idle.
flush() { "$dragoman" cache list >/dev/null 2>&1; }

disk size=256k || skip_all "tmpfs cannot be mounted here"
fault "full"
disk nr_inodes=6
fault "no inodes"
disk size=64m
mkdir -m 700 "$cache"
mount -o remount,ro "$w/disk"
fault "read-only"
disk size=64m
mkdir -m 777 "$cache"
chown 12345 "$cache"
fault "another's folder"

# Removed under load, then there again.
cache=$w/cache
: >"$w/log"
server
work "before the removal"
rm -rf "$cache" 2>/dev/null
work "removed"
(for i in $(seq 40); do rm -rf "$cache" 2>/dev/null; sleep 0.05; done) &
work "removed again and again"
wait $!
flush
healthy "removed"
check "the server ends" stop_server
finish
