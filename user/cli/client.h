/* SPDX-License-Identifier: MIT */
/* The server seen from a tool: connections, messages, descriptors; see client.c. */
#ifndef DRAGOMAN_CLI_CLIENT_H
#define DRAGOMAN_CLI_CLIENT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "dragoman/protocol.h"

/* Who answers at the other end, as the kernel tells. */
struct cli_peer {
	pid_t pid;
	uid_t uid;
	char address[PATH_MAX];		/* of the socket; "@..." is an abstract name */
};

/*
 * Connects to the server: the one that DRAGOMAN_SOCKET names, and no other, or the system's, or the user's own. What is neither
 * root's nor the caller's is passed over. A descriptor, or -errno (-ENOENT: no server). peer may be NULL.
 */
int cli_connect(struct cli_peer *peer);

/* The user's own server's socket; -ENAMETOOLONG. */
int cli_own_socket(char *path, size_t max);

/* One message, with fd if it is not -1. 0 or -errno. */
int cli_send(int sock, const void *message, size_t size, int fd);

/*
 * One message into buf, waiting for at most timeout ms (-1: without end). Its size, or -errno: -ETIMEDOUT; -ECONNRESET: the server has
 * closed; -EPROTO: its length is not what its header says. A descriptor that came with it goes to *fd (else -1); fd NULL: none is wanted.
 */
int cli_receive(int sock, void *buf, size_t max, int *fd, int timeout);

/* Sends a message without contents and takes the server's word for how it went: 0 or -errno. timeout in ms. */
int cli_command(int sock, enum drg_type type, int timeout);

/* The server's status as JSON text (malloc), or NULL with *err = -errno; -ENOENT: no server. peer is filled. */
char *cli_server_status(struct cli_peer *peer, int *err);

#endif
