/* SPDX-License-Identifier: MIT */
/*
 * KTAP output for in-guest programs: check(condition, "what", ...) counts and prints a line, plan_done() ends.
 */
#ifndef KTAP_H
#define KTAP_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ktap_begin(void);
/* Counts one test; returns ok. */
int ktap_check(int ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void ktap_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints the plan; the exit status: 1 if any failed. */
int ktap_end(void);
/* How often to do something: n times, or a tenth with KTAP_SHORT in the environment (emulated machines). */
int ktap_rounds(int n);

#define check ktap_check
#endif
