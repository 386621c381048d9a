/* SPDX-License-Identifier: MIT */
/*
 * What BPF programs and the programs that load them agree on, beyond one tool.
 */
#ifndef DRAGOMAN_BPF_NAMES_H
#define DRAGOMAN_BPF_NAMES_H

#define PROGRAM_NAME	32	/* bytes of a program's name with the NUL; longer ones are cut */
#define EXEC_PATH	64	/* bytes of the path that was executed with the NUL, as much as the tracepoint has */
#define MAX_REQUESTS	16384	/* in flight that a tool remembers; more than the module queues */

#endif
