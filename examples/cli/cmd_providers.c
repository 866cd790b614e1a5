/*
 * aiorch providers: who can be asked, and whether they answer.
 */
#include "commands.h"
#include "key_origin.h"
#include "provider_check.h"

#include <stdlib.h>
#include <string.h>

enum { CELL = 60 };

/* The reports of the library, parsed. */
typedef struct listed {
  json_value *providers; /* aiorch_providers */
  json_value *stats;     /* aiorch_stats: "health" */
} listed;

static int load(cli *c, listed *l) {
  aiorch_text *text;
  const char *json = "";
  size_t len = 0;
  aiorch_status status = aiorch_providers(c->orch, &text);
  if (status != AIORCH_OK) return cli_error(c, cli_exit_of(status), status, "providers: %s", aiorch_strerror(status));
  aiorch_text_get(text, &json, &len);
  l->providers = json_parse(json, len, NULL);
  aiorch_text_free(text);
  if (aiorch_stats(c->orch, c->opt.tenant, cli_tenant_len(c), c->timeout_ms, &text, c->error) != AIORCH_OK) return cli_fail(c);
  aiorch_text_get(text, &json, &len);
  l->stats = json_parse(json, len, NULL);
  aiorch_text_free(text);
  return CLI_EXIT_OK;
}

static void unload(listed *l) {
  json_free(l->providers);
  json_free(l->stats);
}

static bool is_builtin(const json_value *provider) { return strcmp(json_text(provider, "kind"), "builtin") == 0; }

/* The worst state of its breakers: "open" before "probing" before "closed"; "" when it was never asked. */
static const char *state_of(const listed *l, const char *name) {
  const json_value *health = json_get(l->stats, "health");
  const char *state = "";
  for (const json_value *h = health ? health->child : NULL; h; h = h->next) {
    const char *other = json_text(h, "state");
    if (strcmp(json_text(h, "provider"), name) != 0) continue;
    if (!*state || strcmp(other, "open") == 0 || (strcmp(other, "probing") == 0 && strcmp(state, "closed") == 0)) state = other;
  }
  return state;
}

static void hosts_of(const json_value *provider, cli_bytes *out) {
  const json_value *hosts = json_get(provider, "hosts");
  for (const json_value *h = hosts ? hosts->child : NULL; h; h = h->next) cli_addf(out, "%s%s", out->len ? ", " : "", h->text);
}

/* "1 from ANTHROPIC_API_KEY", "none", "2". */
static void keys_of(const cli *c, const json_value *provider, cli_bytes *out) {
  cli_bytes origin = {0};
  int64_t keys = json_i64(provider, "keys");
  if (keys > 0) {
    key_origin(c, json_text(provider, "name"), &origin);
    cli_addf(out, "%lld%s%s", (long long)keys, origin.len ? " from " : "", cli_z(&origin));
  } else if (strcmp(json_text(provider, "kind"), "http") == 0) {
    cli_addz(out, "none");
  }
  cli_release(&origin);
}

/* ---- tables ---- */

typedef struct table {
  size_t columns, rows;
  cli_bytes *cells; /* row after row; the first is the head */
} table;

static cli_bytes *add_row(table *t) {
  t->cells = cli_grow(t->cells, (t->rows + 1) * t->columns, sizeof *t->cells);
  memset(t->cells + t->rows * t->columns, 0, t->columns * sizeof *t->cells);
  return t->cells + t->rows++ * t->columns;
}

static void put_row(const cli *c, const table *t, size_t row, const size_t *widths) {
  const cli_bytes *cells = t->cells + row * t->columns;
  size_t columns_used = t->columns;
  while (columns_used > 0 && cells[columns_used - 1].len == 0) columns_used--;
  if (row == 0) fputs(cli_on(c, STYLE_BOLD), stdout);
  for (size_t i = 0; i < columns_used; i++) {
    const cli_bytes *cell = &cells[i];
    cli_put(c, cli_z(cell), cell->len);
    if (i + 1 == columns_used) break;
    size_t columns = cli_columns(cli_z(cell), cell->len);
    printf("%*s", (int)(widths[i] > columns ? widths[i] - columns : 0) + 2, "");
  }
  printf("%s\n", row == 0 ? cli_off(c) : "");
}

static void put_table(const cli *c, table *t) {
  size_t *widths = cli_alloc((t->columns + 1) * sizeof *widths);
  for (size_t i = 0; i < t->rows * t->columns; i++) {
    size_t columns = cli_columns(cli_z(&t->cells[i]), t->cells[i].len);
    if (columns > CELL) columns = CELL;
    if (columns > widths[i % t->columns]) widths[i % t->columns] = columns;
  }
  for (size_t row = 0; row < t->rows; row++) put_row(c, t, row, widths);
  for (size_t i = 0; i < t->rows * t->columns; i++) cli_release(&t->cells[i]);
  free(t->cells);
  free(widths);
}

static void add_head(table *t, const char *const *names) {
  cli_bytes *row = add_row(t);
  for (size_t i = 0; i < t->columns; i++) cli_addz(&row[i], names[i]);
}

/* ---- aiorch providers ---- */

static void print_note(const cli *c, const listed *l) {
  if (c->opt.quiet || (l->providers->child && l->providers->child->next)) return;
  puts("\nNo model can be asked: set ANTHROPIC_API_KEY, OPENAI_API_KEY or GEMINI_API_KEY in the environment, OLLAMA_HOST for a\n"
       "server of your own, or 'providers.NAME.base_url' and '.model' in the configuration (aiorch config describe providers).");
}

static void print_list(const cli *c, const listed *l) {
  static const char *const head[] = {"", "provider", "interface", "model", "host", "keys", "state"};
  table t = {.columns = sizeof head / sizeof head[0]};
  add_head(&t, head);
  for (const json_value *p = l->providers->child; p; p = p->next) {
    cli_bytes *row = add_row(&t);
    if (!json_is_null(p, "chain")) cli_addf(&row[0], "%lld", (long long)json_i64(p, "chain"));
    cli_addz(&row[1], json_text(p, "name"));
    cli_addz(&row[2], json_is_null(p, "api") ? json_text(p, "kind") : json_text(p, "api"));
    if (!is_builtin(p)) cli_addz(&row[3], json_text(p, "model"));
    hosts_of(p, &row[4]);
    keys_of(c, p, &row[5]);
    cli_addz(&row[6], state_of(l, json_text(p, "name")));
  }
  put_table(c, &t);
  print_note(c, l);
}

static void put_provider_json(const cli *c, const listed *l, const json_value *p, json_print *out) {
  static const char *const texts[] = {"name", "model", "kind", "api"};
  cli_bytes origin = {0};
  const char *state = state_of(l, json_text(p, "name"));
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    jp_kz(out, texts[i], json_is_null(p, texts[i]) ? NULL : json_text(p, texts[i]));
  }
  jp_key(out, "hosts");
  jp_open(out, '[');
  const json_value *hosts = json_get(p, "hosts");
  for (const json_value *h = hosts ? hosts->child : NULL; h; h = h->next) jp_z(out, h->text);
  jp_close(out, ']');
  jp_ki64(out, "keys", json_i64(p, "keys"));
  if (json_i64(p, "keys") > 0) key_origin(c, json_text(p, "name"), &origin);
  jp_kz(out, "keys_from", origin.len ? cli_z(&origin) : NULL);
  jp_kz(out, "state", *state ? state : NULL);
  cli_release(&origin);
}

static void print_list_json(const cli *c, const listed *l) {
  static const char *const numbers[] = {"context_tokens", "chain"};
  json_print out = {0};
  jp_open(&out, '{');
  jp_key(&out, "providers");
  jp_open(&out, '[');
  for (const json_value *p = l->providers->child; p; p = p->next) {
    jp_open(&out, '{');
    put_provider_json(c, l, p, &out);
    for (size_t i = 0; i < 2; i++) {
      if (json_is_null(p, numbers[i])) jp_kz(&out, numbers[i], NULL);
      else jp_ki64(&out, numbers[i], json_i64(p, numbers[i]));
    }
    jp_close(&out, '}');
  }
  jp_close(&out, ']');
  jp_close(&out, '}');
  jp_finish(&out);
}

static int list(cli *c, const listed *l) {
  if (c->opt.json || c->opt.stream_json) print_list_json(c, l);
  else print_list(c, l);
  return CLI_EXIT_OK;
}

/* ---- aiorch providers check ---- */

static const json_value *provider_named(const listed *l, const char *name) {
  for (const json_value *p = l->providers->child; p; p = p->next) {
    if (strcmp(json_text(p, "name"), name) == 0) return p;
  }
  return NULL;
}

/* Those that were named, or all but the built-in one. -1 after an error. */
static int choose(cli *c, const listed *l, provider_check **out, size_t *count) {
  size_t most = c->arg_count;
  for (const json_value *p = l->providers->child; p; p = p->next) most++;
  *out = cli_alloc((most + 1) * sizeof **out);
  *count = 0;
  for (size_t i = 1; i < c->arg_count; i++) {
    const json_value *p = provider_named(l, c->args[i]);
    if (!p) {
      return cli_error(c, CLI_EXIT_NOT_FOUND, AIORCH_E_NOT_FOUND, "there is no provider '%s'; 'aiorch providers' lists them", c->args[i]);
    }
    (*out)[(*count)++].name = json_text(p, "name");
  }
  for (const json_value *p = l->providers->child; p && c->arg_count < 2; p = p->next) {
    if (!is_builtin(p)) (*out)[(*count)++].name = json_text(p, "name");
  }
  if (*count > 0) return CLI_EXIT_OK;
  return cli_error(c, CLI_EXIT_PROVIDERS, AIORCH_E_PROVIDERS_UNAVAILABLE,
                   "no provider is configured: set a key in the environment (aiorch providers --help)");
}

static void print_checks(const cli *c, const listed *l, const provider_check *checks, size_t count) {
  static const char *const head[] = {"provider", "reachable", "latency", "model", "cost", "keys", ""};
  table t = {.columns = sizeof head / sizeof head[0]};
  char text[40];
  int64_t nano_usd;
  add_head(&t, head);
  for (size_t i = 0; i < count; i++) {
    const provider_check *k = &checks[i];
    cli_bytes *row = add_row(&t);
    cli_addz(&row[0], k->name);
    cli_addz(&row[1], k->status >= 0 ? "yes" : "no");
    if (k->latency_us > 0) {
      cli_time_text(k->latency_us, text);
      cli_addz(&row[2], text);
    }
    cli_addz(&row[3], cli_z(&k->model));
    if (k->run && aiorch_run_cost(k->run, &nano_usd) == AIORCH_OK) {
      cli_usd_text(nano_usd, text);
      cli_addz(&row[4], text);
    } else {
      cli_addz(&row[4], "unknown");
    }
    keys_of(c, provider_named(l, k->name), &row[5]);
    cli_addz(&row[6], cli_z(&k->why));
  }
  put_table(c, &t);
}

static void print_checks_json(const cli *c, const listed *l, const provider_check *checks, size_t count) {
  json_print out = {0};
  int64_t nano_usd;
  jp_open(&out, '{');
  jp_key(&out, "providers");
  jp_open(&out, '[');
  for (size_t i = 0; i < count; i++) {
    const provider_check *k = &checks[i];
    bool priced = k->run && aiorch_run_cost(k->run, &nano_usd) == AIORCH_OK;
    jp_open(&out, '{');
    put_provider_json(c, l, provider_named(l, k->name), &out);
    jp_key(&out, "reachable");
    jp_bool(&out, k->status >= 0);
    jp_kz(&out, "answered_model", k->status >= 0 ? cli_z(&k->model) : NULL);
    if (k->latency_us > 0) jp_ki64(&out, "latency_ms", k->latency_us / 1000);
    else jp_kz(&out, "latency_ms", NULL);
    if (priced) jp_ki64(&out, "cost_nano_usd", nano_usd);
    else jp_kz(&out, "cost_nano_usd", NULL);
    if (k->http_status) jp_ki64(&out, "http_status", k->http_status);
    else jp_kz(&out, "http_status", NULL);
    jp_kz(&out, "error", k->status < 0 ? aiorch_status_name(k->status) : NULL);
    jp_kz(&out, "message", k->why.len ? cli_z(&k->why) : NULL);
    jp_close(&out, '}');
  }
  jp_close(&out, ']');
  jp_close(&out, '}');
  jp_finish(&out);
}

static int check(cli *c, const listed *l) {
  provider_check *checks = NULL;
  size_t count = 0, reachable = 0;
  int code = choose(c, l, &checks, &count);
  if (code == CLI_EXIT_OK) {
    provider_check_all(c, checks, count);
    for (size_t i = 0; i < count; i++) reachable += checks[i].status >= 0;
    if (c->opt.json || c->opt.stream_json) print_checks_json(c, l, checks, count);
    else print_checks(c, l, checks, count);
    if (cli_interrupted()) code = CLI_EXIT_INTERRUPTED;
    else if (reachable == 0) {
      cli_error_line(c, "no provider could be reached");
      code = CLI_EXIT_PROVIDERS;
    }
  }
  for (size_t i = 0; i < count; i++) provider_check_free(&checks[i]);
  free(checks);
  return code;
}

int command_providers(cli *c) {
  listed l = {0};
  bool checks = c->arg_count > 0;
  if (checks && command_verb(c, "check") < 0) return CLI_EXIT_USAGE;
  if (!checks && c->opt.timeout_s) return cli_usage(c, "--timeout goes with 'aiorch providers check'");
  int code = cli_open(c);
  if (code == CLI_EXIT_OK) code = load(c, &l);
  if (code == CLI_EXIT_OK) code = checks ? check(c, &l) : list(c, &l);
  unload(&l);
  return code;
}
