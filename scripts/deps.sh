#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh GROUP...: installs those Debian packages of the groups that are missing, by apt-get. In: names from the
# list below; out: exit 0 when all are there. What is there already is never touched or updated.
# "a|b" is satisfied by either; the first is installed.
set -eu

packages() {
	case $1 in
	build) echo gcc libc6-dev make python3 binutils libssl-dev libzstd-dev libjson-c-dev ;;
	demo)  echo apt dpkg tar "busybox-static|busybox" coreutils grep sed bash ;;
	check) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross binutils-aarch64-linux-gnu \
		    "qemu-user|qemu-user-static" libcapstone-dev ;;
	programs) echo coreutils bash dash grep sed gawk perl-base python3 gzip bzip2 xz-utils zstd tar findutils \
		       diffutils sqlite3 lua5.4 openssl bc file jq m4 ;;
	bench) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross "qemu-user|qemu-user-static" bash coreutils sed tar \
		    util-linux gzip bzip2 xz-utils zstd sqlite3 lua5.4 openssl perl-base ;;
	stress) echo stress-ng ;;
	debootstrap) echo debootstrap debian-archive-keyring util-linux procps ;;
	podman) echo podman buildah runc busybox-static ;;
	bpf)   echo clang bpftool libbpf-dev libelf-dev zlib1g-dev ;;
	kmod)  echo linux-headers-amd64 ;;
	dkms)  echo dkms kmod ;;
	vm)    echo qemu-system-x86 busybox-static cpio xz-utils make gcc libc6-dev gcc-12 libelf1 pahole kmod ;;
	vm-newest) echo mmdebstrap ;;
	vm-build) echo flex bison bc libelf-dev libssl-dev pahole cpio kmod ;;
	*)     echo "deps.sh: no group $1" >&2; exit 2 ;;
	esac
}

installed() {
	for one in $(echo "$1" | tr '|' ' '); do
		case $(dpkg-query -W -f '${db:Status-Status}' "$one" 2>/dev/null) in
		installed) return 0 ;;
		esac
	done
	return 1
}

missing=
for group; do
	list=$(packages "$group")
	for p in $list; do
		installed "$p" || missing="$missing ${p%%|*}"
	done
done
missing=$(echo $missing | tr ' ' '\n' | sort -u | tr '\n' ' ')
[ -n "${missing% }" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "deps.sh: missing: $missing; install them, or run this as root" >&2
	exit 1
fi
echo "installing: $missing"
export DEBIAN_FRONTEND=noninteractive
install() {
	apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 $missing </dev/null >"$log" 2>&1
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install || { apt-get update -qq >>"$log" 2>&1 && install; } || { tail -n 20 "$log" >&2; exit 1; }
