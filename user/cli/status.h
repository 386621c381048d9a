/* SPDX-License-Identifier: MIT */
/* Parts of `dragoman status`: reading members of a JSON tree that may lack them; the server (status_server.c). */
#ifndef DRAGOMAN_CLI_STATUS_H
#define DRAGOMAN_CLI_STATUS_H

#include <json-c/json.h>
#include <stdbool.h>

/* Members by name; o may be NULL. What is not there, or of another type, is NULL, 0, false, "". */
struct json_object *status_member(struct json_object *o, const char *name);
int64_t status_number(struct json_object *o, const char *name);
bool status_flag(struct json_object *o, const char *name);
const char *status_text(struct json_object *o, const char *name);

/* What the server says of itself, or an object with "error" if it does not answer; NULL: none runs. */
struct json_object *status_server(void);
/* @module: it is loaded, and its programs do not knock at a socket. */
void status_print_server(struct json_object *server, bool module);
/* The line on how often programs found what they needed; with cache stat. */
void status_print_hits(struct json_object *server);

#endif
