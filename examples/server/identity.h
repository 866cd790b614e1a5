/*
 * Who is calling. Tenant and user come from what was verified (a key, a token), never from the body or a header of the client's choice.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "http_front.h"

enum { CALLER_NAME_MAX = 255, CALLER_CREDENTIAL_MAX = 63 };

typedef struct caller {
  char tenant[CALLER_NAME_MAX + 1], user[CALLER_NAME_MAX + 1];
  size_t tenant_len, user_len;
  bool anonymous;
  char credential[CALLER_CREDENTIAL_MAX + 1]; /* the id of a key, or "jwt:" and the id of its key: for logs, never the secret */
} caller;

struct server_settings;
typedef struct identity identity;

/* Reads keys and key sets as the settings say. NULL after a message in `why`. */
identity *identity_open(const struct server_settings *settings, char why[512]);
/* Whatever waits (a fetch of keys over the network) is done on a worker; this never waits. False: `why` says what to answer. */
bool identity_find(identity *ids, const http_request *request, int64_t now_s, caller *out, http_problem *why);
/* Headers that go with every answer to this request, of CORS for one. */
void identity_headers(const identity *ids, const http_request *request, http_headers *out);
/* One line for people: how callers are told apart. */
void identity_describe(const identity *ids, cli_bytes *out);
/* Work that may wait (key sets that are due); called by a worker every few seconds. */
void identity_refresh(identity *ids, int64_t now_s);
void identity_close(identity *ids);

#endif
