#!/bin/sh
# SPDX-License-Identifier: MIT
#
# With a binfmt_misc entry for the same files: the handler that was registered last wins, and when one goes the other is
# there. Needs DRAGOMAN_MODULE (the module's file), because it is unloaded and loaded. KTAP.
n=0 bad=0
misc=/proc/sys/fs/binfmt_misc
here=$(dirname "$(readlink -f "$0")")
same() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then echo "ok $n $1"; else echo "not ok $n $1"; echo "# want: $2"; echo "# got: $3"; bad=1; fi
}
skip() { echo "1..0 # SKIP $1"; exit 4; }

[ -n "$DRAGOMAN_MODULE" ] || skip "DRAGOMAN_MODULE is not set: the module in use is left alone"
[ -e $misc/register ] || skip "no binfmt_misc"
dir=$(mktemp -d /tmp/dragoman-order-XXXXXX)
cleanup() {
	[ -e $misc/dragoman-test ] && echo -1 >$misc/dragoman-test
	"$here/setruntime"
	rm -rf "$dir"
}
trap cleanup EXIT
cp "$here/rt_test" "$dir/rt"
# A header is all that a guest of the stand-in runtime needs.
{
	printf '\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000\001\000\000\000'
	head -c 4072 /dev/zero
} >"$dir/guest"
chmod 755 "$dir/guest"
printf '#!/bin/sh\necho misc\n' >"$dir/misc"
chmod 755 "$dir/misc"

load() { insmod "$DRAGOMAN_MODULE" && "$here/setruntime" "$dir/rt"; }
unload() {
	"$here/setruntime"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		rmmod dragoman 2>/dev/null && return 0
		sleep 0.2
	done
	return 1
}
add() {
	printf '%s' ':dragoman-test:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00::'"$dir/misc"':' >$misc/register
}
remove() { echo -1 >$misc/dragoman-test; }
# By whom a guest is run: misc, module, nobody.
who() {
	out=$("$dir/guest" report 2>/dev/null)
	case $out in
	misc) echo misc ;;
	*hello=0*) echo module ;;
	*) echo nobody ;;
	esac
}

unload
same "nobody" nobody "$(who)"
add
same "binfmt_misc alone" misc "$(who)"
load
same "the module, loaded after binfmt_misc" module "$(who)"
remove
add
same "an entry that came later" module "$(who)"
"$here/setruntime"
same "no runtime: left to binfmt_misc" misc "$(who)"
"$here/setruntime" "$dir/rt"
same "a runtime again" module "$(who)"
echo 0 >/sys/class/misc/dragoman-ctl/guest-aarch64/enabled
same "switched off: left to binfmt_misc" misc "$(who)"
echo 1 >/sys/class/misc/dragoman-ctl/guest-aarch64/enabled
unload
same "unloaded: binfmt_misc" misc "$(who)"
load
remove
same "the module alone" module "$(who)"

# binfmt_misc loaded later goes in front (if it is a module that is not in use).
umount $misc 2>/dev/null
if rmmod binfmt_misc 2>/dev/null && insmod "${BINFMT_MISC_MODULE:-/modules/binfmt_misc.ko}" 2>/dev/null; then
	mount -t binfmt_misc binfmt_misc $misc
	add
	same "binfmt_misc, loaded after the module" misc "$(who)"
	remove
	same "its entry removed" module "$(who)"
else
	mount -t binfmt_misc binfmt_misc $misc 2>/dev/null
	n=$((n + 1))
	echo "ok $n binfmt_misc, loaded after the module # SKIP it cannot be unloaded here"
fi
echo "1..$n"
exit $bad
