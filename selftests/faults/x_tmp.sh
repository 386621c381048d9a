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
		umount "$w/disk"
	else
		skip "another disk with the same numbers" "the loop device is not free"
	fi
	losetup -d "$loop"
else
	skip "disks that change" "needs root, mke2fs and a loop device"
fi

finish
