#!/bin/bash
# SPDX-License-Identifier: MIT
# debootstrap --arch=arm64 --foreign, then its second stage in the chroot (dpkg and all maintainer scripts are arm64
# programs), then apt-get there. Out: build/system/debian, a Debian with gcc and make, for the other scripts. What
# debootstrap fetched is kept in build/system; the second stage always runs anew.
. "$(dirname "$0")/lib.sh"
scripts/deps.sh debootstrap >/dev/null 2>&1 || skip_all "debootstrap cannot be installed"
uri=$(archive)
[ -n "$uri" ] || skip_all "apt has no Debian bookworm configured"

if [ ! -e "$sys/first-stage/.done" ]; then
	rm -rf --one-file-system "$sys/first-stage"
	mkdir -p "$sys/cache"
	debootstrap --arch=arm64 --foreign --variant=minbase --cache-dir="$sys/cache" bookworm "$sys/first-stage" "$uri" \
		>"$sys/first-stage.log" 2>&1 || skip_all "the first stage failed (no network?), see $sys/first-stage.log"
	touch "$sys/first-stage/.done"
fi
rm -rf --one-file-system "$debian"
cp -a "$sys/first-stage" "$debian"
rm "$debian/.done"

start=$(date +%s)
timeout -k 5 400 chroot "$debian" /debootstrap/debootstrap --second-stage >"$sys/second-stage.log" 2>&1
same "second stage" 0 $?
echo "# second stage: $(($(date +%s) - start)) s"
umount -R "$debian/proc" "$debian/sys" "$debian/dev" 2>/dev/null
same "it says so at its end" "I: Base system installed successfully." "$(tail -n 1 "$sys/second-stage.log")"
same "nothing had to be tried twice" "" "$(grep '^[WE]:' "$sys/second-stage.log")"
same "every package is installed" "ii" "$(in_debian dpkg -l | sed '1,5d' | cut -c 1-2 | sort -u)"
same "dpkg --audit" "" "$(in_debian dpkg --audit 2>&1)"
same "dpkg --verify" "" "$(in_debian dpkg --verify 2>&1 | grep -v '^??5')"

# apt, with this machine's way to the archive.
cp /etc/resolv.conf /etc/hosts "$debian/etc/" 2>/dev/null
apt-config dump | grep -i '^Acquire::.*\(proxy\|verify\)' >"$debian/etc/apt/apt.conf.d/99host"
printf 'deb %s bookworm main\ndeb-src %s bookworm main\n' "$uri" "$uri" >"$debian/etc/apt/sources.list"
mount -t proc none "$debian/proc"
check "apt-get update" quiet in_debian timeout -k 5 120 apt-get update -q
check "apt-get install" eval 'in_debian timeout -k 5 400 apt-get install -q -y --no-install-recommends gcc g++ libc6-dev make bzip2 \
	>"$sys/apt.log" 2>&1'
same "gcc" "$(printf 'hello aarch64\n=5')" "$(in_debian sh -c 'cd /tmp && cat >h.c && gcc -O2 -o h h.c && ./h; echo =$?' 2>&1 <<'C'
#include <stdio.h>
#include <sys/utsname.h>
int main(void) { struct utsname u; uname(&u); printf("hello %s\n", u.machine); return 5; }
C
)"
check "apt-get remove" quiet in_debian timeout -k 5 120 apt-get remove -q -y bzip2
check "apt-get install again" quiet in_debian timeout -k 5 120 apt-get install -q -y --no-install-recommends bzip2
[ $ktap_bad != 0 ] || touch "$debian/.ready"
finish
