#!/bin/bash
# SPDX-License-Identifier: MIT
# stress-ng's stressors with --verify, Debian's arm64 build. In: stressors.txt; "-a" runs all of its lines, else those that
# begin with "+"; other arguments pick lines that contain one of them. T: seconds each (1), JOBS: how many at a time
# (4), RUNNER as in run.sh. A stressor that does not succeed is tried with the host's own stress-ng: what fails or
# is not supported there in the same way is skipped.
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
export LC_ALL=C BUILD=${BUILD:-build}
RUNNER=${RUNNER:-$BUILD/dragoman run}
if [ "$RUNNER" = "$BUILD/dragoman run" ]; then
	RUNNER="$PWD/$BUILD/dragoman run"
	[ -x "$BUILD/dragoman-rt" ] || skip_all "$BUILD/dragoman-rt is not built"
fi
scripts/deps.sh stress >/dev/null || true	# the host's, to tell what cannot work here
scripts/arm64-root.sh stress-ng || skip_all "the arm64 packages cannot be fetched"
scripts/deps.sh stress >/dev/null 2>&1
root=$(realpath "$BUILD/arm64-root")
all=
[ "${1:-}" != -a ] || { all=1; shift; }
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT

# stress FOLDER STRESSOR OPTION...: leaves FOLDER/result, one word: ok, unsupported, or what went wrong.
stress() {
	local d=$1 s=$2 status
	shift 2
	mkdir -p "$d/files"
	(cd "$d/files" && exec timeout -k 2 "${STRESS_TIMEOUT:-60}" "$@" --"$s" 1 -t "${T:-1}" --verify --temp-path "$d/files" \
		"${options[@]}") >"$d/log" 2>&1 </dev/null
	status=$?
	if grep -q 'internal error' "$d/log"; then
		echo internal-error
	elif [ $status = 3 ] || [ $status = 4 ] || grep -q 'No stress workers invoked' "$d/log"; then
		echo unsupported
	elif [ $status = 0 ]; then
		echo ok
	else
		echo "status-$status"
	fi >"$d/result"
	rm -rf "$d/files"
}

run_one() {
	local d=$1 name=$2 options
	shift 2
	options=("$@")
	# shellcheck disable=SC2086
	stress "$d/guest" "$name" $RUNNER -L "$root" "$root/usr/bin/stress-ng"
	if [ "$(cat "$d/guest/result")" != ok ] && command -v stress-ng >/dev/null; then
		stress "$d/host" "$name" stress-ng
	fi
}

report() {
	local d=$1 line=$2 guest host=
	guest=$(cat "$d/guest/result")
	[ ! -e "$d/host/result" ] || host=$(cat "$d/host/result")
	if [ "$guest" = ok ]; then
		ktap_result ok "$line"
	elif [ "$guest" = "$host" ]; then
		skip "$line" "the host's: $(sed -n 's/^stress-ng: [a-z]*: *\[[0-9]*\] //; /fail\|skip\|cannot\|error/{p;q}' "$d/host/log" | cut -c 1-100)"
	else
		ktap_result "not ok" "$line: $guest, host ${host:-not installed}"
		grep -v 'info: ' "$d/guest/log" | head -n 6 | cut -c 1-200 | sed 's/^/# /'
	fi
}

lines=()
while read -r mark line; do
	[[ $mark == [+-] ]] || continue
	[ $mark = + ] || [ $all ] || [ $# != 0 ] || continue
	hit=
	for p; do [[ $line == *"$p"* ]] && hit=1; done
	[ $# = 0 ] || [ $hit ] || continue
	lines+=("$line")
done <selftests/programs/stressors.txt

for i in "${!lines[@]}"; do
	while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-4}" ]; do wait -n; done
	# shellcheck disable=SC2086
	run_one "$w/$i" ${lines[i]} &
done
wait
for i in "${!lines[@]}"; do
	report "$w/$i" "${lines[i]}"
done
finish
