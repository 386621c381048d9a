#!/bin/bash
# SPDX-License-Identifier: MIT
# After `dragoman enable aarch64`, `podman run --platform linux/arm64` and `buildah bud --isolation chroot` work with
# images that have nothing of ours. A native container goes first: where that cannot run, nothing here can be told.
. "$(dirname "$0")/lib.sh"
scripts/deps.sh podman >/dev/null 2>&1 || skip_all "podman and runc cannot be installed"
scripts/arm64-root.sh busybox-static bash coreutils >/dev/null 2>&1 || skip_all "the arm64 packages cannot be fetched"
root=$(realpath "$BUILD/arm64-root")

# Limits that podman would raise need a capability that containers of CI machines lack: ask for what there is.
limits="--ulimit nofile=512:512 --ulimit nproc=500:500"
where="--root $w/storage --runroot $w/run --storage-driver vfs"
podman() { timeout 100 podman $where --tmpdir "$w/tmp" --cgroup-manager cgroupfs --runtime runc --events-backend none "$@"; }
run() { podman run --rm $limits --network none "$@"; }
out() { "$@" 2>&1; echo "=$?"; }
podman_cleanup() { podman rm -fa >/dev/null 2>&1; }
trap 'podman_cleanup; system_restore' EXIT

mkdir -p "$w/native/bin" "$w/arm64/bin" "$w/arm64/proc" "$w/arm64/tmp"
cp "$(command -v busybox)" "$w/native/bin/busybox" || skip_all "the host has no busybox"
ln -s busybox "$w/native/bin/sh"
cp "$root/bin/busybox" "$w/arm64/bin/busybox"
for applet in sh ls id uname ps sleep readlink cat hostname; do
	ln -s busybox "$w/arm64/bin/$applet"
done
native=$(out run --rootfs "$w/native" /bin/sh -c 'echo native')
[ "$native" = "native
=0" ] || skip_all "no native container runs here: $(tail -n 2 <<<"$native" | head -n 1 | cut -c 1-200)"

tar -C "$w/arm64" -c . | quiet podman import --os linux --arch arm64 - localhost/arm64
same "podman import" 0 "${PIPESTATUS[1]}"
same "podman run --platform linux/arm64" "aarch64
=5" "$(out run --platform linux/arm64 localhost/arm64 /bin/sh -c 'uname -m; exit 5')"
same "an ordinary user without capabilities" "1000 /bin/busybox
=0" "$(out run --platform linux/arm64 --user 1000:1000 --cap-drop all --security-opt no-new-privileges localhost/arm64 \
	/bin/sh -c 'echo $(id -u) $(readlink /proc/self/exe)')"
same "a read-only container" "1
=0" "$(out run --platform linux/arm64 --read-only localhost/arm64 /bin/sh -c 'echo $$')"
same "ps in it" "1 /bin/sh
=0" "$(out run --platform linux/arm64 localhost/arm64 /bin/sh -c 'ps -o pid,args | { read -r _; read -r pid name _; echo $pid $name; }')"
same "a root of packages" "aarch64 6
=0" "$(out run --platform linux/arm64 --rootfs "$root:O" /bin/bash -c 'echo $(uname -m) $(seq 6 | wc -l)' | sed '/level=warning/d')"
if quiet podman run -d --name nap $limits --network none --platform linux/arm64 localhost/arm64 /bin/sleep 60; then
	same "podman exec" "aarch64
=0" "$(out podman exec nap /bin/sh -c 'uname -m')"
	same "podman top" "/bin/sleep" "$(podman top nap args 2>/dev/null | sed -n 's/ .*//; 2p')"
	check "podman rm -f" quiet podman rm -f -t 1 nap
else
	check "podman run -d" false
fi

if command -v buildah >/dev/null; then
	printf 'FROM localhost/arm64\nRUN uname -m >/machine\nCMD ["/bin/cat", "/machine"]\n' >"$w/Containerfile"
	check "buildah bud --isolation chroot" eval 'timeout 200 buildah $where bud --isolation chroot --platform linux/arm64 \
		--pull=never $limits -t localhost/built -f "$w/Containerfile" "$w/native" >"$w/bud.log" 2>&1'
	sed 's/^/# /' "$w/bud.log" | tail -n 3
	same "what it built" "aarch64
=0" "$(out run --platform linux/arm64 localhost/built)"
else
	skip "buildah" "it is not installed"
fi
finish
