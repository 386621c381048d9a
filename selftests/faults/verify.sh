#!/bin/bash
# SPDX-License-Identifier: MIT
# The programs of selftests/programs with a server and DRAGOMAN_VERIFY=1: everything that comes from the cache is translated again and
# compared, and each program gives what it gives on the host. Arguments pick lines, as there.
. "$(dirname "$0")/libfaults.sh"
faults_begin
server || finish
export DRAGOMAN_VERIFY=1
selftests/programs/run.sh "$@" >"$w/programs" 2>&1
status=$?
unset DRAGOMAN_VERIFY
[ $status != 4 ] || skip_all "$(tail -n 1 "$w/programs")"
grep '^not ok' "$w/programs" | head -n 20 | sed 's/^/# /'
same "programs that differ" 0 "$(grep -c '^not ok' "$w/programs")"
same "exit status of the run" 0 $status
check "programs were run: $(grep -c '^ok' "$w/programs")" [ "$(grep -c '^ok' "$w/programs")" -gt 0 ]
check "they had objects: $(field .attached.ok)" [ "$(field .attached.ok)" -gt 0 ]
same "workers that crashed" 0 "$(field .crashes)"
settle 120
"$dragoman" cache verify "$root/usr/bin" "$root/usr/lib" >"$w/verify" 2>&1
same "cache verify, every object translated again" 0 $?
tail -n 3 "$w/verify" | sed 's/^/# /'
healthy "at the end"
check "the server ends" stop_server
finish
