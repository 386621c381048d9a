# The workload of the fault tests, run by an arm64 bash with arm64 programs: short processes and some work, all results on stdout.
# SPDX-License-Identifier: MIT
set -e
for i in 1 2 3; do
	echo "$i: $(seq "$i" 200 | awk '{ s += $1 * $1 } END { print s }') $(printf 'line %s\n' "$i" | sed 's/line/LINE/' | sha256sum)"
done
perl -e 'my %h; for my $i (1 .. 20000) { $h{$i % 997} .= chr(65 + $i % 26) } print join(",", map { length $h{$_} } sort { $a <=> $b } keys %h) =~ tr/0-9//, "\n";
	printf "%.12g\n", eval { my $s = 0; $s += sin($_) * sqrt($_) for 1 .. 5000; $s }'
seq 1 20000 | gzip -c | gzip -dc | md5sum
x=0
for ((i = 0; i < 3000; i++)); do x=$(((x * 31 + i) % 1000003)); done
echo "bash: $x"
for i in 1 2 3 4 5; do true; echo "$(expr $i \* 7) $(basename /a/b/c$i)"; done
(kill -TERM $BASHPID) 2>/dev/null || echo "signal: $?"
