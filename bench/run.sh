#!/bin/sh
# SPDX-License-Identifier: MIT
#
# make bench: installs and builds what the chosen benchmarks need, then lets bench.py measure. In: the options of
# bench.py (--help), $ONLY (groups or items), $RUNNER (words that run an arm64 program instead of ours), $BUILD; out: a
# table, build/bench/results.csv and results.svg.
set -eu
cd "$(dirname "$0")/.."
export BUILD="${BUILD:-build}" LC_ALL=C PYTHONDONTWRITEBYTECODE=1
out=$BUILD/bench

case " $* " in
*" --list "* | *" --help "* | *" -h "*) exec python3 bench/bench.py "$@" ;;
esac
needs=$(python3 bench/bench.py --needs "$@")
need() {
	case " $needs " in *" $1 "*) return 0 ;; esac
	return 1
}

scripts/deps.sh build bench
[ -n "${RUNNER:-}" ] || make -s -j"$(nproc)" BUILD="$BUILD" all
mkdir -p "$out/native" "$out/arm64"

# build_all COMPILER FOLDER: the kernels and the two hellos, as far as they are older than their sources.
build_all() {
	for source in bench/kernels/*.c; do
		name=$(basename "$source" .c)
		[ "$name" != main ] || continue
		if [ ! -e "$2/$name" ] || [ -n "$(find "$source" bench/kernels/main.c bench/kernels/kernel.h -newer "$2/$name")" ]; then
			$1 -std=gnu11 -O2 -Wall -Wextra -static -pthread -o "$2/$name" "$source" bench/kernels/main.c -lm
		fi
	done
	[ -e "$2/hello" ] || $1 -O2 -static -o "$2/hello" bench/hello.c
	[ -e "$2/hello_dynamic" ] || $1 -O2 -o "$2/hello_dynamic" bench/hello.c
}
build_all "${CC:-gcc}" "$out/native"
build_all "${GUEST_CC:-aarch64-linux-gnu-gcc}" "$out/arm64"
[ "$out/launch" -nt bench/launch.c ] || ${CC:-gcc} -O2 -Wall -Wextra -o "$out/launch" bench/launch.c

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
fi
if need qemu-new; then
	bench/qemu-new.sh || echo "bench: the newest QEMU is left out" >&2
fi
exec python3 bench/bench.py "$@"
