#!/bin/sh
# SPDX-License-Identifier: MIT
# The module's tests on Debian's Linux 6.1 in a virtual machine, as part of make check; `make vmtest-all` runs more.
export VM_LIMIT="${VM_LIMIT:-1500}" VM_ENV="${VM_ENV:-DRAGOMAN_SECONDS=5 DRAGOMAN_ROUNDS=15}"
exec selftests/vm/run 6.1
