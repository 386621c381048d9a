# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# For the scripts of this folder, sourced at their start: what they do to the whole machine, and its undoing.
#
# In: BUILD, DRAGOMAN as scripts/check.sh sets them. Out: the script goes on as root, alone (a lock), in a mount
# namespace of its own, with aarch64 programs handed to our runtime in the machine's binfmt_misc; when it ends, however
# it does, binfmt_misc is as it was. $w is an empty folder, $sys (build/system) keeps what is expensive to make.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. scripts/ktap.sh
export BUILD=${BUILD:-build} LC_ALL=C
d=$(realpath "${DRAGOMAN:-$BUILD/dragoman}")
rt=$(realpath "${DRAGOMAN_RUNTIME:-$(dirname "$d")/dragoman-rt}")
misc=/proc/sys/fs/binfmt_misc

[ -x "$d" ] && [ -x "$rt" ] || skip_all "$d or its runtime is not built"
[ "$(id -u)" = 0 ] || skip_all "needs root"
mkdir -p "$BUILD/system"
sys=$(realpath "$BUILD/system")

if [ "${SYSTEM_TEST:-}" != inside ]; then
	unshare --mount true 2>/dev/null || skip_all "no mount namespace can be made here"
	exec 9>"$sys/.lock"
	flock -w 300 9 || skip_all "another system test is running"
	SYSTEM_TEST=inside exec unshare --mount --propagation private "${BASH:-bash}" "$0" "$@"
fi

[ -e $misc/register ] || mount -t binfmt_misc none $misc 2>/dev/null || skip_all "$misc cannot be mounted"
[ -w $misc/register ] || skip_all "$misc is read-only"

# Somebody uses dragoman on this machine: their registration comes back.
before=$(sed -n 's/^interpreter //p' $misc/dragoman-aarch64 2>/dev/null)
before_flags=$(sed -n 's/^flags: //p' $misc/dragoman-aarch64 2>/dev/null)
umask 022
w=$(mktemp -d)
chmod 755 "$w"

system_restore() {
	if [ -z "$before" ]; then
		"$d" disable aarch64 >/dev/null 2>&1
	elif [[ $before_flags == *C* ]]; then
		DRAGOMAN_RUNTIME=$before "$d" enable aarch64 --replace --credentials >/dev/null
	else
		DRAGOMAN_RUNTIME=$before "$d" enable aarch64 --replace >/dev/null
	fi
	umount -R "$w"/* 2>/dev/null
	rm -rf --one-file-system "$w"
}
trap system_restore EXIT
trap 'exit 1' INT TERM HUP
enable() { DRAGOMAN_RUNTIME=$rt "$d" enable aarch64 --replace "$@" >"$w.enable" 2>&1; local s=$?; rm -f "$w.enable"; return $s; }
enable || skip_all "dragoman enable aarch64: $("$d" enable aarch64 --replace 2>&1 | tail -n 1)"

nobody='setpriv --reuid=65534 --regid=65534 --clear-groups'
quiet() { "$@" >/dev/null 2>&1; }
# The archive that this machine's apt uses for bookworm; its address is never kept outside build/.
archive() {
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
	awk '$2 == "bookworm" && $3 == "main" { print $1; exit }'
}

# A root that debootstrap made and that has gcc and make: debootstrap.sh leaves it here. False if that fails.
debian=$sys/debian
debian_root() {
	[ -e "$debian/.ready" ] && return
	selftests/system/debootstrap.sh >"$sys/debootstrap.log" 2>&1
	[ -e "$debian/.ready" ]
}
in_debian() { chroot "$debian" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
