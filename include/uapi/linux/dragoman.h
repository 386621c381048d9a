/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The ABI between the dragoman module, the server and the runtime: what goes through the device.
 *
 * Versions: both sides say major and minor first. A different major is refused; the smaller minor holds.
 * Structures grow at their end only, and what is named padding must be zero.
 *
 * Changes
 *   0.1  nothing but the version itself
 */
#ifndef _UAPI_LINUX_DRAGOMAN_H
#define _UAPI_LINUX_DRAGOMAN_H

#define DRAGOMAN_ABI_MAJOR	0u
#define DRAGOMAN_ABI_MINOR	1u

#endif
