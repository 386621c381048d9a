#!/bin/bash
# SPDX-License-Identifier: MIT
# The server dies, hangs, is another one, is started twice: programs give the same results, and nothing hangs.
. "$(dirname "$0")/libfaults.sh"
faults_begin

server || finish
work "cold cache"
settle
work "warm cache"
check "programs found objects" [ "$(field .attached.ok)" -gt 0 ]
healthy "after that"

# Killed once, while programs run.
rm -rf "$cache"; kill_server
server
(sleep 0.2; kill -KILL "$server") &
work "killed once during the workload"
wait $! "$server" 2>/dev/null
work "with a dead server's socket"

# Killed again and again.
killer() {
	while :; do
		"$build/dragomand" --foreground --socket "$w/run/socket" --cache-dir "$cache" 2>>"$w/log" &
		echo $! >>"$w/pids"
		sleep 0.3
		kill -KILL $!
		wait $! 2>/dev/null
	done
}
killer 2>/dev/null &
killer=$!
for i in 1 2 3 4; do work "killed every 0.3 s: $i"; done
kill $killer; wait $killer 2>/dev/null
for p in $(cat "$w/pids"); do kill -KILL "$p" 2>/dev/null; done
check "workers end with their server" within 10 eval '! ps -e -o args | grep -q "[d]ragomand.*$w/"'

# Stopped: each request waits for its deadline, then does without.
server || finish
settle
kill -STOP "$server"
WORK_TIMEOUT=60 work "stopped server"
start=$(date +%s%N)
guest "$root/usr/bin/true"
took=$((($(date +%s%N) - start) / 1000000))
check "a start with a stopped server takes $took ms" [ $took -lt 2000 ]
kill -CONT "$server"
work "going on again"
healthy "after the stop"
check "ends on SIGTERM" stop_server

# Another translator's server: same file but for the id.
python3 - "$build" "$w/dragomand" <<'P'
import re, sys
text = open(sys.argv[1] + "/gen/translator_id.h").read()
own = bytes.fromhex(re.search(r'ID_TEXT "([0-9a-f]{64})"', text).group(1))
program = open(sys.argv[1] + "/dragomand", "rb").read()
assert own in program
open(sys.argv[2], "wb").write(program.replace(own, own[::-1]))
P
chmod +x "$w/dragomand"
before=$(find "$cache" -name '*.dgo' | wc -l)
: >"$w/log"
"$w/dragomand" --foreground --socket "$w/run/socket" --cache-dir "$cache" 2>>"$w/log" &
server=$!
echo $server >>"$w/pids"
within 10 answers
work "a server with another translator's id"
same "it gave nothing" 0 "$(field .attached.ok)"
healthy "another translator"
stop_server
same "objects of this translator stay" "$before" "$(find "$cache" -name '*.dgo' | wc -l)"
server
work "the right server again"
check "it found them" [ "$(field .attached.ok)" -gt 0 ]

# Started twice with the same socket and cache: the second one leaves the first alone.
timeout 10 "$build/dragomand" --foreground --socket "$w/run/socket" --cache-dir "$cache" 2>"$w/second"
status=$?
check "a second server ends by itself (status $status)" [ $status != 0 -a $status != 124 ]
same "with one line" 1 "$(wc -l <"$w/second")"
work "the first one is still there"
healthy "at the end"
check "ends on SIGTERM at the end" stop_server
finish
