#!/bin/bash
# SPDX-License-Identifier: MIT
# scripts/check-layers.py finds each kind of breach, and lets pass what is allowed: small trees made here.
cd "$(dirname "$0")/../.." || exit 1
. scripts/ktap.sh
script=$PWD/scripts/check-layers.py
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
mkdir -p "$w"/user/{base,ir,opt,codegen,translate,runtime,cli,guest/a/linux,guest/b,host/h} "$w"/{kmod,include/uapi/linux}
for h in base/b.h ir/i.h opt/o.h codegen/c.h translate/t.h runtime/r.h guest/guest.h guest/a/ga.h guest/b/gb.h host/h/hh.h; do
	: >"$w/user/$h"
done
: >"$w/include/uapi/linux/dragoman.h"

# includes FILE LINE: does the script accept a tree whose FILE has that line?
accepts() {
	echo "$2" >"$w/$1"
	python3 -B "$script" "$w" >/dev/null
	local status=$?
	rm "$w/$1"
	return $status
}
good() { check "allowed: $1: $2" accepts "$1" "$2"; }
refuses() { ! accepts "$@"; }
bad() { check "refused: $1: $2" refuses "$1" "$2"; }

good user/ir/x.c '#include "base/b.h"'
good user/guest/a/x.c '#include "ir/i.h"'
good user/guest/a/x.c '#include "ga.h"'
good user/guest/a/linux/x.c '#include "guest/a/ga.h"'
good user/guest/x.c '#include "a/ga.h"'
good user/codegen/x.c '#include "guest/guest.h"'
good user/host/h/x.c '#include "codegen/c.h"'
good user/translate/x.c '#include "guest/a/ga.h"'
good user/runtime/x.c '#include "translate/t.h"'
good user/runtime/x.c '#include <linux/futex.h>'
good user/runtime/x.c '#include <stdint.h>'
good user/cli/x.c '#include <stdio.h>'
good kmod/x.c '#include <linux/dragoman.h>'
bad user/base/x.c '#include "ir/i.h"'
bad user/opt/x.c '#include "codegen/c.h"'
bad user/guest/a/x.c '#include "../b/gb.h"'
bad user/guest/a/x.c '#include "host/h/hh.h"'
bad user/host/h/x.c '#include "guest/a/ga.h"'
bad user/translate/x.c '#include "runtime/r.h"'
bad user/ir/x.c '#include "nowhere.h"'
bad user/ir/x.c '#include <string.h>'
bad user/runtime/x.c '#include <sys/mman.h>'
bad kmod/x.c '#include "../user/base/b.h"'
bad include/uapi/linux/x.h '#include "../../../user/base/b.h"'

printf '#ifdef DRAGOMAN_HOSTED\n#include <string.h>\n#endif\n' >"$w/user/base/x.c"
check "allowed: libc in hosted builds" python3 -B "$script" "$w"
printf '#ifdef DRAGOMAN_HOSTED\n#else\n#include <string.h>\n#endif\n' >"$w/user/base/x.c"
check "refused: libc in the other branch" bash -c "! python3 -B '$script' '$w'"
finish
