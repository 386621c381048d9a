#!/bin/bash
# SPDX-License-Identifier: MIT
# Clients that send garbage, half messages, wrong descriptors, or hold many connections: the server answers others, and stays bounded.
. "$(dirname "$0")/libfaults.sh"
faults_begin
server || finish
for what in garbage short long types versions sizes reserved no-descriptor too-many-descriptors wrong-descriptors writable-descriptor \
	    half random misses silent many-silent disconnect flood-attach flood-miss unread stat-flood; do
	timeout 60 python3 selftests/faults/hostile.py "$w/run/socket" "$what" "$root/usr/bin/true" "$w"
	same "$what: the hostile client ends" 0 $?
	check "$what: the server lives" kill -0 "$server"
	check "$what: and answers" within 15 answers
done
work "results are the same afterwards"
settle
work "and warm"
check "programs found objects" [ "$(field .attached.ok)" -gt 0 ]
healthy "at the end"
check "the log is short: $(wc -l <"$w/log") lines" [ "$(wc -l <"$w/log")" -lt 200 ]

# No descriptor left to accept with: the server waits until there is one, without using the CPU.
soft=$(prlimit --pid "$server" --nofile --noheadings -o SOFT)
prlimit --pid "$server" --nofile=$(($(descriptors "$server") + 10)):
ticks() { awk '{ print $14 + $15 }' "/proc/$server/stat"; }
python3 - "$w/run/socket" <<'P' &
import socket, sys, time
all = []
for _ in range(60):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(1)
    try: s.connect(sys.argv[1])
    except OSError: pass
    all.append(s)
time.sleep(4)
P
holder=$!
sleep 1
before=$(ticks)
sleep 2
used=$(($(ticks) - before))
check "without descriptors: $used ticks of CPU time in 2 s" [ $used -lt 50 ]
same "a program runs meanwhile" 3 "$(guest "$root/usr/bin/expr" 1 + 2)"
wait $holder
prlimit --pid "$server" --nofile="$((soft)):"
check "and answers again" within 15 answers

# One that asks for every place of a library does not fill the library's object with it.
if [ -x "$build/tests/tool_client" ]; then
	stop_server
	rm -rf "$cache"
	server --ahead none
	full=$(timeout 300 "$build/tests/tool_client" "$w/run/socket" missall "$(realpath "$root/lib/aarch64-linux-gnu/libc.so.6")")
	echo "# $full"
	full=${full% % of the room}
	check "room is left: ${full##* } % are used" [ "${full##* }" -ge 5 -a "${full##* }" -le 35 ]
	stop_server
	server
else
	skip "a client that asks for everything" "tool_client is not built"
fi

# During it: a workload beside a client that does all that without end.
(while :; do for what in garbage random wrong-descriptors disconnect; do
	timeout 20 python3 selftests/faults/hostile.py "$w/run/socket" $what "$root/usr/bin/true" "$w"; done; done) >/dev/null 2>&1 &
load=$!
echo $load >>"$w/pids"
work "beside a hostile client: 1"
work "beside a hostile client: 2"
kill $load; wait $load 2>/dev/null
healthy "after the load"
check "the server ends" stop_server
finish
