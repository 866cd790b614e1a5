/* Which place keys are kept in, and lists of them. */
#include "key_store.h"

#include <stdlib.h>
#include <string.h>

#ifdef SERVER_WITH_POSTGRES
enum { WITH_POSTGRES = 1 };
#else
enum { WITH_POSTGRES = 0 };
#endif

void server_keys_add(server_keys *keys, const server_key *key) {
  if (keys->count == keys->cap) {
    keys->cap = keys->cap ? keys->cap * 2 : 16;
    keys->items = cli_grow(keys->items, keys->cap, sizeof *keys->items);
  }
  server_key *k = &keys->items[keys->count++];
  *k = *key;
  k->id = cli_copy(key->id, strlen(key->id));
  k->tenant = cli_copy(key->tenant, strlen(key->tenant));
  k->user = cli_copy(key->user, strlen(key->user));
  k->name = cli_copy(key->name, strlen(key->name));
  k->last4 = cli_copy(key->last4, strlen(key->last4));
}

void server_keys_free(server_keys *keys) {
  for (size_t i = 0; i < keys->count; i++) {
    server_key *k = &keys->items[i];
    free(k->id);
    free(k->tenant);
    free(k->user);
    free(k->name);
    free(k->last4);
  }
  free(keys->items);
  *keys = (server_keys){0};
}

static char *setting(const aiorch_config *config, const char *key) {
  aiorch_text *text;
  const char *value = "";
  size_t len = 0;
  if (aiorch_config_get(config, key, &text, NULL) != AIORCH_OK) return cli_copy("", 0);
  aiorch_text_get(text, &value, &len);
  char *copy = cli_copy(value, len);
  aiorch_text_free(text);
  return copy;
}

static bool is_url(const char *text) { return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0; }

/* The folder of a store that is not named: as docs/configuration.md says of "store". */
static bool standard_folder(cli_bytes *out, cli_bytes *why) {
  const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
  if (data && data[0] == '/') {
    cli_addf(out, "%s/aiorch", data);
  } else if (home && home[0]) {
    cli_addf(out, "%s/.local/share/aiorch", home);
  } else {
    cli_addz(why, "keys: neither \"store\" nor XDG_DATA_HOME nor HOME says where they are; set server.keys to a file");
    return false;
  }
  return true;
}

bool key_place_find(const char *keys, const aiorch_config *config, key_place *out, cli_bytes *why) {
  cli_bytes path = {0};
  char *store = setting(config, "store"), *timeout = setting(config, "postgres.connect_timeout_ms");
  bool found = true;
  *out = (key_place){.tls = setting(config, "postgres.tls"), .ca_file = setting(config, "postgres.ca_file"),
                     .connect_timeout_ms = strtoll(timeout, NULL, 10)};
  if (keys[0]) {
    cli_addz(&path, keys);
  } else if (is_url(store)) {
    cli_addz(&path, store);
  } else if (strcmp(store, "memory") != 0) {
    if (store[0]) cli_addz(&path, store);
    else found = standard_folder(&path, why);
    cli_addz(&path, "/server.db");
  }
  out->place = cli_copy(cli_z(&path), path.len);
  out->postgres = is_url(out->place);
  if (found && out->postgres && !WITH_POSTGRES) {
    cli_addz(why, "keys: this build keeps none in PostgreSQL; set server.keys to a file");
    found = false;
  }
  free(store);
  free(timeout);
  cli_release(&path);
  if (!found) key_place_free(out);
  return found;
}

void key_place_free(key_place *place) {
  if (place->place) crypto_wipe(place->place, strlen(place->place));
  free(place->place);
  free(place->tls);
  free(place->ca_file);
  *place = (key_place){0};
}

void key_place_text(const key_place *place, cli_bytes *out) {
  const char *url = place->place, *at = strrchr(url, '@'), *from = strstr(url, "://");
  if (!place->postgres || !from) {
    cli_addz(out, url);
    return;
  }
  const char *rest = at ? at + 1 : from + 3;
  cli_addz(out, "postgresql://");
  cli_add(out, rest, strcspn(rest, "?"));
  cli_addz(out, ", table aiorch_server.server_keys");
}

key_store *key_store_new(const key_place *place, cli_bytes *why) {
  if (!place->place[0]) {
    cli_addz(why, "keys: the store is in memory, so that there is no place for them; set server.keys to a file, or server.anonymous=true to serve everybody");
    return NULL;
  }
#ifdef SERVER_WITH_POSTGRES
  if (place->postgres) return keys_postgres_new(place);
#endif
  return keys_sqlite_new(place->place);
}
