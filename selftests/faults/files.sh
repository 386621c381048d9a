#!/bin/bash
# SPDX-License-Identifier: MIT
# Guest files change: replaced in place, with equal size and times, by rename while mapped, under overlayfs. What runs is always
# what the file holds when it is started.
. "$(dirname "$0")/libfaults.sh"
faults_begin
[ "$(command -v "${GUEST_CC:-aarch64-linux-gnu-gcc}")" ] || skip_all "no aarch64 cross compiler"
cat >"$w/say.c" <<'C'
#include <stdio.h>
#include <unistd.h>
static volatile int n = 3;
int answer(int k) { return k * VALUE; }
int main(int argc, char **argv)
{
	int sum = 0;

	for (int i = 0; i < 1000; i++)
		sum += answer(n);
	printf("%d\n", sum);
	if (argc > 1) {
		fflush(stdout);
		while (!access(argv[1], F_OK))
			usleep(10000);
		printf("%d\n", answer(n));
	}
	return 0;
}
C
for v in 11 13; do ${GUEST_CC:-aarch64-linux-gnu-gcc} -O1 -static -DVALUE=$v -o "$w/say.$v" "$w/say.c" || skip_all "it does not compile"; done
size() { stat -c %s "$1"; }
same "both have one size" "$(size "$w/say.11")" "$(size "$w/say.13")"
say() { DRAGOMAN_SOCKET=$DRAGOMAN_SOCKET timeout 30 "$dragoman" run "$@"; }
server || finish

# warm FILE VALUE: run until its object is in use
warm() {
	same "$1" "$2" "$(say "$3")"
	settle 20
	same "$1, warm" "$2" "$(say "$3")"
}
cp "$w/say.11" "$w/p"
warm "a program" 33000 "$w/p"
cat "$w/say.13" >"$w/p"
warm "replaced in place" 39000 "$w/p"

cp -p "$w/p" "$w/times"
cat "$w/say.11" >"$w/p"
touch -r "$w/times" "$w/p"
warm "equal size and mtime" 33000 "$w/p"
for i in 1 2 3 4 5 6; do
	v=$((i % 2 ? 13 : 11))
	cat "$w/say.$v" >"$w/p"; touch -r "$w/times" "$w/p"
	same "again and again: $i" $((v * 3000)) "$(say "$w/p")"
done

# As dpkg does it: a new file by that name, while the old one runs.
cat "$w/say.11" >"$w/p"
touch "$w/flag"
say "$w/p" "$w/flag" >"$w/old" &
within 10 eval "[ -s '$w/old' ]"
cp "$w/say.13" "$w/p.new"
mv "$w/p.new" "$w/p"
same "upgraded while mapped: the new one" 39000 "$(say "$w/p")"
rm "$w/flag"
wait $!
same "upgraded while mapped: the old one goes on" "33000
33" "$(cat "$w/old")"

# Written through a shared mapping: ctime moves when the kernel writes back, or at msync.
cp "$w/say.11" "$w/p"
warm "before a write by mmap" 33000 "$w/p"
python3 - "$w/p" "$w/say.13" <<'P'
import mmap, sys
new = open(sys.argv[2], "rb").read()
with open(sys.argv[1], "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
    m[:] = new
    m.flush()
P
warm "written through a mapping" 39000 "$w/p"

# On tmpfs a store through a mapping changes no time at all.
mkdir -p "$w/t"
if [ "$(id -u)" = 0 ] && mount -t tmpfs tmpfs "$w/t" 2>/dev/null; then
	echo "$w/t" >>"$w/mounts"
	cp "$w/say.11" "$w/t/p"
	# The first start only shows that it is new, the second where it is, the third what it holds.
	warm "tmpfs" 33000 "$w/t/p"
	settle 20
	warm "tmpfs, again" 33000 "$w/t/p"
	settle 20
	hits=$(field .attached.hits)
	same "tmpfs: runs from the cache" 33000 "$(say "$w/t/p")"
	check "tmpfs: that was a hit" [ "$(field .attached.hits)" -gt "$hits" ]
	for n in 13 11 13; do
		python3 - "$w/t/p" "$w/say.$n" <<'P'
import mmap, os, sys
new = open(sys.argv[2], "rb").read()
before = os.stat(sys.argv[1]).st_ctime_ns
with open(sys.argv[1], "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
    m[:] == new		# read first: then nothing notices the store
    m[:] = new
print("# ctime", "moved" if os.stat(sys.argv[1]).st_ctime_ns != before else "stayed")
P
		warm "tmpfs: written through a mapping ($n)" $((n * 3000)) "$w/t/p"
	done
	# A writer who is still there may store at any time.
	python3 - "$w/t/p" "$w/say.11" "$w/go" "$w/ready" <<'P' &
import mmap, os, sys, time
new = open(sys.argv[2], "rb").read()
with open(sys.argv[1], "r+b") as f:
    m = mmap.mmap(f.fileno(), 0)
m[:] == new
open(sys.argv[4], "w")
while not os.path.exists(sys.argv[3]):
    time.sleep(0.05)
m[:] = new
open(sys.argv[4], "w").write("done")
time.sleep(60)
P
	writer=$!
	echo $writer >>"$w/pids"
	within 20 [ -e "$w/ready" ]
	warm "tmpfs: mapped for writing, and nothing written yet" 39000 "$w/t/p"
	: >"$w/go"
	within 20 [ -s "$w/ready" ]
	warm "tmpfs: written by somebody who still has it" 33000 "$w/t/p"
	kill $writer
	wait $writer 2>/dev/null
	umount -l "$w/t"
else
	skip "tmpfs" "mounts need root"
fi

# overlayfs: the lower layer's file, then copied up by a write.
mkdir -p "$w/o/lower" "$w/o/upper" "$w/o/work" "$w/o/merged"
if [ "$(id -u)" = 0 ] && mount -t tmpfs tmpfs "$w/o" 2>/dev/null; then
	echo "$w/o" >>"$w/mounts"
	mkdir -p "$w/o/lower" "$w/o/upper" "$w/o/work" "$w/o/merged"
	cp "$w/say.11" "$w/o/lower/p"
	if mount -t overlay -o "lowerdir=$w/o/lower,upperdir=$w/o/upper,workdir=$w/o/work" overlay "$w/o/merged" 2>/dev/null; then
		sed -i "1i $w/o/merged" "$w/mounts"
		warm "overlayfs, lower" 33000 "$w/o/merged/p"
		touch -r "$w/o/merged/p" "$w/times"
		cat "$w/say.13" >"$w/o/merged/p"
		touch -r "$w/times" "$w/o/merged/p"
		warm "overlayfs, copied up" 39000 "$w/o/merged/p"
		cat "$w/say.11" >"$w/o/merged/p"
		touch -r "$w/times" "$w/o/merged/p"
		warm "overlayfs, upper replaced in place" 33000 "$w/o/merged/p"
		cp "$w/say.13" "$w/o/merged/q"; mv "$w/o/merged/q" "$w/o/merged/p"
		warm "overlayfs, renamed over" 39000 "$w/o/merged/p"
		umount "$w/o/merged"
	else
		skip "overlayfs" "cannot be mounted here"
	fi
	umount -l "$w/o"
else
	skip "overlayfs" "mounts need root"
fi

# A disk can be made by a user, too: an image or a stick. Another one, later, has the same device number, and inode and times as they are written
# there, but another content: what was learned from the first must not be believed for another user.
swap_blocks() {		# IMAGE FROM TO: in the image, blocks of one file become the other's
	python3 - "$@" <<'P'
import sys
image, a, b = (open(f, "rb").read() for f in sys.argv[1:])
out = bytearray(image)
for at in range(0, len(a), 1024):
    x, y = a[at:at + 1024], b[at:at + 1024]
    if x != y:
        n = image.find(x)
        assert n >= 0 and image.find(x, n + 1) < 0
        out[n:n + len(y)] = y
open(sys.argv[1], "wb").write(out)
P
}
as_user() { setpriv --reuid=4001 --regid=4001 --clear-groups timeout 30 "$dragoman" run "$@"; }
mkdir "$w/disk"
if [ "$(id -u)" = 0 ] && truncate -s 16M "$w/image.1" && mke2fs -q -F -b 1024 "$w/image.1" 2>/dev/null && loop=$(losetup -f --show "$w/image.1"); then
	echo "$w/disk" >>"$w/mounts"
	mount "$loop" "$w/disk" && cp "$w/say.11" "$w/disk/p" && umount "$w/disk"
	losetup -d "$loop"
	cp "$w/image.1" "$w/image.2"
	swap_blocks "$w/image.2" "$w/say.11" "$w/say.13"
	sleep 3
	within 10 quiet losetup "$loop" "$w/image.1" && mount "$loop" "$w/disk"
	first=$(stat -c '%d %i %s %Z' "$w/disk/p")
	same "one user's disk" 33000 "$(as_user "$w/disk/p")"
	settle 20
	same "one user's disk, warm" 33000 "$(as_user "$w/disk/p")"
	umount "$w/disk"
	losetup -d "$loop"
	# a mount namespace that somebody made meanwhile keeps the first one
	if within 10 quiet losetup "$loop" "$w/image.2" && mount "$loop" "$w/disk"; then
		same "another disk has the same numbers" "$first" "$(stat -c '%d %i %s %Z' "$w/disk/p")"
		check "and another content" cmp -s "$w/say.13" "$w/disk/p"
		same "which is what runs" 39000 "$(say "$w/disk/p")"
		umount -l "$w/disk"	# a reader of the server's may still have the program open
	else
		skip "another disk with the same numbers" "the loop device is not free"
	fi
	losetup -d "$loop"
else
	skip "disks that change" "needs root, mke2fs and a loop device"
fi

# The same content elsewhere is one object.
made=$(field .objects_made)
cp "$w/say.11" "$w/elsewhere"
warm "same content, another path" 33000 "$w/elsewhere"
same "no object was made for it" "$made" "$(field .objects_made)"
healthy "at the end"
check "the server ends" stop_server
finish
