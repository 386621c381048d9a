// SPDX-License-Identifier: MIT
/* For tests of the server's parts without its main.c: the globals that are defined there. */
#include "server/server.h"
#include "translator_id.h"

struct srv_options srv_opt;
const u8 srv_translator[32] = DRAGOMAN_TRANSLATOR_ID;

void srv_tell_ready(void)
{
}
