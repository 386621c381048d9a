#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that make code as they run, under the translator: their output has to equal the host's own (or, for LuaJIT,
# the interpreter's). In: packages. Also: small address spaces, in which translated code is thrown away over and over.
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
export LC_ALL=C TZ=UTC BUILD=${BUILD:-build}
[ -x "$BUILD/dragoman-rt" ] || skip_all "$BUILD/dragoman-rt is not built"
build=$(realpath "$BUILD")
here=$PWD/selftests/jit
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
guest_cc=${GUEST_CC:-aarch64-linux-gnu-gcc}

# under LIMIT VALUE PROGRAM...: a limit of the shell's, in KiB
under() { (ulimit "$1" "$2" && shift 2 && timeout -k 5 60 "$build/dragoman" run "$@" 2>&1); }

if [ -x "$BUILD/guest/code" ]; then
	same "100000 functions in 12 MB of data" "churn equal" "$(under -d 12000 "$build/guest/code" churn 100000)"
	same "30000 functions in 100 MB of address space" "churn equal" "$(under -v 100000 "$build/guest/code" churn 30000)"
	same "patching in 60 MB of data" "1.." "$(under -d 60000 "$build/guest/code" | grep -v "^ok\|^KTAP" | sed "s/[0-9]*$//")"
else
	skip "small address spaces" "$BUILD/guest/code is not built"
fi
if command -v "$guest_cc" >/dev/null; then
	"$guest_cc" -O1 -static -z execstack -o "$w/trampoline" "$here/trampoline.c" 2>/dev/null
	same "trampolines on the stack" 222037500 "$("$build/dragoman" run "$w/trampoline" 2>&1)"
else
	skip "trampolines on the stack" "no aarch64 cross compiler"
fi

# shellcheck disable=SC2046
if ! scripts/arm64-root.sh -d "$BUILD/arm64-jit" $(sed '/^#/d' "$here/packages"); then
	skip "node, java, luajit, python" "the arm64 packages cannot be fetched"
	finish
fi
root=$build/arm64-jit
run() { timeout -k 5 60 "$build/dragoman" run -L "$root" "$@" 2>&1; }

same "luajit" "$(run "$root/usr/bin/luajit" -joff "$here/mix.lua")" "$(run "$root/usr/bin/luajit" "$here/mix.lua")"
same "libffi closures" True "$(run "$root/usr/bin/python3" "$here/callbacks.py")"

if command -v node >/dev/null; then
	same "node" "$(node "$here/mix.js")" "$(run "$root/usr/bin/node" "$here/mix.js")"
else
	skip node "the host has no node to compare with"
fi

cd "$w" || exit 1
java=$root/usr/lib/jvm/java-17-openjdk-arm64/bin/java
if command -v java >/dev/null && javac --release 17 -d "$w" "$here/Mix.java" 2>/dev/null; then
	want=$(java -cp "$w" Mix 2)
	same "java" "$want" "$(run "$java" -cp "$w" Mix 2)"
	same "java, no second compiler" "$want" "$(run "$java" -XX:TieredStopAtLevel=1 -cp "$w" Mix 2)"
	same "java, everything compiled at once" "$(java -cp "$w" Mix 1)" "$(run "$java" -Xcomp -XX:TieredStopAtLevel=1 -cp "$w" Mix 1)"
else
	skip java "the host has no JDK to compile and compare with"
fi
finish
