#!/bin/bash
# SPDX-License-Identifier: MIT
# Damaged objects on the disk: cut, bits flipped, every header member wrong (with a checksum that fits), of another CPU class, links
# in their place. Results are the same; the file is set aside or made anew; one line of the log for each.
. "$(dirname "$0")/libfaults.sh"
faults_begin
damage=$PWD/selftests/faults/damage.py

server || finish
program=$root/usr/bin/sha256sum
want=$(DRAGOMAN_SERVER=off guest "$program" "$w/workload.sh")
"$dragoman" translate -L "$root" "$program" >/dev/null
check "objects are made" [ "$(objects)" -ge 3 ]
stop_server
good=$w/good
cp -a --sparse=always "$cache" "$good"
digest=$(sha256sum "$program" | cut -d' ' -f1)
object=$(cd "$cache/objects" && ls "$digest"-*.dgo)
check "one of them is the program's" [ -n "$object" ]

# damaged NAME HOW...: with the program's object damaged, a run gives the same and one line of the log says why
damaged() {
	local name=$1 lines=$2
	shift 2
	rm -rf "$cache"; cp -a --sparse=always "$good" "$cache"
	: >"$w/log"
	python3 "$damage" "$cache/objects/$object" "$@" || { ktap_result "not ok" "$name: cannot be made"; return; }
	server --ahead none --worker-idle 0 || { ktap_result "not ok" "$name: no server"; return; }
	same "$name: same result" "$want" "$(guest "$program" "$w/workload.sh")"
	logged "$name: logged" "$lines" 'set aside'
	[ "${1}" = field ] || same "$name: same result once more" "$want" "$(guest "$program" "$w/workload.sh")"
	if ! stop_server; then
		ktap_result "not ok" "$name: the server does not end"
	fi
}

damaged "cut to nothing" 1 truncate 0
damaged "cut in the header" 1 truncate 200
damaged "cut in the index" 1 truncate 5000
damaged "cut in the middle" 1 truncate half
damaged "a bit of the index" 1 flip index
damaged "a bit of the regions" 1 flip regions
damaged "a bit of the code" 1 flip hot
damaged "a bit of the cold code" 1 flip cold
damaged "a bit of the descriptions" 1 flip meta
damaged "garbage" 1 garbage
damaged "appended bytes" 1 append
for field in $(python3 "$damage" --fields); do
	case $field in
	publish) lines=0 ;;		# counts while the worker writes; what a file has there means nothing
	file_size) lines=0 ;;		# decides nothing once the object is laid out
	*) lines=1 ;;
	esac
	damaged "header: $field" $lines field "$field"
done
damaged "object of another file under this name" 1 other
damaged "another CPU class under this name" 1 class
damaged "symbolic link to a good object" 1 symlink
damaged "symbolic link to nowhere" 1 symlink-nowhere
damaged "a pipe in its place" 1 fifo
damaged "a folder in its place" 1 folder
damaged "a hard link" 1 hardlink

# An index or region that leads astray under a right checksum: found by the check of structure.
for what in index-astray region-astray entry-astray site-astray; do
	damaged "with a right checksum: $what" 1 "$what"
done

rm -rf "$cache"; cp -a --sparse=always "$good" "$cache"
server
healthy "at the end"
check "cache verify finds nothing wrong at the end" quiet "$dragoman" cache verify "$program"
finish
