#!/bin/bash
# SPDX-License-Identifier: MIT
#
# guest_views.c, compiled here, without a server, with one that has nothing yet, with one that has everything, and with what it has
# verified. Also: a library as other linkers lay it out. Prints KTAP.
set -u
cd "$(dirname "$0")/../../.."
. scripts/ktap.sh
build=$(realpath "${BUILD:-build}")
dragoman=$(realpath "${DRAGOMAN:-$build/dragoman}")
server=$build/tests/tool_server
cc=${GUEST_CC:-aarch64-linux-gnu-gcc}
command -v "$cc" >/dev/null || skip_all "no aarch64 cross compiler"
[ -x "$server" ] || skip_all "$server is not built (make host-tests)"
w=$(mktemp -d)
server_pid=
trap '[ -z "$server_pid" ] || kill "$server_pid"; rm -rf "$w"' EXIT

cat >"$w/answer.c" <<'END'
int other(void) { return 3; }
int answer(void) { return 41; }
END
"$cc" -O2 -shared -nostdlib -fPIC -o "$w/answer.so" "$w/answer.c" || exit 1
"$cc" -O2 -shared -nostdlib -fPIC -Wl,-z,max-page-size=4096,-z,separate-code -o "$w/separate.so" "$w/answer.c" || exit 1
"$cc" -O1 -g -std=gnu11 -D_GNU_SOURCE -pthread -static -o "$w/views" selftests/runtime/client/guest_views.c || exit 1
export DRAGOMAN_SOCKET=$w/socket

# run NAME LIBRARY: the program's lines, with numbers of our own.
run() {
	local name=$1 lib=$2 line finished=0 offset
	offset=$("${cc%gcc}nm" "$lib" | awk '$3 == "answer" { print $1 }')
	while IFS= read -r line; do
		case $line in
		"ok "*) ktap_result ok "$name: ${line#ok [0-9]* }" ;;
		"not ok "*) ktap_result "not ok" "$name: ${line#not ok [0-9]* }" ;;
		"1.."*) finished=1 ;;
		*) echo "# $line" ;;
		esac
	done < <("$dragoman" run "$w/views" "$lib" "$offset" 2>&1)
	same "$name: came to its end" 1 $finished
}

start_server() {
	"$server" "$DRAGOMAN_SOCKET" "$@" </dev/null &
	server_pid=$!
	for _ in $(seq 100); do
		[ -S "$DRAGOMAN_SOCKET" ] && return
		sleep 0.1
	done
}

run "no server" "$w/answer.so"
start_server all
run "cold server" "$w/answer.so"
sleep 0.5
run "warm server" "$w/answer.so"
run "separate segments" "$w/separate.so"
sleep 0.5
run "separate segments, warm" "$w/separate.so"
DRAGOMAN_VERIFY=1 run "verified" "$w/answer.so"
finish
