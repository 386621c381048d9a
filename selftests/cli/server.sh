#!/bin/bash
# SPDX-License-Identifier: MIT
# The user's own server: `dragoman run` starts it, once, and uses it; not when told otherwise; it ends when idle; it leaves no trace in
# the program that was run.
. "$(dirname "$0")/../faults/libfaults.sh"
faults_begin
[ ! -S /run/dragoman/socket ] || skip_all "a system's server is there"
! grep -q '@dragoman/socket' /proc/net/unix || skip_all "a system's server is there"
unset DRAGOMAN_SOCKET
export XDG_RUNTIME_DIR=$w/xdg XDG_CACHE_HOME=$w/home
mkdir -m 700 "$w/xdg" "$w/home"
own() { field .pid 2>/dev/null; }
none() { [ ! -S "$w/xdg/dragoman/socket" ]; }

same "--no-server" 3 "$(PATH=/usr/bin "$dragoman" run --no-server -L "$root" "$root/usr/bin/expr" 1 + 2)"
check "--no-server starts none" none
same "DRAGOMAN_SERVER=off" 3 "$(DRAGOMAN_SERVER=off guest "$root/usr/bin/expr" 1 + 2)"
check "DRAGOMAN_SERVER=off starts none" none
same "DRAGOMAN_SOCKET names another" 3 "$(DRAGOMAN_SOCKET=$w/none guest "$root/usr/bin/expr" 1 + 2)"
check "then none is started" none

# Several at once start one.
for i in 1 2 3 4 5 6; do guest "$root/usr/bin/expr" 1 + "$i" >"$w/out.$i" 2>&1 & done
wait
check "the results" [ "$(cat "$w"/out.* | tr '\n' ' ')" = "2 3 4 5 6 7 " ]
check "a server is there" within 10 answers
pid=$(own)
echo "$pid" >>"$w/pids"
sleep 0.5
same "only one" 1 "$(pgrep -x -f "dragomand --user" --ns $$ 2>/dev/null | while read -r p; do
	grep -qz "XDG_RUNTIME_DIR=$w/xdg" "/proc/$p/environ" && [ "$(awk '/^PPid/ {print $2}' "/proc/$p/status")" = 1 ] && echo "$p"; done | wc -l)"
same "it is the user's own" "$(id -u)" "$(field .uid)"
for i in 1 2 3; do guest "$root/usr/bin/expr" 1 + 2 >/dev/null; sleep 0.3; done
same "the same one still" "$pid" "$(own)"
check "it is of use" [ "$(field .attached.ok)" -gt 0 ]
check "its cache is the user's" [ -d "$w/home/dragoman/objects" ]
# The program has no child that it did not make, and no descriptor of the server's.
show() { guest "$root/usr/bin/bash" -c 'for f in /proc/self/fd/*; do [ -e "$f" ] && printf "%s " "${f##*/}"; done'; }
same "no descriptor of it in the program" "$(DRAGOMAN_SERVER=off show)" "$(show)"
same "no child to wait for" 127 "$(guest "$root/usr/bin/bash" -c 'wait -n; echo $?')"
kill -TERM "$pid"
check "ends on SIGTERM" within 20 eval "! kill -0 $pid 2>/dev/null"

# Of another version: it ends when it is in the way, and the right one takes its place.
python3 - "$build" "$w/dragomand" <<'P'
import re, sys
text = open(sys.argv[1] + "/gen/translator_id.h").read()
own = bytes.fromhex(re.search(r'ID_TEXT "([0-9a-f]{64})"', text).group(1))
program = open(sys.argv[1] + "/dragomand", "rb").read()
assert own in program
open(sys.argv[2], "wb").write(program.replace(own, own[::-1]))
P
chmod +x "$w/dragomand"
"$w/dragomand" --user
old=$(own)
echo "$old" >>"$w/pids"
check "one of another version: status says so" eval '"$dragoman" status | grep -q "warning: it is another build"'
replaced() {
	[ "$(guest "$root/usr/bin/expr" 1 + 2)" = 3 ] || return 2
	! kill -0 "$old" 2>/dev/null && [ "$(own)" ] && [ "$(own)" != "$old" ]
}
check "one of another version is replaced" within 30 replaced
pid=$(own)
echo "$pid" >>"$w/pids"
replaced
sleep 3
replaced
check "by one that is of use" [ "$(field .attached.ok)" -gt 0 ]
kill -TERM "$pid"
check "which ends on SIGTERM" within 20 eval "! kill -0 $pid 2>/dev/null"

# Idle.
"$build/dragomand" --user --idle-exit=1
same "in the background: exit status" 0 $?
pid=$(own)
echo "$pid" >>"$w/pids"
check "ends when idle" within 15 eval "! kill -0 $pid 2>/dev/null"

# As a service: sd_notify(3), and the watchdog at least twice in its time.
notified() {
	timeout 60 python3 - "$w" "$build/dragomand" <<'EOF'
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1] + "/notify")
s.settimeout(20)
env = dict(os.environ, NOTIFY_SOCKET=sys.argv[1] + "/notify", WATCHDOG_USEC="2000000")
p = subprocess.Popen([sys.argv[2], "--foreground", "--socket=" + sys.argv[1] + "/service", "--cache-dir="], env=env, stderr=subprocess.DEVNULL)
seen = []
try:
    while seen.count("WATCHDOG=1") < 3:
        seen += s.recv(4096).decode().split()
except socket.timeout:
    pass
p.terminate()
p.wait()
print(seen[0], seen.count("WATCHDOG=1") >= 3) if seen else print("nothing")
EOF
}
same "as a service: it says that it is ready and alive" "READY=1 True" "$(notified)"
finish
