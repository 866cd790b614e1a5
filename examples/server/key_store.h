/*
 * Where keys are kept: the table server_keys, which is the server's own and no part of the library's schema. Beside a store in a
 * folder it is in FOLDER/server.db (SQLite); with a store in PostgreSQL in the same database, in the schema aiorch_server; with
 * server.keys wherever that says. Everything here may wait: the loop never calls it.
 */
#ifndef KEY_STORE_H
#define KEY_STORE_H

#include "cli.h"
#include "server_crypto.h"

enum { KEY_STORE_MAX = 1000000 /* keys that are read at once */ };

/* One row; texts are owned by whoever holds the list. */
typedef struct server_key {
  char *id, *tenant, *user, *name, *last4;
  unsigned char hash[SHA256_BYTES];
  int64_t created_ms, expires_ms, revoked_ms; /* 0: never */
} server_key;

typedef struct server_keys {
  server_key *items;
  size_t count, cap;
} server_keys;

void server_keys_add(server_keys *keys, const server_key *key); /* copies the texts */
void server_keys_free(server_keys *keys);

/* Where, as the settings say. */
typedef struct key_place {
  bool postgres;
  char *place;              /* a path or a URL; "" : nowhere, since the store is in memory */
  char *tls, *ca_file;      /* of PostgreSQL: postgres.tls, postgres.ca_file */
  int64_t connect_timeout_ms;
} key_place;

/* `keys` is server.keys, "" when not set. False after `why`. */
bool key_place_find(const char *keys, const aiorch_config *config, key_place *out, cli_bytes *why);
void key_place_free(key_place *place);
/* For people: without a password. */
void key_place_text(const key_place *place, cli_bytes *out);

typedef struct key_store key_store;

typedef enum key_status { KEY_OK, KEY_NOT_FOUND, KEY_FAILED } key_status;

struct key_store {
  /* All: KEY_FAILED after `why`. */
  /* The table is made when it is not there. */
  key_status (*prepare)(key_store *store, cli_bytes *why);
  key_status (*add)(key_store *store, const server_key *key, cli_bytes *why);
  /* Takes a key's right away now; one that was revoked before keeps its time. */
  key_status (*revoke)(key_store *store, const char *id, int64_t now_ms, cli_bytes *why);
  /* All of them, oldest first; a table that is not there yet has none. */
  key_status (*list)(key_store *store, server_keys *out, cli_bytes *why);
  /* A number that is another one when a process has changed something. */
  key_status (*version)(key_store *store, int64_t *out, cli_bytes *why);
  void (*close)(key_store *store);
};

/* Nothing is opened or made before the first call that needs it. NULL for a place that is none. */
key_store *key_store_new(const key_place *place, cli_bytes *why);
key_store *keys_sqlite_new(const char *path);
key_store *keys_postgres_new(const key_place *place);

#endif
