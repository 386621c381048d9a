#!/bin/bash
# SPDX-License-Identifier: MIT
# `dragoman run`: its messages and exit statuses for files that cannot be run, and what it hands to the runtime
# (a script that prints its arguments stands in for the runtime, so this needs no translator).
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
d=$(realpath "${DRAGOMAN:-build/dragoman}")
[ -x "$d" ] || skip_all "$d is not built"
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
cd "$w" || exit 1

cat >rt <<'S'
#!/bin/bash
printf '[%s]' "$@"; echo "[$PROBE]"
S
chmod +x rt
export DRAGOMAN_RUNTIME=$w/rt
unset DRAGOMAN_SYSROOT

# An aarch64 ELF with one program header: elf FILE TYPE(2 or 3) MACHINE FILESZ [INTERP]
elf() {
	python3 - "$@" <<'P'
import struct, sys
name, etype, machine, filesz = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
interp = (sys.argv[5].encode() + b"\0") if len(sys.argv) > 5 else b""
nph = 2 if interp else 1
head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", etype, machine, 1, 0x400000, 64, 0, 0, 64, 56, nph, 0, 0, 0)
at = 64 + 56 * nph
ph = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, filesz, max(filesz, 4096), 4096)
if interp:
    ph += struct.pack("<IIQQQQQQ", 3, 4, at, 0, 0, len(interp), len(interp), 1)
open(name, "wb").write(head + ph + interp)
P
	chmod +x "$1"
}

# refuse NAME STATUS WORD ARGUMENTS...: one line on stderr that has the word, and the exit status
refuse() {
	local name=$1 status=$2 word=$3 got
	shift 3
	got=$("$d" run "$@" 2>&1 >/dev/null)
	same "$name: exit status" "$status" "$?"
	same "$name: one line" 1 "$(printf '%s\n' "$got" | wc -l)"
	check "$name: says '$word'" grep -qF -- "$word" <<<"$got"
	check "$name: begins with dragoman:" grep -q '^dragoman: ' <<<"$got"
}

elf good 2 183 100
elf interp 3 183 100 /lib/no-such-loader.so.1
mkdir -p dir root/lib root/usr/bin
cp good root/usr/bin/inroot
: >empty; chmod +x empty
echo text >text; chmod +x text
head -c 40 good >cuthead; chmod +x cuthead
head -c 70 good >cutph; chmod +x cutph
elf cutseg 2 183 5000
elf riscv 2 243 100
elf native 2 62 100
elf library 1 183 100
cp good noexec; chmod -x noexec
ln -s loop loop
mkfifo fifo; chmod +x fifo
cp good badph; printf '\x20' | dd of=badph bs=1 seek=54 conv=notrunc status=none

refuse "missing file" 127 ./missing ./missing
refuse "missing command" 127 no-such-command no-such-command
refuse "directory" 126 "is a directory" ./dir
refuse "no x permission" 126 "chmod +x" ./noexec
refuse "empty file" 126 "is empty" ./empty
refuse "neither ELF nor script" 126 "neither an ELF" ./text
refuse "truncated header" 126 "truncated" ./cuthead
refuse "truncated program headers" 126 "truncated" ./cutph
refuse "truncated segment" 126 "its segments need 5000" ./cutseg
refuse "damaged header" 126 "damaged" ./badph
refuse "foreign machine" 126 "riscv" ./riscv
refuse "native program" 126 "x86-64" ./native
refuse "object file" 126 "link it" ./library
refuse "missing interpreter" 127 "/lib/no-such-loader.so.1" ./interp
refuse "symlink loop" 126 "./loop" ./loop
refuse "path through a file" 126 "./good/x" ./good/x
refuse "fifo" 126 "regular file" ./fifo
refuse "sysroot missing" 125 "./nowhere" -L ./nowhere ./good
refuse "bad -E" 125 "VARIABLE=VALUE" -E novalue ./good

same "no program: exit status" 125 "$("$d" run 2>/dev/null; echo $?)"
same "unknown option: exit status" 125 "$("$d" run --bogus ./good 2>/dev/null; echo $?)"
same "unknown command: exit status" 2 "$("$d" bogus 2>/dev/null; echo $?)"
for c in run enable disable status; do
	check "$c --help" grep -q "^usage: dragoman $c" <("$d" $c --help)
done

same "plain" '[--run][--flags=0][--root=][--][./good][./good][a][b c][]' "$("$d" run ./good a 'b c')"
same "options" "[--run][--flags=1][--root=$w/root][--][./good][zero][-L][x][v]" \
	"$("$d" run -L root -E PROBE=v -0 zero --strace -- ./good -L x)"
same "options end at the program" '[--run][--flags=0][--root=][--][./good][./good][--strace][]' "$("$d" run ./good --strace)"
same "empty arguments" '[--run][--flags=0][--root=][--][./good][./good][][x][]' "$("$d" run ./good '' x)"
same "sysroot by variable" "[--run][--flags=0][--root=$w/root][--][./good][./good][]" \
	"$(DRAGOMAN_SYSROOT=root "$d" run ./good)"
same "absolute path below the sysroot first" "[--run][--flags=0][--root=$w/root][--][$w/root/usr/bin/inroot][/usr/bin/inroot][]" \
	"$("$d" run -L root /usr/bin/inroot)"
same "PATH below the sysroot first" "[--run][--flags=0][--root=$w/root][--][$w/root/usr/bin/inroot][inroot][]" \
	"$(PATH=/usr/bin:/bin "$d" run -L root inroot)"
same "PATH" "[--run][--flags=0][--root=][--][$w/good][good][]" "$(PATH="$w:/usr/bin:/bin" "$d" run good)"
touch root/lib/no-such-loader.so.1
same "interpreter below the sysroot" "[--run][--flags=0][--root=$w/root][--][./interp][./interp][]" \
	"$("$d" run -L root ./interp)"
printf '#!/bin/sh\n' >script; chmod +x script
same "script" '[--run][--flags=0][--root=][--][./script][./script][]' "$("$d" run ./script)"
same "no runtime: exit status" 125 "$(DRAGOMAN_RUNTIME=$w/none "$d" run ./good 2>/dev/null; echo $?)"
finish
