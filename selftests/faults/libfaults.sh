# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the tests of faults, sourced: a private server with its own socket and cache, and a workload of real arm64 programs whose
# output is known from a run without any server.
#
#   faults_begin            a folder $w, the workload's expected output; skip_all if something is not there
#   server [OPTIONS]        starts dragomand, waits until it listens; pid in $server, log in $w/log
#   stop_server             ends it, and checks that it goes
#   work NAME               runs the workload: a test that its output is the expected one
#   settle                  waits until the server has no work
#   healthy NAME            the server answers, and its descriptors and memory are bounded
#   logged NAME N PATTERN   exactly N lines of the log match
#   field PATH              a member of the server's status, like .cache.bytes
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. scripts/ktap.sh
export BUILD=${BUILD:-build} LC_ALL=C
unset DRAGOMAN_SERVER DRAGOMAN_VERIFY DRAGOMAN_SYSROOT
build=$(realpath "$BUILD")
dragoman=$build/dragoman
faults_packages="bash coreutils sed gawk perl-base gzip"

faults_cleanup() {
	local p
	for p in $(cat "$w/pids" 2>/dev/null); do
		kill -CONT "$p" 2>/dev/null
		kill -KILL "$p" 2>/dev/null
	done
	if [ "${KEEP:-}" ]; then
		echo "# kept: $w"
	else
		while read -r p; do umount -l "$p"; done <"$w/mounts" 2>/dev/null
		rm -rf "$w"
	fi
}

faults_begin() {
	for p in dragoman dragoman-rt dragomand; do
		[ -x "$build/$p" ] || skip_all "$p is not built"
	done
	# shellcheck disable=SC2086
	scripts/arm64-root.sh $faults_packages || skip_all "the arm64 packages cannot be fetched"
	root=$(realpath "$BUILD/arm64-root")
	w=$(mktemp -d)
	: >"$w/pids"
	: >"$w/mounts"
	trap faults_cleanup EXIT
	chmod 755 "$w"
	cp -a selftests/faults/libworkload.sh "$w/workload.sh"
	export DRAGOMAN_SOCKET=$w/run/socket
	cache=$w/cache
	mkdir -p "$w/run"
	(DRAGOMAN_SERVER=off workload) >"$w/expected" 2>/dev/null || skip_all "the workload does not run without a server"
}

# The workload itself: a shell script under an arm64 bash, with arm64 programs.
workload() {
	PATH=/usr/bin:/bin timeout -k 5 "${WORK_TIMEOUT:-120}" "$dragoman" run -L "$root" "$root/usr/bin/bash" "$w/workload.sh"
}

guest() {
	PATH=/usr/bin:/bin timeout -k 5 "${WORK_TIMEOUT:-60}" "$dragoman" run -L "$root" "$@"
}

work() {
	workload >"$w/got" 2>"$w/got.err"
	local status=$?
	if [ $status = 0 ] && cmp -s "$w/expected" "$w/got"; then
		ktap_result ok "$1"
	else
		ktap_result "not ok" "$1"
		echo "# exit status $status"
		diff "$w/expected" "$w/got" | head -n 5 | sed 's/^/# /'
		head -n 3 "$w/got.err" | sed 's/^/# stderr: /'
	fi
}

# Descriptors of a process.
descriptors() { find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l; }
# Private memory of a process, KiB.
private_kib() { awk '/^Private/ { n += $2 } END { print n + 0 }' "/proc/$1/smaps_rollup" 2>/dev/null; }

answers() { "$dragoman" status | grep -q '^server: runs'; }

# field PATH: as in jq, but only names.
field() {
	"$dragoman" status --json | python3 -c 'import json, sys
o = json.load(sys.stdin)["server"]
for name in sys.argv[1].strip(".").split("."): o = (o or {}).get(name)
print(o)' "$1"
}

# Objects that the server has in memory.
objects() {
	"$dragoman" status --json | python3 -c 'import json, sys
print(len(json.load(sys.stdin)["server"]["objects"]))'
}

# Waits for a command to succeed, at most some seconds: within SECONDS COMMAND...
within() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

server() {
	"$build/dragomand" --foreground --socket "$w/run/socket" --cache-dir "$cache" "$@" 2>>"$w/log" &
	server=$!
	echo $server >>"$w/pids"
	within 10 answers || { echo "# the server does not start:"; tail -n 3 "$w/log" | sed 's/^/# /'; return 1; }
	fds_at_start=$(descriptors $server)
}

stop_server() {
	kill -TERM "$server" 2>/dev/null
	within 25 eval "! kill -0 $server 2>/dev/null" || { kill -KILL "$server"; return 1; }
	wait "$server" 2>/dev/null
	return 0
}

kill_server() {
	kill -KILL "$server"
	wait "$server" 2>/dev/null
}

# Children of the server: workers, loaders, savers.
children() { cat "/proc/$server/task/$server/children" 2>/dev/null; }
no_children() { [ -z "$(children)" ]; }
settle() { within "${1:-30}" no_children; }

healthy() {
	check "$1: the server answers" answers
	local fds kib limit
	fds=$(descriptors "$server")
	# a few for each object and worker, and what it has open anyway
	limit=$((fds_at_start + 40 + 4 * $(objects)))
	check "$1: $fds descriptors, $limit would be too many" [ "$fds" -lt "$limit" ]
	kib=$(private_kib "$server")
	check "$1: $kib KiB of its own, at most 65536" [ "${kib:-999999}" -le 65536 ]
}

logged() {
	local n tries=0

	# the server's children may take their time, and the program that asked does not wait for them
	while n=$(grep -cE -- "$3" "$w/log"); [ "$n" -lt "$2" ] && [ $((tries += 1)) -le 50 ]; do
		sleep 0.1
	done
	same "$1" "$2" "$n"
	[ "$n" = "$2" ] || tail -n 5 "$w/log" | sed 's/^/# log: /'
}

# A command for check, of which only the exit status matters (check's own line has to be seen).
quiet() { "$@" >/dev/null 2>&1; }
