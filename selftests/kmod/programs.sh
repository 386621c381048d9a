#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Real arm64 programs, started by the kernel through the module with the real runtime: Debian's busybox and the programs of
# selftests/guest. In: /guest, RUNTIME (default: where a virtual machine has it). Out: KTAP.
n=0 bad=0
here=$(dirname "$(readlink -f "$0")")
runtime=${RUNTIME:-/usr/libexec/dragoman/dragoman-rt}
guests=${GUESTS:-/guest}
result() {
	n=$((n + 1))
	echo "$1 $n $2"
	[ "$1" = ok ] || bad=1
}
same() {
	if [ "$2" = "$3" ]; then result ok "$1"; else result "not ok" "$1"; echo "# want: $2"; echo "# got: $3"; fi
}
skip() { echo "1..0 # SKIP $1"; exit 4; }

[ -e "$runtime" ] || skip "no dragoman-rt"
[ -x "$guests/busybox" ] || skip "no arm64 busybox"
[ ! -e "$runtime.unaware" ] || skip "this dragoman-rt does not speak to the module yet"
"$here/setruntime" "$runtime" || { result "not ok" "registered"; exit 1; }
trap '"$here/setruntime"' EXIT
b=$guests/busybox
dir=$(mktemp -d /tmp/dragoman-programs-XXXXXX)
cd "$dir" || exit 1

same "a program" hello "$($b echo hello 2>&1)"
same "its machine" aarch64 "$($b uname -m 2>&1)"
same "its exit status" 3 "$($b sh -c 'exit 3'; echo $?)"
same "its own file" "$b" "$($b readlink /proc/self/exe)"
same "its name" busybox "$($b cat /proc/self/comm)"
same "its command line" "$b cat /proc/self/cmdline " "$($b cat /proc/self/cmdline | tr '\0' ' ')"
same "a pipe of guests" 6 "$($b seq 1 10 | $b sed -n 6p | $b tr -d a)"
same "a guest executes guests and native programs" "a b" "$($b sh -c "$b echo a; /bin/busybox echo b" | tr '\n' ' ' | sed 's/ $//')"
printf '#!%s sh\necho script $1\n' "$b" >script
chmod 755 script
same "a script of a guest's" "script x" "$(./script x)"
cp "$b" copy
chmod 4755 copy
same "set-user-ID" 0 "$(setpriv --reuid 1000 --regid 1000 --clear-groups ./copy id -u 2>&1)"
chmod 711 copy
same "unreadable" works "$(setpriv --reuid 1000 --regid 1000 --clear-groups ./copy echo works 2>&1)"
mkdir root
cp "$b" root/sh
same "in a chroot with nothing else" inside "$(chroot root /sh -c 'echo inside' 2>&1)"
same "in new namespaces" "1 root" "$(unshare -U -r -p -f -m chroot root /sh -c 'echo $$ root' 2>&1)"
for p in "$guests"/*; do
	name=$(basename "$p")
	case $name in busybox | *.*) continue ;; esac
	case " ${GUEST_SKIP-ptrace sigstorm} " in *" $name "*) continue ;; esac
	if out=$("$p" 2>&1); then
		result ok "$name"
	else
		result "not ok" "$name"
		echo "$out" | grep -v '^ok' | head -n 10 | sed 's/^/# /'
	fi
done
echo "1..$n"
cd / && rm -rf "$dir"
exit $bad
