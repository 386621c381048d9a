#!/bin/bash
# SPDX-License-Identifier: MIT
# A user's own file system that never answers hangs that user's requests and nobody else's; the server ends as always.
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
b=$(realpath "${BUILD:-build}")
[ -x "$b/dragomand" ] && [ -x "$b/tests/tool_client" ] || skip_all "dragomand or tool_client is not built"
[ "$(id -u)" = 0 ] && [ -c /dev/fuse ] || skip_all "needs root and FUSE"
command -v aarch64-linux-gnu-gcc >/dev/null || [ -x "$b/guest/files" ] || skip_all "no guest program"
w=$(mktemp -d)
chmod 755 "$w"
server='' hanging=''
cleanup() {
	[ -n "$server" ] && kill -9 "$server" 2>/dev/null
	[ -n "$hanging" ] && kill -9 $hanging 2>/dev/null
	umount -l "$w/read" "$w/flush" "$w/fine" 2>/dev/null
	rm -rf "$w"
}
trap cleanup EXIT

for f in "$b"/guest/*; do [ -f "$f" ] && [ -x "$f" ] && case $f in *.d) ;; *) guest=$f; break ;; esac; done
cp "$guest" "$w/plain" && cp "$b/tests/tool_client" "$w/client" || exit 1
mkdir "$w/read" "$w/flush" "$w/fine"
touch -d @1000 "$w/plain"
printf 'int main(void) { return 7; }\n' >"$w/seven.c"
${GUEST_CC:-aarch64-linux-gnu-gcc} -static -o "$w/seven" "$w/seven.c" || skip_all "no cross compiler"
touch -d @1000 "$w/seven"
for h in read flush fine; do
	file=$guest
	[ $h != fine ] || file=$w/seven
	p=$(timeout 60 python3 -B selftests/server/hangfs.py "$w/$h" "$file" $h) || skip_all "FUSE cannot be mounted"
	hanging="$hanging $p"
done
"$b/dragomand" --foreground --socket="$w/s" --cache-dir="$w/cache" 2>"$w/log" &
server=$!
for _ in $(seq 100); do [ -S "$w/s" ] && break; sleep 0.1; done

as() { setpriv --reuid="$1" --regid="$1" --clear-groups timeout -s KILL "${3:-60}" "$w/client" "$w/s" attach "$2"; }
others() { as 4002 "$w/plain" 30 | grep -q ': ok'; }
root() { timeout 30 "$b/tests/tool_client" "$w/s" status >/dev/null; }
# The client itself may hang in close() and not even die: it is left to itself.
hostile() { (as "$1" "$2" 8 >/dev/null 2>&1) & sleep 5; }

check "served before" others
hostile 4001 "$w/flush/guest"
check "others are served while a close hangs" others
hostile 4003 "$w/read/guest"
check "others are served while a read hangs" others
check "root is served" root
# The server trusts root's descriptors: so none of such a file system comes from there.
asked() { "$b/dragoman" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["server"]["attached"]["files"])'; }
export DRAGOMAN_SOCKET=$w/s
timeout 60 "$b/dragoman" run "$w/seven"
before=$(asked)
check "root's programs are asked for: $before" [ "$before" -gt 0 ]
timeout 60 "$b/dragoman" run "$w/fine/guest"
same "a program of a user's file system runs" 7 $?
same "and the server does not get it" "$before" "$(asked)"
same "the supervisor does not hang" S "$(awk '{print $3}' "/proc/$server/stat" | tr R S)"
kill $server
for _ in $(seq 300); do [ -d "/proc/$server" ] || break; sleep 0.1; done
same "it ends when told to" no "$([ -d "/proc/$server" ] && echo yes || echo no)"
sed 's/^/# /' "$w/log"
finish
