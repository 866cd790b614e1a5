/*
 * Who is calling. Tenant and user come from what was verified (a key, a token), never from the body or a header of the client's choice.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include "http_front.h"
#include "rate_headers.h"

enum { CALLER_NAME_MAX = 255, CALLER_CREDENTIAL_MAX = 63 };

typedef struct caller {
  char tenant[CALLER_NAME_MAX + 1], user[CALLER_NAME_MAX + 1];
  size_t tenant_len, user_len;
  bool anonymous;
  bool read_only;                             /* may ask and search, not change documents */
  char credential[CALLER_CREDENTIAL_MAX + 1]; /* the id of a key, or "jwt:" and the id of its key: for logs, never the secret */
  rate_left left;                             /* of the limit by address, for callers without a name; limit 0: none */
} caller;

struct server_settings;
typedef struct identity identity;

/* Reads keys and key sets as the settings say; `config` says where the store is. Starts threads of its own, which wait for what has
 * to be waited for (a key set over the network, keys that another process changed). NULL after a message in `why`. */
identity *identity_open(const struct server_settings *settings, const aiorch_config *config, char why[512]);
/* Of the loop's thread alone; never waits. False: `why` says what to answer (401, 403 for pages of other places and other names of this one, 429, 503). */
bool identity_find(identity *ids, const http_request *request, int64_t now_s, caller *out, http_problem *why);
/* Of what is open to everybody, and yet to be read by no page of somebody else's: whether the name that it was called by will do. */
bool identity_open_to(const identity *ids, const http_request *request, http_problem *why);
/* Where a request comes from, as server.trusted_proxies has it: the client's address, else that of the connection. */
void identity_address(const identity *ids, const http_request *request, char out[HTTP_ADDRESS_MAX]);
/* The same for a request that can wait until a look at the place of the keys has ended: HTTP_LATER, with a ticket, 0 at first, that is kept
 * for the next time. */
http_verdict identity_ask(identity *ids, const http_request *request, int64_t now_s, uint64_t *ticket, caller *out, http_problem *why);
/* Readable when it is time to ask again; -1: nobody ever waits. Whoever watches it reads it. */
int identity_fd(const identity *ids);
/* Headers of CORS that go with every answer to this request, that to a browser's question before it among them. */
void identity_headers(const identity *ids, const http_request *request, http_headers *out);
/* What keys or tokens are checked with cannot be had for now; `why` says which, for people. */
bool identity_trouble(identity *ids, char why[512]);
/* One line for people: how callers are told apart. */
void identity_describe(const identity *ids, cli_bytes *out);
void identity_close(identity *ids);

#endif
