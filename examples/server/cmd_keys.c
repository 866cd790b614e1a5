/*
 * aiorch keys: keys for those who call the server. A key is shown once, when it is made; what is kept is its hash.
 */
#include "cmd_keys.h"

#include "commands.h"
#include "key_store.h"
#include "key_text.h"
#include "server_settings.h"

#include <stdlib.h>
#include <string.h>

/* The settings of the server that --config and --set name: server.keys says where the keys are. */
static int open_store(cli *c, key_store **out) {
  server_settings settings;
  key_place place = {0};
  cli_bytes why = {0};
  char said[256] = "";
  int code = cli_configure(c);
  *out = NULL;
  if (code != CLI_EXIT_OK) return code;
  bool read = server_settings_told(&settings, c, said);
  if (!read) cli_addz(&why, said);
  if (read && key_place_find(settings.keys, c->config, &place, &why)) {
    *out = key_store_new(&place, &why);
    key_place_free(&place);
  }
  server_settings_free(&settings);
  if (!*out) code = cli_error(c, CLI_EXIT_CONFIG, AIORCH_E_CONFIG, "%s", cli_z(&why));
  cli_release(&why);
  return code;
}

static int fail(cli *c, cli_bytes *why) {
  int code = cli_error(c, CLI_EXIT_STORE, AIORCH_E_STORE, "%s", cli_z(why));
  cli_release(why);
  return code;
}

/* ---- create ---- */

/* "90d" and the like from now on, or a moment. */
static bool read_expiry(const char *text, int64_t now_ms, int64_t *out) {
  int64_t seconds;
  if (cli_seconds(text, &seconds)) {
    *out = now_ms + seconds * 1000;
    return true;
  }
  return cli_moment(text, now_ms, out);
}

static bool is_name(const char *text) {
  if (!cli_utf8_valid(text, strlen(text))) return false;
  for (; *text; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7F) return false;
  }
  return true;
}

static void print_created(cli *c, const server_key *key, const char *text) {
  char date[32];
  if (c->opt.json || c->opt.stream_json) {
    json_print p = {0};
    jp_open(&p, '{');
    jp_kz(&p, "key", text);
    jp_kz(&p, "id", key->id);
    jp_kz(&p, "tenant", key->tenant);
    jp_kz(&p, "user", key->user);
    jp_kz(&p, "name", key->name);
    jp_ki64(&p, "created_ms", key->created_ms);
    jp_key(&p, "expires_ms");
    if (key->expires_ms) jp_i64(&p, key->expires_ms);
    else jp_z(&p, NULL);
    jp_close(&p, '}');
    jp_finish(&p);
    return;
  }
  puts(text);
  if (c->opt.quiet) return;
  fprintf(stderr, "%s for tenant '%s', user '%s'", key->id, key->tenant, key->user);
  if (key->expires_ms) {
    cli_date_text(key->expires_ms, date);
    fprintf(stderr, ", until %s", date);
  }
  fputs("; it is not shown again\n", stderr);
}

static int create_key(cli *c) {
  char text[KEY_TEXT_LEN + 1], id[KEY_ID_LEN + 1];
  cli_bytes why = {0};
  key_store *store;
  server_key key = {.tenant = (char *)(uintptr_t)c->opt.tenant, .user = (char *)(uintptr_t)(c->opt.user ? c->opt.user : ""),
                    .name = (char *)(uintptr_t)(c->opt.name ? c->opt.name : ""), .created_ms = cli_now_ms()};
  if (!key.user[0]) return cli_usage(c, "'keys create' needs --user NAME: limits and costs are counted by it");
  if (!is_name(key.tenant) || !is_name(key.user) || !is_name(key.name)) {
    return cli_usage(c, "--tenant, --user and --name are UTF-8 without control characters");
  }
  if (c->opt.expires && (!read_expiry(c->opt.expires, key.created_ms, &key.expires_ms) || key.expires_ms <= key.created_ms)) {
    return cli_usage(c, "--expires: '%s' is no time to come: 90d, 12h, 2030-01-31", c->opt.expires);
  }
  int code = open_store(c, &store);
  if (code != CLI_EXIT_OK) return code;
  bool made = key_text_make(text, id) && crypto_sha256(text, KEY_TEXT_LEN, key.hash);
  key.id = id;
  key.last4 = text + KEY_TEXT_LEN - KEY_LAST_LEN;
  if (!made) cli_addz(&why, "keys: the system gives no random bytes");
  made = made && store->add(store, &key, &why) == KEY_OK;
  store->close(store);
  if (made) print_created(c, &key, text);
  else code = fail(c, &why);
  crypto_wipe(text, sizeof text);
  cli_release(&why);
  return code;
}

/* ---- list ---- */

static const char *state_of(const server_key *key, int64_t now_ms) {
  return key->revoked_ms ? "revoked" : key->expires_ms && key->expires_ms <= now_ms ? "expired" : "good";
}

static void json_time(json_print *p, const char *name, int64_t ms) {
  jp_key(p, name);
  if (ms) jp_i64(p, ms);
  else jp_z(p, NULL);
}

static void list_json(const server_keys *keys, int64_t now_ms) {
  json_print p = {0};
  jp_open(&p, '{');
  jp_key(&p, "keys");
  jp_open(&p, '[');
  for (size_t i = 0; i < keys->count; i++) {
    const server_key *key = &keys->items[i];
    jp_open(&p, '{');
    jp_kz(&p, "id", key->id);
    jp_kz(&p, "tenant", key->tenant);
    jp_kz(&p, "user", key->user);
    jp_kz(&p, "name", key->name);
    jp_kz(&p, "last4", key->last4);
    jp_kz(&p, "state", state_of(key, now_ms));
    jp_ki64(&p, "created_ms", key->created_ms);
    json_time(&p, "expires_ms", key->expires_ms);
    json_time(&p, "revoked_ms", key->revoked_ms);
    jp_close(&p, '}');
  }
  jp_close(&p, ']');
  jp_close(&p, '}');
  jp_finish(&p);
}

static void list_lines(const cli *c, const server_keys *keys, int64_t now_ms) {
  char date[32];
  if (keys->count == 0 && !c->opt.quiet) puts("No keys yet: 'aiorch keys create --user NAME' makes one.");
  for (size_t i = 0; i < keys->count; i++) {
    const server_key *key = &keys->items[i];
    const char *state = state_of(key, now_ms);
    printf("%s%s%s  ...%s  %s%-7s%s  ", cli_on(c, STYLE_CYAN), key->id, cli_off(c), key->last4,
           cli_on(c, strcmp(state, "good") == 0 ? STYLE_GREEN : STYLE_DIM), state, cli_off(c));
    cli_putz(c, key->tenant);
    fputs(" / ", stdout);
    cli_putz(c, key->user);
    cli_date_text(key->created_ms, date);
    printf("  %ssince %s", cli_on(c, STYLE_DIM), date);
    if (key->expires_ms) {
      cli_date_text(key->expires_ms, date);
      printf(", until %s", date);
    }
    if (key->name[0]) fputs("  ", stdout);
    cli_putz(c, key->name);
    puts(cli_off(c));
  }
}

static int list_keys(cli *c) {
  server_keys keys = {0};
  cli_bytes why = {0};
  key_store *store;
  int code = open_store(c, &store);
  if (code != CLI_EXIT_OK) return code;
  bool read = store->list(store, &keys, &why) == KEY_OK;
  store->close(store);
  if (!read) code = fail(c, &why);
  else if (c->opt.json || c->opt.stream_json) list_json(&keys, cli_now_ms());
  else list_lines(c, &keys, cli_now_ms());
  server_keys_free(&keys);
  return code;
}

/* ---- revoke ---- */

static int revoke_keys(cli *c) {
  key_store *store;
  int code = open_store(c, &store);
  json_print p = {0};
  jp_open(&p, '{');
  jp_key(&p, "revoked");
  jp_open(&p, '[');
  for (size_t i = 1; i < c->arg_count && code == CLI_EXIT_OK; i++) {
    cli_bytes why = {0};
    key_status status = store->revoke(store, c->args[i], cli_now_ms(), &why);
    if (status == KEY_OK) jp_z(&p, c->args[i]);
    else if (status == KEY_FAILED) code = fail(c, &why);
    else code = cli_error(c, CLI_EXIT_NOT_FOUND, AIORCH_E_NOT_FOUND, "keys: there is no key '%.60s'; 'aiorch keys list' shows their ids", c->args[i]);
    if (status == KEY_OK && !c->opt.quiet && !c->opt.json && !c->opt.stream_json) printf("revoked %s\n", c->args[i]);
    cli_release(&why);
  }
  if (store) store->close(store);
  jp_close(&p, ']');
  jp_close(&p, '}');
  if (code == CLI_EXIT_OK && (c->opt.json || c->opt.stream_json)) jp_finish(&p);
  cli_release(&p.out);
  return code;
}

int command_keys(cli *c) {
  int verb = command_verb(c, "create list revoke");
  if (verb < 0) return CLI_EXIT_USAGE;
  if (verb < 2 && c->arg_count > 1) return cli_usage(c, "'keys %s' takes no argument: '%s'", c->args[0], c->args[1]);
  if (verb == 2 && c->arg_count < 2) return cli_usage(c, "'keys revoke' needs the ID of a key; 'aiorch keys list' shows them");
  return verb == 0 ? create_key(c) : verb == 1 ? list_keys(c) : revoke_keys(c);
}
