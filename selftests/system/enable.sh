#!/bin/bash
# SPDX-License-Identifier: MIT
# After `dragoman enable aarch64`, the kernel runs arm64 programs wherever it runs native ones: directly, as a script's
# interpreter, execute-only, setuid, from a descriptor; and they look like themselves to ps and pgrep.
. "$(dirname "$0")/lib.sh"
aarch64-linux-gnu-gcc -static -O1 -o "$w/p" selftests/system/payload.c 2>/dev/null ||
	skip_all "no aarch64 cross compiler"
scripts/arm64-root.sh busybox-static >/dev/null 2>&1 && cp "$BUILD/arm64-root/bin/busybox" "$w/busybox" ||
	skip_all "arm64 busybox cannot be fetched"
cd "$w" || exit 1
unset DRAGOMAN_SYSROOT

# out COMMAND...: what it prints, then its exit status
out() { timeout 60 "$@" 2>&1; echo "=$?"; }
want() { printf '%s comm=%s uid=%s secure=%s exe=%s\n=%d' "$1" "$2" "$3" "$4" "$5" "${6:-0}"; }

same "direct, and the exit status" "$(want ./p p 0,0,0 0 p 7)" "$(out ./p 7)"
same "argv[0] is kept" "$(want other p 0,0,0 0 p)" "$(out bash -c 'exec -a other ./p')"
same "argv[0] may be empty" "$(want '' p 0,0,0 0 p)" "$(out bash -c 'exec -a "" ./p')"
same "through /proc/self/exe" "second uid=0,0,0 secure=0 exe=p
=0" "$(out ./p again | sed 's/ comm=[^ ]*//')"
same "found by PATH" "$(want p p 0,0,0 0 p)" "$(PATH=$w:$PATH out p)"
ln -s p link
same "through a symbolic link" "$(want ./link link 0,0,0 0 p)" "$(out ./link)"
same "a signal ends it" "=143" "$(out bash -c './busybox sh -c "kill -TERM \$\$"; exit $?' | tail -n 1)"
cp p plain
chmod 644 plain
same "no x permission" "=126" "$(out bash -c ./plain | tail -n 1)"
head -c 3000 busybox >short
chmod 755 short
same "a truncated program: one line, 126" "1 =126" "$(out ./short | sed '$!s/.*//' | paste -sd ' ' | sed 's/^ *//; s/^/1 /')"

printf '#!%s/busybox sh\necho "$0 $1"; exit 4\n' "$w" >script
printf '#!%s/script option\n' "$w" >script2
chmod 755 script script2
same "interpreter of a script" "./script a
=4" "$(out ./script a)"
same "interpreter of an interpreter" "$w/script option
=4" "$(out ./script2 a)"
same "native and arm64 programs start each other" "x86_64 aarch64 x86_64
=0" "$(out ./busybox sh -c "echo \$(/bin/uname -m) \$(/bin/sh -c './busybox uname -m; uname -m')")"
same "only the environment that was given" "A=1
=0" "$(out env -i A=1 ./busybox env)"

same "an ordinary user" "$(want ./p p 65534,65534,65534 0 p)" "$(out $nobody ./p)"
cp p hidden
chmod 0111 hidden
same "execute-only" "$(want ./hidden hidden 65534,65534,65534 0 hidden)" "$(out $nobody ./hidden)"
same "execute-only, from an arm64 program" "$(want ./hidden hidden 65534,65534,65534 0 hidden)" \
	"$(out $nobody ./busybox env ./hidden)"
cp p su
chmod 4711 su
same "setuid without --credentials" "$(want ./su su 65534,65534,65534 0 su)" "$(out $nobody ./su)"
check "enable --credentials" enable --credentials
same "setuid with --credentials" "$(want ./su su 65534,0,0 1 su)" "$(out $nobody ./su)"
same "setuid, from an arm64 program" "$(want ./su su 65534,0,0 1 su)" "$(out $nobody ./busybox env ./su)"
same "setuid does not trust its environment" "$(want ./su su 65534,0,0 1 su)" \
	"$(out $nobody env DRAGOMAN_SYSROOT=/nowhere ./su)"
same "not setuid: nothing is gained" "$(want ./p p 65534,65534,65534 0 p)" "$(out $nobody ./p)"
same "no_new_privs" "$(want ./su su 65534,65534,65534 0 su)" "$(out $nobody setpriv --no-new-privs ./su)"
mkdir nosuid
if mount -t tmpfs -o nosuid none nosuid 2>/dev/null; then
	cp -p su nosuid/
	same "setuid on a nosuid file system" "$(want nosuid/su su 65534,65534,65534 0 su)" "$(out $nobody nosuid/su)"
	mount -o remount,noexec nosuid
	same "a noexec file system" "=126" "$(out bash -c nosuid/su | tail -n 1)"
else
	skip "setuid on a nosuid file system" "no tmpfs can be mounted"
fi
check "enable without --credentials again" enable
same "setuid is off again" "$(want ./su su 65534,65534,65534 0 su)" "$(out $nobody ./su)"

# By descriptor. With close-on-exec the kernel itself refuses (as it does a script): binfmt_misc has no path to give.
descriptor() {
	timeout 60 python3 -c '
import os, sys
if sys.argv[1] == "memfd":
    fd = os.memfd_create("mem", 0)
    os.write(fd, open("p", "rb").read())
else:
    fd = os.open("p", os.O_RDONLY)
    os.set_inheritable(fd, True)
if sys.argv[1] == "deleted":
    os.unlink("p")
os.execve(fd, ["name", "3"], os.environ)' "$1" 2>&1
	echo "=$?"
}
same "fexecve" "uid=0,0,0 secure=0 exe=p =3" "$(descriptor file | sed 's/^name comm=[^ ]* //' | paste -sd ' ')"
same "fexecve of a memfd" "uid=0,0,0 secure=0 exe=memfd:mem (deleted) =3" \
	"$(descriptor memfd | sed 's/^name comm=[^ ]* //' | paste -sd ' ')"
cp p kept
same "fexecve of a deleted file" "uid=0,0,0 secure=0 exe=p (deleted) =3" \
	"$(descriptor deleted | sed 's/^name comm=[^ ]* //' | paste -sd ' ')"
mv kept p

# What others see of it.
cp busybox busybox-nap
./busybox-nap sleep 60 &
pid=$!
for _ in $(seq 50); do
	[ "$(cat /proc/$pid/comm)" = busybox-nap ] && break
	sleep 0.1
done
same "ps" "busybox-nap ./busybox-nap sleep 60" "$(ps -o comm=,args= -p $pid | tr -s ' ')"
same "pgrep -x" $pid "$(pgrep -x busybox-nap)"
same "pgrep -f" $pid "$(pgrep -f '^./busybox-nap sleep')"
same "/proc/PID/cmdline" "./busybox-nap sleep 60 " "$(tr '\0' ' ' <"/proc/$pid/cmdline")"
same "an arm64 program sees another's file" "$w/busybox-nap" "$(./busybox readlink "/proc/$pid/exe")"
same "one thread" 1 "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)"
kill $pid
wait $pid 2>/dev/null

check "an address-space limit" bash -c 'ulimit -v 1000000; ./p >/dev/null'
check "few descriptors" bash -c 'ulimit -n 8; ./p >/dev/null'
check "an unlimited stack" bash -c 'ulimit -s unlimited; ./p >/dev/null'
same "no standard descriptors" "=0" "$(out ./busybox true <&- | tail -n 1)"

quiet "$d" disable aarch64
same "after disable nothing runs them" "=126" "$(out bash -c ./p | tail -n 1)"
finish
