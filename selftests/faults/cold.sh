#!/bin/bash
# SPDX-License-Identifier: MIT
# 50 processes start the same cold program at once: all of them give the right result, each file is read and translated once.
. "$(dirname "$0")/libfaults.sh"
faults_begin
server || finish
program=$root/usr/bin/sha256sum
want=$(DRAGOMAN_SERVER=off guest "$program" "$w/workload.sh")
for i in $(seq 50); do
	guest "$program" "$w/workload.sh" >"$w/out.$i" 2>&1 &
	pids="${pids:-} $!"
done
bad=0
for p in $pids; do wait "$p" || bad=$((bad + 1)); done
same "failures among 50" 0 $bad
same "equal results among 50" 50 "$(grep -lxF -- "$want" "$w"/out.* | wc -l)"
check "no more objects than files: $(objects)" [ "$(objects)" -le 4 ]
check "created once each: $(field .objects_made)" [ "$(field .objects_made)" -le 4 ]
settle
same "and once more" "$want" "$(guest "$program" "$w/workload.sh")"
healthy "at the end"
stop_server
finish
