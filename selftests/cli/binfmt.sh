#!/bin/bash
# SPDX-License-Identifier: MIT
# `dragoman enable`, `disable`, `status` on the real binfmt_misc. Where the kernel gives a user namespace its own
# instance (6.7 and newer) this runs in one; else on the machine's, if nobody else handles aarch64 there. /run and
# /etc/binfmt.d are empty file systems of a private mount namespace, so the machine's own stay as they are.
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
misc=/proc/sys/fs/binfmt_misc
d=$(realpath "${DRAGOMAN:-build/dragoman}")
[ -x "$d" ] || skip_all "$d is not built"

private_instance() {
	unshare --user --map-root-user --mount sh -c "mount -t binfmt_misc none $misc && ! ls $misc | grep -qv 'register\|status'" 2>/dev/null
}

# As root the namespace can have other users too, once somebody outside writes its maps.
with_all_users() {
	local pipes pid
	pipes=$(mktemp -d)
	mkfifo "$pipes/ready" "$pipes/go"
	unshare --user --mount sh -c 'echo >"$1/ready"; read -r _ <"$1/go"; exec "$0" inside private' "$0" "$pipes" &
	pid=$!
	read -r _ <"$pipes/ready"
	echo 0 0 65536 >/proc/$pid/uid_map && echo 0 0 65536 >/proc/$pid/gid_map
	echo >"$pipes/go"
	rm -r "$pipes"
	wait $pid
	exit
}

if [ "${1:-}" != inside ]; then
	if private_instance; then
		[ "$(id -u)" != 0 ] || with_all_users
		exec unshare --user --map-root-user --mount "$0" inside private
	fi
	[ "$(id -u)" = 0 ] || skip_all "needs root, or a kernel whose user namespaces have a binfmt_misc of their own"
	[ -e $misc/register ] || mount -t binfmt_misc none $misc 2>/dev/null ||
		skip_all "$misc cannot be mounted"
	if grep -l 'b700' $misc/* 2>/dev/null | grep -q .; then
		skip_all "this machine has an aarch64 handler registered already, which the test would disturb"
	fi
	exec unshare --mount "$0" inside shared
fi

mkdir -p /etc/binfmt.d 2>/dev/null
mount -t tmpfs none /run && mount -t tmpfs none /etc/binfmt.d || skip_all "no private mounts possible"
[ "$2" = private ] && mount -t binfmt_misc none $misc
w=$(mktemp -d)
cleanup() {
	for e in dragoman-aarch64 rival; do
		[ -e $misc/$e ] && echo -1 >$misc/$e
	done
	rm -rf "$w"
}
trap cleanup EXIT

rt=${DRAGOMAN_RUNTIME:-$(dirname "$d")/dragoman-rt}
have_rt=yes
if [ ! -x "$rt" ]; then
	have_rt=
	cp /bin/true "$w/dragoman-rt"
	rt=$w/dragoman-rt
fi
export DRAGOMAN_RUNTIME=$rt
rt=$(realpath "$rt")

shows() { "$d" status | grep -qF -- "$1"; }
json() { "$d" status --json | python3 -c "import json,sys; s=json.load(sys.stdin); g=s['guests'][0]; print($1)"; }
field() { sed -n "s|^$2:\\{0,1\\} ||p" "$misc/$1"; }
quiet() { "$@" >/dev/null 2>&1; }
fails() { ! quiet "$@"; }

same "nothing is registered at first" None "$(json "g['active']")"
check "disable without enable is no error" quiet "$d" disable aarch64
check "enable" quiet "$d" enable aarch64
same "flags" POF "$(field dragoman-aarch64 flags)"
same "interpreter" "$rt" "$(field dragoman-aarch64 interpreter)"
same "active handler" dragoman "$(json "g['active']")"
check "enable again is no error" quiet "$d" enable aarch64
check "enable --credentials" quiet "$d" enable aarch64 --credentials
same "flags with credentials" POCF "$(field dragoman-aarch64 flags)"
check "unknown architecture is refused" fails "$d" enable vax
check "status takes no argument" fails "$d" status aarch64

# Programs, if there is a runtime.
cat >"$w/p.S" <<'S'
	.globl _start
_start:	ldr x20, [sp, 8]	// argv[0]
	mov x2, 0
1:	ldrb w3, [x20, x2]
	add x2, x2, 1
	cbnz w3, 1b
	sub x2, x2, 1
	mov x1, x20
	mov x0, 1
	mov x8, 64
	svc 0
	mov x0, 42
	mov x8, 93
	svc 0
S
if [ -z "$have_rt" ]; then
	skip "programs run" "build/dragoman-rt is not built"
elif ! aarch64-linux-gnu-gcc -static -nostdlib -o "$w/p" "$w/p.S" 2>/dev/null; then
	skip "programs run" "no aarch64 cross compiler"
else
	chmod 755 "$w"
	same "a program runs, argv[0] is its own" "other 42" "$(bash -c "exec -a other '$w/p'"; echo " $?")"
	mkdir "$w/jail"
	cp "$w/p" "$w/jail/p"
	same "in a chroot that has nothing else" "/p 42" "$(chroot "$w/jail" /p; echo " $?")"
	chmod 0111 "$w/p"
	if quiet setpriv --reuid=65534 --regid=65534 --clear-groups true; then
		same "a program that may not be read" "$w/p 42" \
			"$(setpriv --reuid=65534 --regid=65534 --clear-groups "$w/p"; echo " $?")"
	else
		skip "a program that may not be read" "no second user in this namespace"
	fi
fi

check "disable" quiet "$d" disable aarch64
check "the entry is gone" test ! -e $misc/dragoman-aarch64

# Another handler has the magic.
magic='\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":rival:M::$magic:$mask:/bin/false:OP" >$misc/register
message=$("$d" enable aarch64 2>&1)
same "another handler: refused" 1 $?
check "another handler: named" grep -q "'rival' (/bin/false)" <<<"$message"
check "another handler: untouched" grep -qx enabled $misc/rival
check "another handler: ours is not there" test ! -e $misc/dragoman-aarch64
same "another handler: status" other "$(json "g['active']")"
check "--replace" quiet "$d" enable aarch64 --replace
check "--replace: it is off" grep -qx disabled $misc/rival
check "--replace: ours is on" grep -qx enabled $misc/dragoman-aarch64
check "enable again keeps what it knows" quiet "$d" enable aarch64
check "disable puts it back" quiet "$d" disable aarch64
check "it is on again" grep -qx enabled $misc/rival
check "ours is gone" test ! -e $misc/dragoman-aarch64
echo -1 >$misc/rival

# A handler of other programs is none of our business.
printf '%s' ":rival:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xf3\\x00::/bin/false:" >$misc/register
check "a handler of another machine does not matter" quiet "$d" enable aarch64
quiet "$d" disable aarch64
check "and is left alone" grep -qx enabled $misc/rival
echo -1 >$misc/rival

# --persist, with another package's file in the way.
conf=/etc/binfmt.d/dragoman-aarch64.conf
mkdir -p /run/binfmt.d
rivals=$(grep -ls "^:[^:]*:M::.*xb7.x00:" /usr/lib/binfmt.d/*.conf | wc -l)
printf '%s\n' ":rival:M::$magic:$mask:/bin/false:OP" >/run/binfmt.d/rival.conf
check "--persist: refused while another's file is there" fails "$d" enable aarch64 --persist
check "--persist: refused means nothing written" test ! -e $conf
check "--persist --replace" quiet "$d" enable aarch64 --persist --replace
check "the file has our line" grep -q "^:dragoman-aarch64:M::.*:$rt:POF$" $conf
same "the other's file is masked" /dev/null "$(readlink /etc/binfmt.d/rival.conf)"
same "as many masks as rivals" $((rivals + 1)) "$(find /etc/binfmt.d -type l | wc -l)"
same "status says so" True "$(json "g['persistent']")"
check "the file's line is one that the kernel takes" sh -c "echo -1 >$misc/dragoman-aarch64; grep -v '^#' $conf >$misc/register"
# What a boot does, with no handler yet.
boot=$(command -v systemd-binfmt /usr/lib/systemd/systemd-binfmt /lib/systemd/systemd-binfmt | head -n 1)
if [ -x "$boot" ]; then
	echo -1 >$misc/dragoman-aarch64
	quiet "$boot" dragoman-aarch64.conf rival.conf
	check "systemd-binfmt registers it, as at boot" grep -qx enabled $misc/dragoman-aarch64
	check "and not the masked one" test ! -e $misc/rival
else
	skip "systemd-binfmt registers it, as at boot" "no systemd-binfmt here"
fi
check "disable" quiet "$d" disable aarch64
same "nothing is left in binfmt.d" "" "$(ls -A /etc/binfmt.d)"
check "the masked handler is registered again" grep -qx enabled $misc/rival
echo -1 >$misc/rival
[ -e $misc/qemu-aarch64 ] && echo -1 >$misc/qemu-aarch64
rm /run/binfmt.d/rival.conf

# The runtime's file goes away or is built anew.
cp "$rt" "$w/moving"
DRAGOMAN_RUNTIME=$w/moving quiet "$d" enable aarch64
same "runtime present" present "$(json "g['handlers'][0]['file']")"
touch -d @1 "$w/moving"
same "runtime changed" changed "$(json "g['handlers'][0]['file']")"
rm "$w/moving"
same "runtime missing" missing "$(json "g['handlers'][0]['file']")"
check "runtime missing: status warns" shows "does not exist any more"
quiet "$d" disable aarch64

# Not root.
mkdir "$w/ro"
if mount --bind -o ro $misc $misc 2>/dev/null && mount -o remount,bind,ro $misc 2>/dev/null; then
	message=$("$d" enable aarch64 2>&1)
	same "read-only binfmt_misc: exit status" 1 $?
	check "read-only binfmt_misc: the remedy" grep -q "run it as root" <<<"$message"
	umount $misc
else
	skip "read-only binfmt_misc" "cannot be remounted here"
fi
finish
