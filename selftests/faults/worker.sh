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
cp "$root/usr/bin/bash" "$w/crash"
printf 'crash' >>"$w/crash"		# another content, the same program; large, so that its worker lives long enough
crash() { guest "$w/crash" -c 'for i in 1 2 3; do echo $((i * i)); done; type cd; printf "%s-%x\n" a 77'; }
want=$(DRAGOMAN_SERVER=off crash)
settle
crashes() { field .crashes; }
before=$(crashes)
selftests/faults/crasher.py "$w/run/socket" crash &
crasher=$!
echo $crasher >>"$w/pids"
end=$((SECONDS + 60)) runs=0 bad=0
until grep -q '^dragomand: crash .*is not translated by the server any more' "$w/log" || [ $SECONDS -ge $end ]; do
	"$dragoman" translate -L "$root" "$w/crash" >/dev/null 2>&1
	[ "$(crash)" = "$want" ] || bad=$((bad + 1))
	runs=$((runs + 1))
	sleep 0.2
done
same "wrong results while the worker crashed, of $runs" 0 $bad
kill $crasher; wait $crasher 2>/dev/null
check "three crashes: $(($(crashes) - before))" [ $(($(crashes) - before)) = 3 ]
logged "one line says that it is left alone" 1 '^dragomand: crash .*is not translated by the server any more'
check "and it is: translate says so" eval "! '$dragoman' translate '$w/crash' >/dev/null 2>&1"
healthy "after crashes"
stop_server
server
check "the next server remembers" eval "! '$dragoman' translate '$w/crash' >/dev/null 2>&1"
same "it runs" "$want" "$(crash)"
stop_server

# Out of memory: the server's own limit, then the worker's.
rm -rf "$cache"
server --memory-limit 1M
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
