#!/bin/bash
# SPDX-License-Identifier: MIT
# Workers are killed, crash again and again on one file (which is then left alone, also by the next server), run out of memory.
. "$(dirname "$0")/libfaults.sh"
faults_begin
server || finish

# hit SIGNAL N: sends it to the server's children, N times, as they appear
hit() {
	local n=0 end=$((SECONDS + 30)) p
	while [ $n -lt "$2" ] && [ $SECONDS -lt $end ]; do
		for p in $(children); do
			kill "-$1" "$p" 2>/dev/null && n=$((n + 1))
		done
		sleep 0.02
	done
}

hit KILL 5 &
work "children killed, cold"
wait $!
settle
work "and warm"
healthy "killed children"

# One file's worker crashes each time that it has one.
cp "$root/usr/bin/sha256sum" "$w/crash"
printf 'crash' >>"$w/crash"		# another content, the same program
want=$(DRAGOMAN_SERVER=off guest "$root/usr/bin/sha256sum" "$w/workload.sh")
settle
crashes() { field .crashes; }
before=$(crashes)
crasher() {
	local p
	while :; do
		for p in $(children); do
			tr '\0' ' ' 2>/dev/null <"/proc/$p/cmdline" | grep -q . && kill -SEGV "$p" 2>/dev/null
		done
		sleep 0.01
	done
}
crasher &
crasher=$!
for i in 1 2 3 4 5 6 7 8; do
	same "crashing worker: run $i" "$want" "$(guest "$w/crash" "$w/workload.sh")"
	"$dragoman" translate -L "$root" "$w/crash" >/dev/null 2>&1
	sleep 0.3
done
kill $crasher; wait $crasher 2>/dev/null
check "crashes were seen: $(($(crashes) - before))" [ $(($(crashes) - before)) -ge 3 ]
check "but it was not tried without end" [ $(($(crashes) - before)) -le 30 ]
logged "one line says that it is left alone" 1 "left alone|never|quarantine"
check "and it is: translate says so" eval "! '$dragoman' translate '$w/crash' >/dev/null 2>&1"
healthy "after crashes"
stop_server
server
check "the next server remembers" eval "! '$dragoman' translate '$w/crash' >/dev/null 2>&1"
same "it runs" "$want" "$(guest "$w/crash" "$w/workload.sh")"
stop_server

# Out of memory: the server's own limit, then the worker's.
rm -rf "$cache"
server --memory 1
work "a memory limit of 1 MiB"
work "once more"
healthy "memory limit"
stop_server
rm -rf "$cache"
server
starve() { while :; do for p in $(children); do prlimit --pid "$p" --as=1000000 2>/dev/null; done; sleep 0.01; done; }
starve &
starve=$!
work "workers without memory, cold"
kill $starve; wait $starve 2>/dev/null
work "and with"
healthy "out of memory"
check "the server ends" stop_server
finish
