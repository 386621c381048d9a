#!/bin/bash
# SPDX-License-Identifier: MIT
# In a chroot of a Debian arm64 root: the zlib source package, configured, built and tested; then C++ with exceptions.
. "$(dirname "$0")/lib.sh"
debian_root || skip_all "no Debian arm64 root could be made, see $sys/debootstrap.log"
mount -t proc none "$debian/proc" && mount -t tmpfs none "$debian/tmp" || skip_all "nothing can be mounted here"

if ! ls "$sys"/zlib_*.orig.tar.* >/dev/null 2>&1; then
	in_debian sh -c 'cd /tmp && apt-get source -qq --download-only zlib' >"$sys/zlib-source.log" 2>&1
	cp "$debian"/tmp/zlib_*.orig.tar.* "$sys/" 2>/dev/null || skip_all "the source package cannot be fetched, see $sys/zlib-source.log"
fi
mkdir "$debian/tmp/zlib"
tar -C "$debian/tmp/zlib" --strip-components=1 -xf "$(ls "$sys"/zlib_*.orig.tar.* | head -n 1)"

# step NAME COMMAND: in the source folder, its output to build/system/zlib-NAME.log
step() {
	local start
	start=$(date +%s)
	in_debian timeout -k 5 240 sh -c "cd /tmp/zlib && $2" >"$sys/zlib-$1.log" 2>&1
	same "zlib: $2" 0 $?
	echo "# $2: $(($(date +%s) - start)) s"
}
step configure ./configure
check "configure found a shared library and what else there is" grep -q '^Building shared library' "$sys/zlib-configure.log"
step make "make -j2"
step check "make check"
same "each of its tests says OK" 3 "$(grep -c 'zlib .*test OK' "$sys/zlib-check.log")"
cp selftests/system/exceptions.cc "$debian/tmp/"
for opt in -O0 -O2; do
	same "g++ $opt: exceptions, threads" "$(printf 'deep 10\ncaught 100010000\nthread: logic\nrange\nterminate\n=134')" \
		"$(in_debian sh -c "cd /tmp && g++ $opt -pthread -o e exceptions.cc && ./e; echo =\$?" 2>/dev/null)"
done
umount "$debian/tmp" "$debian/proc"
finish
