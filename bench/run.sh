#!/bin/sh
# SPDX-License-Identifier: MIT
#
# make bench: installs and builds what the chosen benchmarks need, then lets bench.py measure. In: the options of
# bench.py (--help), $ONLY (groups or items), $RUNNER (words that run an arm64 program instead of ours), $BUILD; out: a
# table, build/bench/results.csv and results.svg.
#
# run.sh shared [PART...]: only what the server and its cache are for (shared.py). That comes last when everything is measured.
set -eu
cd "$(dirname "$0")/.."
export BUILD="${BUILD:-build}" LC_ALL=C PYTHONDONTWRITEBYTECODE=1
out=$BUILD/bench

shared=
case "${ONLY:-}${1:-}" in
shared) shared=only ;;
"") shared=last ;;
esac
if [ "$shared" = only ]; then
	[ $# = 0 ] || shift
	unset ONLY
fi

case " $* " in
*" --list "* | *" --help "* | *" -h "*) exec python3 bench/bench.py "$@" ;;
esac
if [ "$shared" = only ]; then
	needs="root gcc work src"
else
	needs=$(python3 bench/bench.py --needs "$@")
fi
need() {
	case " $needs " in *" $1 "*) return 0 ;; esac
	return 1
}

scripts/deps.sh build bench
[ -n "${RUNNER:-}" ] || make -s -j"$(nproc)" BUILD="$BUILD" all
[ -z "$shared" ] || make -s BUILD="$BUILD" "$BUILD/tests/tool_client" "$BUILD/tests/tool_speed"
mkdir -p "$out/native" "$out/arm64"

# newer TARGET SOURCE...: those that are newer than TARGET.
newer() {
	target=$1
	shift
	if [ -e "$target" ]; then find "$@" -newer "$target"; else echo "$@"; fi
}

# build_all COMPILER FOLDER: the kernels and the two hellos, where older than their sources.
build_all() {
	for source in bench/kernels/*.c; do
		name=$(basename "$source" .c)
		if [ "$name" != main ] && [ -n "$(newer "$2/$name" "$source" bench/kernels/main.c bench/kernels/kernel.h)" ]; then
			$1 -std=gnu11 -O2 -Wall -Wextra -static -pthread -o "$2/$name" "$source" bench/kernels/main.c -lm
		fi
	done
	[ -z "$(newer "$2/hello" bench/hello.c)" ] || $1 -O2 -static -o "$2/hello" bench/hello.c
	[ -z "$(newer "$2/hello_dynamic" bench/hello.c)" ] || $1 -O2 -o "$2/hello_dynamic" bench/hello.c
}
build_all "${CC:-gcc}" "$out/native"
build_all "${GUEST_CC:-aarch64-linux-gnu-gcc}" "$out/arm64"
[ -z "$(newer "$out/launch" bench/launch.c)" ] || ${CC:-gcc} -O2 -Wall -Wextra -o "$out/launch" bench/launch.c

if need root; then
	scripts/arm64-root.sh -d "$out/arm64-root" libc6 bash perl-base python3-minimal libpython3-stdlib gzip bzip2 xz-utils zstd \
		sqlite3 lua5.4 openssl
fi
if need gcc; then
	scripts/arm64-root.sh -d "$out/arm64-root" gcc libc6-dev make dash coreutils sed grep diffutils
fi
if need work; then
	python3 bench/inputs.py "$out/work"
fi
if need src; then
	bench/zlib.sh fetch "$out/src"
	[ -z "$shared" ] || PROJECT=bzip2 bench/zlib.sh fetch "$out/src"
	# In a chroot only a static QEMU works; unpacked, because its package would register it for the whole machine.
	if [ ! -x /usr/bin/qemu-aarch64-static ] && [ ! -d "$out/qemu-static" ]; then
		mkdir -p "$out/qemu-static"
		(cd "$out/qemu-static" && apt-get download -qq qemu-user-static >/dev/null 2>&1 &&
			dpkg-deb -x qemu-user-static_*.deb . && rm -f ./*.deb) || echo "bench: no static QEMU for the build" >&2
	fi
fi
if need qemu-new; then
	bench/qemu-new.sh || echo "bench: the newest QEMU is left out" >&2
fi
[ "$shared" != only ] || exec python3 bench/shared.py "$@"
[ "$shared" = last ] || exec python3 bench/bench.py "$@"
status=0
python3 bench/bench.py "$@" || status=$?
python3 bench/shared.py || status=$?
exit $status
