#!/bin/bash
# SPDX-License-Identifier: MIT
# After `dragoman enable aarch64`: folders of arm64 files as whole systems, by chroot and by namespaces, with nothing
# of ours in them, and with as little else as can be.
. "$(dirname "$0")/lib.sh"
scripts/arm64-root.sh busybox-static bash coreutils sed grep perl-base >/dev/null 2>&1 || skip_all "the arm64 packages cannot be fetched"
root=$(realpath "$BUILD/arm64-root")
unset DRAGOMAN_SYSROOT

out() { timeout 60 "$@" 2>&1; echo "=$?"; }

# A root of one file: no /proc, no /dev, no /tmp.
mkdir -p "$w/bare/inner"
cp "$root/bin/busybox" "$w/bare/busybox"
cp "$root/bin/busybox" "$w/bare/inner/busybox"
same "one file" "hello
=3" "$(out chroot "$w/bare" /busybox sh -c 'echo hello; exit 3')"
same "a pipe of programs" "OLLEH
=0" "$(out chroot "$w/bare" /busybox sh -c '/busybox echo hello | /busybox rev | /busybox tr a-z A-Z')"
same "no /proc is needed to execute" "a b c
=0" "$(out chroot "$w/bare" /busybox sh -c '/busybox sh -c "/busybox echo a b c"')"
same "a chroot in a chroot" "busybox
=0" "$(out chroot "$w/bare" /busybox chroot /inner /busybox ls /)"
printf '#!/busybox sh\necho script $1\n' >"$w/bare/script"
chmod 755 "$w/bare/script"
same "a script" "script x
=0" "$(out chroot "$w/bare" /script x)"
same "programs that are not there" "=127" "$(out chroot "$w/bare" /busybox sh -c /nothing | tail -n 1)"

# A root of packages.
same "a dynamic shell" "aarch64 5
=0" "$(out chroot "$root" /bin/bash -c 'echo $HOSTTYPE $((2 + 3))')"
same "programs of packages" "aarch64 3 c
=0" "$(out chroot "$root" /bin/bash -c 'echo $(uname -m) $(seq 3 | wc -l) $(printf "a\nb\nc\n" | grep c | sed s/x/y/)')"
same "a loop of fork and exec" "100
=0" "$(out chroot "$root" /bin/bash -c 'n=0; for i in {1..100}; do /usr/bin/true && n=$((n + 1)); done; echo $n')"

# Without /proc the runtime has no name for itself. perl: x(FILE): a memfd that exec closes, from FILE, is executed; f(): uname(2) is EPERM.
perl='sub x { local $/; open F, "<", $_[0]; my $fd = syscall(279, my $n = "x", 1); open M, ">&=", $fd; syswrite M, <F>;
	my @a = ("busybox", "sh", "-c", "echo memfd \$0; exit 6", "a b");
	syscall(281, $fd, my $e = "", my $v = pack("p5x8", @a), my $z = pack("x8"), 0x1000); print "$!\n" }
sub f { my $i = pack("SCCL" x 4, 32, 0, 0, 0, 21, 0, 1, 160, 6, 0, 0, 0x50001, 6, 0, 0, 0x7fff0000);
	syscall(167, 38, 1, 0, 0, 0); syscall(277, 1, 0, my $p = pack("Sx6p", 4, $i)) == 0 or print "$!\n" }'
mkdir -p "$w/noproc"
if mount --bind "$root" "$w/noproc"; then
	same "no /proc: a file without a name is executed" "memfd a b
=6" "$(out chroot "$w/noproc" /usr/bin/perl - <<<"$perl; x('/bin/busybox')")"
	same "no /proc: a seccomp filter goes to the next program" "uname: Operation not permitted
a b
=0" "$(out chroot "$w/noproc" /usr/bin/perl - <<<"$perl; f(); exec '/bin/bash', '-c', '/usr/bin/uname 2>&1 | /usr/bin/sed s/.*:/uname:/; /usr/bin/echo a b'")"
	umount "$w/noproc"
else
	skip "no /proc: what the runtime has to know about itself" "nothing can be mounted here"
fi
mkdir -p "$w/mounted"
if mount --bind "$root" "$w/mounted" && mkdir -p "$w/mounted/proc" && mount -t proc none "$w/mounted/proc"; then
	same "/proc/self/exe" "/usr/bin/readlink
=0" "$(out chroot "$w/mounted" /bin/bash -c 'exec readlink -f /proc/self/exe')"
	same "/proc/self/cmdline" "cat /proc/self/cmdline
=0" "$(out chroot "$w/mounted" /bin/bash -c 'cat /proc/self/cmdline | tr "\0" " " | sed "s/ $//"; echo')"
	check "/proc/self/maps names files below the root" \
		chroot "$w/mounted" /bin/bash -c 'grep -q " /usr/bin/grep$" /proc/self/maps && ! grep -q "dragoman\|$0" /proc/self/maps' "$w"
	check "/proc/cpuinfo is an arm64 machine's" chroot "$w/mounted" grep -q '^CPU implementer' /proc/cpuinfo
	same "/proc/self/auxv has the program's page size and machine" "aarch64
=0" "$(out chroot "$w/mounted" /bin/bash -c 'LD_SHOW_AUXV=1 /bin/true | sed -n "s/^AT_PLATFORM: *//p"')"
	umount "$w/mounted/proc"
else
	skip "/proc in a chroot" "nothing can be mounted here"
fi

# Namespaces.
if unshare --user --map-root-user true 2>/dev/null; then
	cd "$w/bare" || exit 1
	same "a user namespace" "0
=0" "$(out unshare --user --map-root-user ./busybox id -u)"
	same "made by an arm64 program" "65534
=0" "$(out ./busybox unshare --user ./busybox id -u)"
	same "chroot, as root of one" "hello
=0" "$(out $nobody unshare --user --map-root-user chroot "$w/bare" /busybox echo hello)"
	same "process and mount namespaces" "1 inner
=0" "$(out unshare --user --map-root-user --pid --fork --mount ./busybox sh -c \
		'echo $$ $(./busybox mount -t tmpfs none inner; ./busybox mkdir inner/inner; ./busybox ls inner)')"
	same "made by an arm64 program: all at once" "1 0
=0" "$(out ./busybox unshare --user --map-root-user --mount --uts --ipc --net --pid --fork ./busybox sh -c 'echo $$ $(./busybox id -u)')"
	same "init of a namespace ignores what it is sent, as it has no handler" "alive
=0" "$(out unshare --user --map-root-user --pid --fork ./busybox sh -c \
		'for s in ILL TRAP BUS FPE SEGV TERM USR1 KILL; do kill -$s $$; done; echo alive')"
else
	skip "user namespaces" "this machine allows none"
fi
finish
