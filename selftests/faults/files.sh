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

# The same content elsewhere is one object.
made=$(field .objects_made)
cp "$w/say.11" "$w/elsewhere"
warm "same content, another path" 33000 "$w/elsewhere"
same "no object was made for it" "$made" "$(field .objects_made)"
healthy "at the end"
check "the server ends" stop_server
finish
