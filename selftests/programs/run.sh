#!/bin/bash
# SPDX-License-Identifier: MIT
# Real Debian arm64 programs beside the same ones on the host: each line of commands.txt runs in two equal folders;
# stdout, the files left and the exit status have to be equal. In: commands.txt, packages; RUNNER (default
# "build/dragoman run"; qemu-aarch64 checks the list itself); arguments pick lines that contain one of them; V=1 adds
# the host's result to each, which shows lines that test nothing but an error.
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
export LC_ALL=C TZ=UTC BUILD=${BUILD:-build}
lines=selftests/programs/commands.txt
RUNNER=${RUNNER:-$BUILD/dragoman run}
if [ "$RUNNER" = "$BUILD/dragoman run" ]; then
	RUNNER="$PWD/$BUILD/dragoman run"
	[ -x "$BUILD/dragoman-rt" ] || skip_all "$BUILD/dragoman-rt is not built"
fi

packages=$(sed '/^#/d' selftests/programs/packages)
scripts/deps.sh programs || skip_all "the host's counterparts cannot be installed"
# shellcheck disable=SC2086
scripts/arm64-root.sh $packages || skip_all "the arm64 packages cannot be fetched"
root=$(realpath "$BUILD/arm64-root")
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT

# The files that the commands work on: the same bytes each time.
make_files() {
	mkdir -p "$1/tree/sub/deep" "$1/tree2" && cd "$1" || exit 1
	seq 1 1500 | awk '{ print ($1 * 7919) % 10007 }' >numbers
	awk 'BEGIN { for (i = 0; i < 400; i++) { s = ""; x = i * 48271 % 65537
		for (j = 0; j < 3 + i % 5; j++) { s = s sprintf("%c", 97 + x % 26); x = int(x / 3) + 7 }; print s } }' | sort >words
	cat >text <<'T'
The quick brown fox jumps over the lazy dog, and does so
	with a tab; then it looks at the end of the world.

Some of those lines hold words that look like others: one, two, three,
three, two, one. The needle is not here.
It costs 12.50 or 1e3, in 2024.
T
	sed 's/lazy/idle/; 5d' text >text.new
	awk 'BEGIN { x = 12345; for (i = 0; i < 30000; i++) { x = (x * 1103515245 + 12345) % 2147483648
		printf "%c", 1 + int(x / 65536) % (i % 3000 < 1500 ? 127 : 20) } }' >blob
	head -c 4000 blob >aligned
	awk 'BEGIN { for (i = 1; i <= 60; i++) printf "%03d,%s,%.3f,%d\n", i, substr("redbluegreen", i % 3 * 4 + 1, 3), (i * 37 % 61) / 7, i * i }' >data.csv
	printf '[{"n":1,"s":"a"},{"n":2,"s":"bc"},{"n":3,"s":"def"},{"n":40,"s":"gh"}]' >data.json
	printf 'a b\nb c\na d\nd c\n' >pairs
	echo 'a needle in here' >tree/one.txt
	echo two >tree/sub/two.txt
	: >tree/sub/empty
	cp blob tree/sub/deep/three.bin
	echo other >tree2/one.txt
	printf 'scale=30; 4*a(1); e(1); s(1)/3; 2^300; sqrt(2)\ndefine f(n) { if (n < 2) return 1; return n * f(n - 1); }\nf(40)\nquit\n' >script.bc
	printf 'define(`sq'\'', `eval($1 * $1)'\'')dnl\nforloop: sq(12) len(`hello'\'') ifelse(1, 2, a, b) translit(abc, a-c, x-z)\n' >macros.m4
	# RFC 8032's first test key.
	printf -- '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n' >ed25519.pem
	printf '#!/bin/sh\necho "script $# $*"\nexit 3\n' >script.sh
	cat >script.pl <<'P'
#!/usr/bin/perl
use strict;
my $n = shift;
sub hanoi { my ($k, $a, $b, $c) = @_; return 0 unless $k; return hanoi($k - 1, $a, $c, $b) + 1 + hanoi($k - 1, $c, $b, $a) }
print hanoi($n, 1, 2, 3), "\n";
open my $f, '<', 'text' or die; local $/; my $t = <$f>; print scalar reverse($t); print ucfirst lc sprintf("%s|%08.3f\n", "ABC", 2.5);
P
	cat >script.py <<'P'
import collections, itertools, sys
n = int(sys.argv[1])
sieve = [True] * n
for i in range(2, n):
    if sieve[i]:
        for j in range(i * i, n, i): sieve[j] = False
print([i for i in range(2, n) if sieve[i]])
class P:
    def __init__(self, x): self.x = x
    def __repr__(self): return f"P({self.x:.3f})"
print(sorted((P(x / 7) for x in range(5)), key=lambda p: -p.x))
print(collections.Counter(open("text").read()).most_common(5))
print(list(itertools.permutations("abc")))
try: {}["k"]
except KeyError as e: print("KeyError", e)
P
	chmod +x script.*
	find . -exec touch -h -d @1600000000 {} +
}

# What a command left behind: names, modes, contents.
state() {
	(cd "$1" && find . -printf '%p %y %m %l\n' | sort && find . -type f ! -name db -print0 | sort -z | xargs -0 sha256sum)
}

# run_in FOLDER OUTPUT COMMAND...: its exit status. What it says on stderr goes to OUTPUT.err.
run_in() {
	local folder=$1 out=$2
	shift 2
	(cd "$folder" && PATH=/usr/bin:/bin HOME=/ exec timeout -k 5 "${COMMAND_TIMEOUT:-60}" "$@") >"$out" 2>"$out.err" <"$w/text"
}

# Words of a line: blanks part them, double quotes hold them together, \" is a quote; nothing else is special.
split_line() {
	python3 - "$1" <<'P'
import re, sys
for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', sys.argv[1]):
    sys.stdout.write((quoted.replace('\\"', '"') if quoted else plain) + "\0")
P
}

run_line() {
	local line=$1 program host_status guest_status why= words
	mapfile -d '' -t words < <(split_line "$line")
	program=${words[0]}
	rm -rf "$w/host" "$w/guest"
	cp -a "$w/files" "$w/host"
	cp -a "$w/files" "$w/guest"
	run_in "$w/host" "$w/host.out" "$program" "${words[@]:1}"
	host_status=$?
	# shellcheck disable=SC2086
	run_in "$w/guest" "$w/guest.out" $RUNNER -L "$root" -0 "$program" "$root/usr/bin/$program" "${words[@]:1}"
	guest_status=$?
	[ $host_status = $guest_status ] || why="exit $guest_status, host $host_status; "
	cmp -s "$w/host.out" "$w/guest.out" || why="${why}stdout differs; "
	[ "$(state "$w/host")" = "$(state "$w/guest")" ] || why="${why}files differ; "
	[ -z "${V:-}" ] || echo "# exit $host_status, $(wc -c <"$w/host.out") bytes: $(head -c 60 "$w/host.out.err" | head -n 1)"
	if [ -z "$why" ]; then
		ktap_result ok "$line"
		return
	fi
	ktap_result "not ok" "$line: ${why%; }"
	diff "$w/host.out" "$w/guest.out" | head -n 6 | cut -c 1-200 | sed 's/^/# /'
	head -n 3 "$w/guest.out.err" | sed 's/^/# stderr: /'
}

(make_files "$w/files") || skip_all "the test files cannot be made"
cp "$w/files/text" "$w/text"
while IFS= read -r line; do
	[[ -z $line || $line == \#* ]] && continue
	if [ $# != 0 ]; then
		hit=
		for p; do [[ $line == *"$p"* ]] && hit=1; done
		[ $hit ] || continue
	fi
	run_line "$line" </dev/null
done <$lines
finish
