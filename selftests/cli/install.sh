#!/bin/bash
# SPDX-License-Identifier: MIT
# `make install` and `uninstall`: what gets where, that it runs from there, that systemd, udev and dkms can use it, that nothing stays behind.
# dkms builds the module against each kernel whose headers are here. Nothing outside of an empty folder is changed: dkms' own folder is a tmpfs
# of a private mount namespace.
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
export BUILD=${BUILD:-build} LC_ALL=C
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
chmod 755 "$w"
x=$w/x
quiet() { "$@" >/dev/null 2>"$w/said" || { tail -n 5 "$w/said" | sed 's/^/# /'; return 1; }; }
installed() { (cd "$1" && find . -type f | cut -c 3- | sort | tr '\n' ' '); }
modes() { find "$x" -type f -perm "$1" | sed 's|.*/||' | sort | tr '\n' ' '; }

check "make install" quiet make -s install DESTDIR="$x" PREFIX=/usr
same "programs, units, rules, completion" "usr/bin/dragoman usr/lib/modules-load.d/dragoman.conf usr/lib/systemd/system/dragomand.service \
usr/lib/systemd/system/dragomand.socket usr/lib/udev/rules.d/70-dragoman.rules $([ ! -e "$BUILD/dragoman-bpf" ] || echo usr/libexec/dragoman/dragoman-bpf) \
usr/libexec/dragoman/dragoman-rt usr/libexec/dragoman/dragomand usr/share/bash-completion/completions/dragoman " \
	"$(installed "$x" | tr ' ' '\n' | grep -v '^usr/src/' | tr '\n' ' ')"
same "the module's sources" "$( (echo Kbuild dkms.conf include/uapi/linux/dragoman.h module-btf.py; cd kmod && ls *.[ch] | sed 's|^|kmod/|') | tr ' ' '\n' | sort | tr '\n' ' ')" \
	"$(installed "$x"/usr/src/dragoman-*)"
same "what can be executed" "dragoman $([ ! -e "$BUILD/dragoman-bpf" ] || echo 'dragoman-bpf ')dragoman-rt dragomand module-btf.py " "$(modes 755)"
same "everything else is 644" "" "$(find "$x" -type f ! -perm 755 ! -perm 644)"
same "no template is left" "" "$(grep -rlE '@[A-Z]+@' "$x/usr/lib" "$x/usr/src")"
check "the paths are those that will be, not DESTDIR's" eval "! grep -rlF '$w' '$x/usr/lib' '$x/usr/src'"

# It runs where it is, whatever its folder is called.
same "dragoman" "$("$BUILD/dragoman" --version)" "$("$x/usr/bin/dragoman" --version)"
same "dragomand" "$("$BUILD/dragomand" --version)" "$("$x/usr/libexec/dragoman/dragomand" --version)"
g=$(find "$BUILD/guest" -maxdepth 1 -type f -name process 2>/dev/null)
if [ -n "$g" ]; then
	check "the installed runtime is found" quiet "$x/usr/bin/dragoman" run --no-server "$g"
else
	skip "the installed runtime is found" "no arm64 program is built"
fi
check "completion" quiet bash -c ". '$x/usr/share/bash-completion/completions/dragoman'; complete -p dragoman"

# Units: PREFIX is where the program is, as systemd looks for it.
check "make install to another PREFIX" quiet make -s install PREFIX="$w/usr" SRCDIR="$w/usr/src/dragoman"
if command -v systemd-analyze >/dev/null; then
	check "systemd's opinion of the units" quiet systemd-analyze verify "$w/usr/lib/systemd/system/dragomand.service" "$w/usr/lib/systemd/system/dragomand.socket"
	same "and no word of ours" "" "$(grep -i dragoman "$w/said")"
else
	skip "systemd's opinion of the units" "no systemd here"
fi
if udevadm verify --help >/dev/null 2>&1; then
	check "udev's opinion of the rule" quiet udevadm verify "$x/usr/lib/udev/rules.d/70-dragoman.rules"
else
	skip "udev's opinion of the rule" "no udevadm that verifies (systemd 254) here"
fi
same "modules-load names one module" dragoman "$(grep -v '^#' "$x/usr/lib/modules-load.d/dragoman.conf")"

# dkms, in a mount namespace.
dkms_test() {
	local kernel=$1 tree options=(--sourcetree "$x/usr/src" --installtree "$w/lib" --no-depmod) version
	version=$("$BUILD/dragoman" --version | grep -oE '[0-9.]+$')
	mkdir -p "$w/lib/$kernel"
	check "$kernel: dkms add" quiet dkms add "dragoman/$version" "${options[@]}"
	same "$kernel: dkms understands its configuration" "" "$(grep -i error "$w/said")"
	check "$kernel: dkms build" quiet dkms build "dragoman/$version" -k "$kernel" "${options[@]}"
	tree=/var/lib/dkms/dragoman/$version/$kernel
	same "$kernel: without a warning" "" "$(grep -i 'warning:' "$tree"/*/log/make.log)"
	check "$kernel: dkms install" quiet dkms install "dragoman/$version" -k "$kernel" "${options[@]}"
	tree=$(find "$w/lib" -name 'dragoman.ko*')
	same "$kernel: the module" "$version $kernel" "$(modinfo -F version "$tree") $(modinfo -F vermagic "$tree" | cut -d ' ' -f 1)"
	check "$kernel: dkms remove" quiet dkms remove "dragoman/$version" --all "${options[@]}"
	same "$kernel: nothing stays" "" "$(find "$w/lib" /var/lib/dkms -name '*dragoman*')"
}
with_dkms() {
	local kernel
	mount -t tmpfs none /var/lib/dkms || return
	for kernel in /lib/modules/*/build; do
		kernel=${kernel%/build}
		[ ! -e "/lib/modules/${kernel##*/}/build/Makefile" ] || dkms_test "${kernel##*/}"
	done
}
if [ "$(id -u)" != 0 ] || ! unshare --mount true 2>/dev/null; then
	skip dkms "needs root and a mount namespace"
elif ! scripts/deps.sh dkms kmod >/dev/null 2>&1; then
	skip dkms "dkms or the kernel's headers cannot be installed"
else
	export x w
	export -f dkms_test with_dkms quiet check same ktap_result skip
	unshare --mount --propagation private bash -c 'ktap_n=0 ktap_bad=0; with_dkms; echo "# $ktap_n"' >"$w/dkms"
	# its lines get our numbers
	while read -r line; do
		case $line in
		ok*) ktap_result ok "${line#ok * }" ;;
		not\ ok*) ktap_result "not ok" "${line#not ok * }" ;;
		*) echo "$line" ;;
		esac
	done <"$w/dkms"
	check "dkms has been tried" grep -q "dkms remove" "$w/dkms"
fi

check "make uninstall" quiet make -s uninstall DESTDIR="$x" PREFIX=/usr
same "no file is left" "" "$(installed "$x")"
same "and no folder of ours" "" "$(find "$x" -name '*dragoman*')"
check "make uninstall again is no error" quiet make -s uninstall DESTDIR="$x" PREFIX=/usr
check "make uninstall of the other" quiet make -s uninstall PREFIX="$w/usr" SRCDIR="$w/usr/src/dragoman"
same "nothing of that either" "" "$(installed "$w/usr")"
finish
