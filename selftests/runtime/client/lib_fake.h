/* SPDX-License-Identifier: MIT */
/*
 * A server that misbehaves as it is told, and a small guest program to ask it about. For test_client.c.
 */
#ifndef SELFTESTS_FAKE_H
#define SELFTESTS_FAKE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dragoman/protocol.h"

/* How the server answers ATTACH. */
enum fake_mode {
	FAKE_GOOD,			/* an object with all code */
	FAKE_EMPTY,			/* an object without code: misses come */
	FAKE_CORRUPT,			/* a byte of its code is changed */
	FAKE_LATER, FAKE_NEVER, FAKE_ERROR,
	FAKE_SHORT, FAKE_LONG, FAKE_WRONG_SIZE, FAKE_GARBAGE, FAKE_WRONG_TYPE, FAKE_WRONG_COUNT,
	FAKE_NO_FD, FAKE_TWO_FDS, FAKE_FD_UNASKED, FAKE_PIPE, FAKE_FILE,
	FAKE_UNSEALED, FAKE_NO_GROW, FAKE_WRITABLE,
	FAKE_LARGER, FAKE_SMALLER, FAKE_MAGIC, FAKE_TRANSLATOR, FAKE_FEATURES, FAKE_NO_FEATURES, FAKE_MACHINE, FAKE_PARTS,
	FAKE_OTHER_FILE, FAKE_OTHER_TIME, FAKE_OTHER_FILE_SIZE,
	FAKE_GROWS,			/* without code; then wrong code for what comes after the program's read */
	FAKE_LATE, FAKE_SILENT, FAKE_NO_ACCEPT, FAKE_CLOSE,
	FAKE_MODES
};

/* What it saw; shared memory. */
struct fake_seen {
	volatile uint32_t connections, attaches, bad, nmiss, nreport;
	volatile uint32_t miss[256];
	volatile uint64_t report_kind[16], report[16];
};

/* Starts a server at the path; its process. */
pid_t fake_start(const char *path, enum fake_mode mode, struct fake_seen *seen);

/* Waits until it has seen all that was sent before. */
void fake_sync(const char *path);

/* Writes a guest program that prints "ok", waits for a byte, jumps, calls an unknown system call, and exits with 7. */
#define FAKE_PROGRAM_STATUS 7
#define FAKE_GROWN_STATUS 9		/* with the code that FAKE_GROWS adds */
#define FAKE_PROGRAM_SYSCALL 4444
void fake_program(const char *path, bool fixed);
#endif
