/* SPDX-License-Identifier: MIT */
/* A client of the server, for tests and by hand. */
#ifndef SELFTESTS_SERVER_LIBCLIENT_H
#define SELFTESTS_SERVER_LIBCLIENT_H

#include <sys/types.h>

#include "base/types.h"
#include "dragoman/object.h"
#include "dragoman/protocol.h"

/* Connects; descriptor or -errno. */
int client_connect(const char *path);
/* Sends with descriptors. 0 or -errno. */
int client_send(int fd, const void *msg, size_t n, const int *fds, unsigned nfds);
/* Bytes, 0 at the end, or -errno (-EAGAIN after ms). Descriptors: up to 8; *nfds: how many came. */
ssize_t client_recv(int fd, void *msg, size_t room, int *fds, unsigned *nfds, int ms);
/* ATTACH of files on one connection. fds: of the objects, -1 for none. 0, or -errno as the server says or as it goes wrong. */
int client_attach(int fd, const int *files, unsigned n, u32 flags, struct drg_attached *out, int *objects);
/* The same by paths with a new connection, until no file is LATER or ms have passed. */
int client_attach_paths(const char *socket, char *const *paths, unsigned n, struct drg_attached *out, int *objects, int ms);
int client_miss(int fd, u32 generation, u32 object, const u32 *pc, unsigned n);
/* A message without contents; the error that the answer says, or another. */
int client_simple(const char *socket, unsigned type);
/* Waits until the index word of pc is set in the mapped object; the word, or 0 after ms. */
u32 client_wait_word(const struct dragoman_object *o, u32 pc, int ms);
u64 client_now(void);	/* microseconds */

#endif
