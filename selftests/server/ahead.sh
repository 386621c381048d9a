#!/bin/bash
# SPDX-License-Identifier: MIT
# What is translated ahead of time is all that a program needs, the cases of its switches too, which nothing but a computed jump leads to.
. "$(dirname "$0")/../faults/libfaults.sh"
faults_begin
[ "$(command -v "${GUEST_CC:-aarch64-linux-gnu-gcc}")" ] || skip_all "no aarch64 cross compiler"
cat >"$w/switch.c" <<'C'
static volatile unsigned zero;

__attribute__((noinline)) static unsigned step(unsigned k, unsigned s)
{
	switch (k) {
	case 0: return s * 31 + zero;
	case 1: return s / 7 ^ zero;
	case 2: zero = 0; return s + 0x1234567;
	case 3: return (s << 7 | s >> 25) - zero;
	case 4: return ~s + 17;
	case 5: return s % 1000003 + zero;
	case 6: zero = 0; return s ^ s >> 3;
	case 7: return s * s + 5;
	case 8: return s & 0xf0f0f0f ? s - 1 : s + 99 + zero;
	case 9: return (s ^ 0x55555555) * 3;
	case 10: zero = 0; return __builtin_bswap32(s);
	case 11: return __builtin_clz(s | 1) + s;
	}
	return s + 1;
}

void _start(void)
{
	register long x8 __asm__("x8") = 94;
	register long x0 __asm__("x0");
	unsigned s = 1;

	for (unsigned k = 0; k < 300; k++)
		s = step(k % 13, s);
	x0 = s % 120;
	__asm__ volatile("svc 0" : : "r"(x0), "r"(x8));
}
C
${GUEST_CC:-aarch64-linux-gnu-gcc} -O2 -static -nostdlib -fno-stack-protector -o "$w/switch" "$w/switch.c" || skip_all "it does not compile"
"${GUEST_OBJDUMP:-aarch64-linux-gnu-objdump}" -d "$w/switch" 2>/dev/null | grep -q 'br	x' || skip_all "the compiler makes no computed jump of it"
DRAGOMAN_SERVER=off guest "$w/switch"
want=$?
server || finish
sleep 3			# which content a younger file has is not remembered
check "it is translated" quiet "$dragoman" translate "$w/switch"
guest "$w/switch"
same "its result" $want $?
check "its object was there" [ "$(field .attached.ok)" -gt 0 ]
sleep 0.5
same "places that were missing" 0 "$(field .misses.places)"

# What fills a hole in the text is passed over in no time.
printf '%s\n' '	.globl _start, tail' '	.type _start, %function' '	.type tail, %function' '_start:	mov x8, 94' '	mov x0, 5' '	svc 0' '	ret' '	.fill 250000, 4, 0xd65f03c0' 'tail:	b _start' >"$w/hole.S"
${GUEST_CC:-aarch64-linux-gnu-gcc} -static -nostdlib -o "$w/hole" "$w/hole.S" || skip_all "it does not assemble"
check "a file with a hole is translated" quiet timeout 40 "$dragoman" translate "$w/hole"
guest "$w/hole"
same "it runs" 5 $?
same "no worker was stuck in it" 0 "$(field .crashes)"
check "the server ends" stop_server
finish
