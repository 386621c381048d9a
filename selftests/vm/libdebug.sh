# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Kernels with debugging on, built once: sourced by run.sh.
debug_get() { why="not there yet"; return 1; }
