#!/bin/bash
# SPDX-License-Identifier: MIT
#
# check.sh [PATTERN...]: make check. Installs what is missing, builds, runs all tests or those whose name contains a
# PATTERN. Tests are: host unit tests (build/tests/test_*), in-guest programs (build/guest/*, through `dragoman run`)
# and scripts (selftests/**/*.sh but lib*.sh). Out: a line for each, then the skipped ones with their reasons, then
# "N passed, N failed, N skipped"; exit 1 if any failed.
#
# A test is one result by its exit status (0 passed; 4 or 77 skipped, its last line is the reason; else failed), or,
# if it prints KTAP lines ("ok 1 name", "not ok 2 name", "ok 3 name # SKIP reason"), one for each of them.
set -u
cd "$(dirname "$0")/.."
export BUILD=${BUILD:-build} LC_ALL=C
export DRAGOMAN=${DRAGOMAN:-$BUILD/dragoman}
guest_runner=${GUEST_RUNNER:-$DRAGOMAN run}	# words: GUEST_RUNNER=qemu-aarch64 checks the programs themselves
export DRAGOMAN_SOCKET=/nonexistent	# no server but those that tests start: see ktap.sh
limit=${TEST_TIMEOUT:-600}
logs=$BUILD/check
passed=0 failed=0 skipped=0
skip_notes=()
patterns=("$@")

fail() { failed=$((failed + 1)); echo "not ok  $1: $2"; }
skip() { skipped=$((skipped + 1)); skip_notes+=("$1: $2"); echo "skip    $1: $2"; }
pass() { passed=$((passed + 1)); }

wanted() {
	[ ${#patterns[@]} = 0 ] && return 0
	for p in "${patterns[@]}"; do
		[[ $1 == *"$p"* ]] && return 0
	done
	return 1
}

# count_ktap NAME LOG STATUS: false if there are no KTAP lines. Indented lines are parts of a test, not tests.
count_ktap() {
	local name=$1 log=$2 status=$3 ok=0 bad=0 plan line
	grep -qaE '^(not )?ok [0-9]' "$log" || return 1
	while IFS= read -r line; do
		if [[ $line == not\ ok* && $line != *"# TODO"* ]]; then
			bad=$((bad + 1)) failed=$((failed + 1))
			[ $bad -le 20 ] && echo "not ok  $name: ${line#not ok }"
		elif [[ $line == *"# SKIP"* ]]; then
			ok=$((ok + 1))
			line=${line#ok }
			skip "$name" "${line/\# SKIP/:}"
		else
			ok=$((ok + 1))
			pass
		fi
	done < <(grep -aE '^(not )?ok [0-9]' "$log")
	[ $bad -le 20 ] || echo "        $name: $((bad - 20)) more"
	plan=$(grep -aoE '^1\.\.[0-9]+' "$log" | head -n 1)
	if [ -n "$plan" ] && [ $((ok + bad)) -lt "${plan#1..}" ]; then
		fail "$name" "stopped after $((ok + bad)) of ${plan#1..} (exit status $status), see $log"
	elif [ "$status" != 0 ] && [ $bad = 0 ]; then
		fail "$name" "exit status $status, see $log"
	elif [ $bad != 0 ]; then
		echo "        see $log"
	else
		echo "ok      $name ($ok)"
	fi
}

# run_test NAME COMMAND...
run_test() {
	local name=$1 log status limit=$limit
	shift
	wanted "$name" || return 0
	# A machine has its own limit, and may have to be fetched before.
	[[ $name == vm/* ]] && limit=$((limit * 4))
	log=$logs/${name//\//_}.log
	timeout -k 10 "$limit" "$@" >"$log" 2>&1 </dev/null
	status=$?
	if [ $status = 124 ] || [ $status = 137 ]; then
		count_ktap "$name" "$log" 0 >/dev/null
		fail "$name" "no end after $limit s, see $log"
	elif [ $status = 4 ] || [ $status = 77 ]; then
		skip "$name" "$(tail -n 1 "$log")"
	elif count_ktap "$name" "$log" $status; then
		:
	elif [ $status = 0 ]; then
		pass
		echo "ok      $name"
	else
		fail "$name" "exit status $status, see $log"
		tail -n 5 "$log" | sed 's/^/        /'
	fi
}

finish() {
	if [ ${#skip_notes[@]} != 0 ]; then
		echo
		echo "skipped:"
		printf '  %s\n' "${skip_notes[@]}"
	fi
	echo
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
	exit
}

guest_tests() {
	local source name
	for source in selftests/guest/aarch64/linux/*.[cS]; do
		name=$(basename "${source%.*}")
		[[ -e $source && $name != lib* ]] || continue
		if ! command -v "${GUEST_CC:-aarch64-linux-gnu-gcc}" >/dev/null; then
			wanted "guest/$name" && skip "guest/$name" "no aarch64 cross compiler"
		else
			run_test "guest/$name" $guest_runner "$BUILD/guest/$name"
		fi
	done
}

mkdir -p "$logs"
scripts/deps.sh build check || echo "check: some of what tests need could not be installed; they say so"

# Build what builds, so that one folder's mistake does not hide the others' results.
if make -s -k -j"$(nproc)" BUILD="$BUILD" all tests >"$logs/build.log" 2>&1; then
	pass
	echo "ok      build"
else
	fail build "see $logs/build.log"
	grep -aE 'error:|undefined reference|\*\*\*' "$logs/build.log" | head -n 20 | sed 's/^/        /'
fi
run_test layers python3 -B scripts/check-layers.py
if ls -d /usr/src/linux-headers-*-amd64 /lib/modules/*/build >/dev/null 2>&1; then
	run_test kmod make -s kmod BUILD="$BUILD" W=1 KCFLAGS=-Werror
else
	wanted kmod && skip kmod "no kernel headers are installed (linux-headers-amd64)"
fi

for source in $(find selftests -name 'test_*.c' -not -path '*/linux/*' | sort); do
	name=$(basename "${source%.c}")
	run_test "$(dirname "${source#selftests/}")/$name" "$BUILD/tests/$name"
done
guest_tests
for script in $(find selftests -name '*.sh' -not -name 'lib*.sh' | sort); do
	name=${script#selftests/}
	run_test "${name%.sh}" "$script"
done
finish
