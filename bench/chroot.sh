#!/bin/sh
# SPDX-License-Identifier: MIT
#
# chroot.sh ROOT HANDLER... -- COMMAND...: runs COMMAND in a chroot of ROOT, with arm64 programs handled by HANDLER: a
# qemu-aarch64 (static), or the words of a `dragoman enable aarch64`. The handler is registered in a binfmt_misc of a user namespace
# (Linux 6.7), so nothing on the machine changes; exit 77 where that cannot be had, or without a handler.
#
# The folder of $DRAGOMAN_SOCKET is seen in the chroot under the same name, and so is $SHARE.
set -eu

if [ "$1" != inside ]; then
	exec unshare --user --map-root-user --mount "$0" inside "$@"
fi
shift
root=$1
shift
[ "$1" != -- ] || exit 77
binfmt=/proc/sys/fs/binfmt_misc
mount -t binfmt_misc none $binfmt 2>/dev/null || exit 77
handler=$1
shift
words=
while [ "$1" != -- ]; do
	words="$words $1"
	shift
done
shift
if [ -z "$words" ]; then
	magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
	mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
	printf '%s' ":qemu:M::$magic:$mask:$handler:F" >$binfmt/register
else
	# shellcheck disable=SC2086
	"$handler" $words >&2
fi
mkdir -p "$root/dev" "$root/proc" "$root/tmp"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
share() {
	[ -d "$1" ] || return 0
	mkdir -p "$root$1"
	mount --bind "$1" "$root$1"
}
[ -z "${DRAGOMAN_SOCKET:-}" ] || share "$(dirname "$DRAGOMAN_SOCKET")"
[ -z "${SHARE:-}" ] || share "$SHARE"
exec chroot "$root" "$@"
