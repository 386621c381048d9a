#!/bin/sh
# SPDX-License-Identifier: MIT
#
# icount.sh [NAME...]: host instructions per guest instruction in warm code, for a fixed corpus of small kernels. No clock is
# involved, so it can be compared between two commits on any machine (that has the same vector extensions). In: names
# of the corpus below; out: a table, and build/bench/icount.csv.
#
# Guest instructions are counted by qemu-aarch64, one block per instruction; the host's by single-stepping (icount.c); natively
# the same, for what the host's own compiler makes of the source.
set -eu
cd "$(dirname "$0")/.."
export BUILD="${BUILD:-build}" LC_ALL=C
out=$BUILD/bench
RUNNER=${RUNNER:-$BUILD/dragoman run}

# Counts for some ten thousands of guest instructions, which is what single-stepping does in a second or two.
corpus="fib:15 interp:150 vcall:25 flags:400 bigmul:3 crc:1 strtol:30 queens:1 gcd:60 bits:700 memcpy_small:60 strops:1
	nbody:50 mandelbrot:2 fmix:600 libm:40 simd_f32:1 dot:10 matrix_f32:10 blend:1 mutex1:400"

scripts/deps.sh build bench
[ "$RUNNER" != "$BUILD/dragoman run" ] || make -s -j"$(nproc)" BUILD="$BUILD" all
mkdir -p "$out/icount.d"
${CC:-gcc} -D_GNU_SOURCE -O2 -Wall -Wextra -o "$out/icount" bench/icount.c

# guest_count PROGRAM COUNT TIMES
guest_count() {
	qemu-aarch64 -singlestep -d exec,nochain "$@" 2>&1 >/dev/null | grep -c '^Trace'
}

echo "name,guest,host,native,ratio" >"$out/icount.csv"
printf '%-14s %10s %10s %10s %12s\n' kernel guest host native host/guest
for entry in $corpus; do
	name=${entry%:*} n=${entry#*:}
	case " $* " in "  " | *" $name "*) ;; *) continue ;; esac
	native=$out/icount.d/$name.native arm64=$out/icount.d/$name.arm64
	${CC:-gcc} -std=gnu11 -O2 -static -pthread -o "$native" "bench/kernels/$name.c" bench/kernels/main.c -lm
	${GUEST_CC:-aarch64-linux-gnu-gcc} -std=gnu11 -O2 -static -pthread -o "$arm64" "bench/kernels/$name.c" \
		bench/kernels/main.c -lm
	# Three times: our own code is warm, branches are linked.
	host=$("$out/icount" $RUNNER "$arm64" "$n" 3 2>&1 >/dev/null) || host=
	own=$("$out/icount" "$native" "$n" 3 2>&1 >/dev/null) || own=
	guest=$(($(guest_count "$arm64" "$n" 2) - $(guest_count "$arm64" "$n" 1)))
	case $host in
	'' | *[!0-9]*) printf '%-14s %10s %10s\n' "$name" "$guest" failed; continue ;;
	esac
	echo "$name $guest $host $own"
done | awk -v csv="$out/icount.csv" '
NF != 4 { print; next }
{
	r = $3 / $2; logs += log(r); n++
	printf "%-14s %10d %10d %10d %12.2f\n", $1, $2, $3, $4, r
	printf "%s,%d,%d,%d,%.3f\n", $1, $2, $3, $4, r >>csv
	fflush()
}
END { if (n) printf "geometric mean of %d: %.2f\n", n, exp(logs / n) }'
