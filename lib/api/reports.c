/* Figures and verdicts outside a run: aiorch_metrics_snapshot, aiorch_stats, aiorch_costs, aiorch_screen. */
#include <string.h>

#include <aiorch/metrics.h>

#include "core/text_handle.h"
#include "pipeline/orch.h"
#include "stores/spool.h"
#include "stores/spooled.h"

enum { REPORT_MAX = 64 << 20, EXACT_UP_TO = 10000 /* chunks of a tenant for which PostgreSQL needs no index, unless told otherwise */ };

/* ---- what all of them share ---- */

typedef struct report {
  aio__buf buf;
  aio__json_writer w;
} report;

static void begin(report *r, const aio__alloc *al) {
  aio__buf_init(&r->buf, al, REPORT_MAX);
  aio__jw_init(&r->w, &r->buf);
  aio__jw_object(&r->w);
}

static aiorch_status finish(report *r, aiorch_text **out, aiorch_error *error) {
  aio__jw_object_end(&r->w);
  aiorch_status st = aio__text_from_buf(&r->buf, out);
  aio__buf_free(&r->buf);
  return st ? aio__error_set(error, st, "the report could not be written: %s", aiorch_strerror(st)) : AIORCH_OK;
}

/* For those that need no tenant. */
static aiorch_status check(aiorch *orch, const void *out, aiorch_error *error) {
  aio__error_clear(error);
  aiorch_status st = aio__orch_check(orch);
  if (st == AIORCH_OK && !out) st = AIORCH_E_INVALID;
  return st ? aio__error_set(error, st, "%s", aiorch_strerror(st)) : AIORCH_OK;
}

static aiorch_status enter(aiorch *orch, const char *tenant_in, size_t len, const void *out, aio__str *tenant,
                           aiorch_error *error) {
  aio__error_clear(error);
  if (!out || (!tenant_in && len > 0)) {
    return aio__error_set(error, AIORCH_E_INVALID, "a tenant and a place for the result are needed");
  }
  aiorch_status st = aio__orch_enter(orch, aio__str_n(tenant_in, len), tenant, error);
  if (st == AIORCH_OK && aio__calls_inside(orch->calls)) {
    st = aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  return st;
}

static void put_health(aio__json_writer *w, aiorch *orch) {
  aio__jw_key(w, "health");
  aio__health_json(orch->health, aio__clock_now(orch->clock) / 1000000, w);
}

/* ---- metrics ---- */

aiorch_status aiorch_metrics_snapshot(aiorch *orch, aiorch_text **out, aiorch_error *error) {
  aiorch_status st = check(orch, out, error);
  if (st) return st;
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, orch->al, REPORT_MAX);
  aio__jw_init(&w, &buf);
  aio__jw_object(&w);
  aio__counters_json(&orch->counters, &w);
  put_health(&w, orch);
  aio__jw_object_end(&w);
  st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  return st ? aio__error_set(error, st, "out of memory for the metrics") : AIORCH_OK;
}

/* ---- stats ---- */

static bool semantic(const aiorch *orch) {
  return orch->plugins.has_embedder;
}

static bool near_hits(const aiorch *orch) {
  return semantic(orch) && strcmp(orch->options.cache_match, "semantic") == 0;
}

static bool is_off(const char *setting) { return strcmp(setting, "off") == 0; }

static void put_notes(aio__json_writer *w, const aiorch *orch, const aio__store_stats *stats) {
  const aio__options *o = &orch->options;
  aio__jw_key(w, "notes");
  aio__jw_array(w);
  if (!semantic(orch)) {
    aio__jw_z(w, "There is no embedder and no local model on disk: documents are searched by their words alone.");
  }
  if (orch->plugins.provider_count == 0) {
    aio__jw_z(w, "No LLM provider is registered: answers are sentences of the documents (extractive).");
  }
  if (is_off(o->cache_mode)) aio__jw_z(w, "\"cache.mode\" is off: no answer is kept.");
  else if (!near_hits(orch)) aio__jw_z(w, "The cache finds a question again when its words are the same.");
  if (near_hits(orch) && is_off(o->cache_guards)) {
    aio__jw_z(w, "\"cache.guards\" is off: a near question with another number, name or negation gets the same answer.");
  }
  if (!o->retrieve_enabled) aio__jw_z(w, "\"retrieve.enabled\" is false: documents are not searched.");
  if (is_off(o->validate_rules)) aio__jw_z(w, "\"validate.rules\" is off: messages are not screened.");
  if (o->rate_requests == 0) aio__jw_z(w, "\"rate_limit.requests\" is 0: no user is limited.");
  if (strcmp(orch->store->kind, "postgres") == 0 && semantic(orch) && !stats->by_index && stats->chunks > EXACT_UP_TO) {
    aio__jw_z(w, "All vectors are compared with a question's: `aiorch migrate`, as who migrates, makes an index of them.");
  }
  if (strcmp(orch->store->kind, "memory") == 0) aio__jw_z(w, "The store is in memory: it goes with this process.");
  aio__jw_array_end(w);
}

static void put_setup(aio__json_writer *w, const aiorch *orch) {
  aio__jw_kz(w, "embedder", orch->plugins.embedder.fingerprint);
  aio__jw_kz(w, "vector_store", orch->plugins.vector_store.vtbl.search ? "plug-in" : NULL);
  aio__jw_kz(w, "search", semantic(orch) ? "hybrid" : "full_text");
  aio__jw_kz(w, "cache", is_off(orch->options.cache_mode) ? "off" : near_hits(orch) ? "semantic" : "exact");
  aio__jw_key(w, "providers");
  aio__jw_array(w);
  for (size_t i = 0; i < orch->plugins.provider_count; i++) aio__jw_z(w, orch->plugins.providers[i].name);
  if (orch->plugins.provider_count == 0) aio__jw_z(w, "extractive");
  aio__jw_array_end(w);
}

/* How the nearest are found, where anything is embedded: by looking at all of them, in an index, or by a plug-in. */
static void put_vector_search(aio__json_writer *w, const aiorch *orch, const aio__store_stats *stats) {
  const char *how = stats->by_index ? "index" : "exact";
  if (orch->plugins.vector_store.vtbl.search) how = "plug-in";
  aio__jw_kz(w, "vector_search", semantic(orch) ? how : NULL);
}

/* What of the ledger waits on this machine; null for a store that is never away. */
static void put_spool(aio__json_writer *w, const aiorch *orch) {
  if (!orch->spooled) {
    aio__jw_knull(w, "spool");
    return;
  }
  const char *path = aio__spooled_path(orch->spooled);
  aio__jw_key(w, "spool");
  aio__jw_object(w);
  aio__jw_kz(w, "path", path);
  aio__jw_ki64(w, "bytes", aio__spool_usage(path));
  aio__jw_ki64(w, "max_bytes", orch->options.spool_max_bytes);
  aio__jw_kbool(w, "store_down", aio__spooled_is_down(orch->spooled));
  aio__jw_object_end(w);
}

aiorch_status aiorch_stats(aiorch *orch, const char *tenant_in, size_t tenant_len, int64_t timeout_ms,
                           aiorch_text **out, aiorch_error *error) {
  aio__str tenant;
  aio__sync sync;
  aio__store_stats stats = {0};
  aiorch_status st = enter(orch, tenant_in, tenant_len, out, &tenant, error);
  if (st == AIORCH_OK) st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__store *store = orch->store;
  int64_t now_ms = aio__clock_wall_ms(orch->clock);
  st = aio__sync_end(&sync, store->ledger->stats(store, &sync.op, tenant, now_ms, &stats), error);
  aio__sync_free(&sync);
  aio__log_flush(orch->log);
  if (st) return st;
  report r;
  begin(&r, orch->al);
  aio__jw_kz(&r.w, "store", store->place);
  aio__jw_ki64(&r.w, "documents", stats.documents);
  aio__jw_ki64(&r.w, "chunks", stats.chunks);
  aio__jw_ki64(&r.w, "text_bytes", stats.text_bytes);
  aio__jw_ki64(&r.w, "cache_entries", stats.cache_entries);
  aio__jw_ki64(&r.w, "cache_bytes", stats.cache_bytes);
  aio__jw_ki64(&r.w, "runs", stats.runs);
  aio__jw_ki64(&r.w, "cost_nano_usd", stats.cost_nano_usd);
  put_setup(&r.w, orch);
  put_vector_search(&r.w, orch, &stats);
  put_spool(&r.w, orch);
  put_health(&r.w, orch);
  put_notes(&r.w, orch, &stats);
  return finish(&r, out, error);
}

/* ---- costs ---- */

typedef struct costs_query {
  int64_t since_ms, until_ms;
  const char *by;
} costs_query;

static int64_t add_capped(int64_t a, int64_t b) { return b > 0 && a > INT64_MAX - b ? INT64_MAX : a + b; }

static void put_cost_row(aio__json_writer *w, const char *by, const aio__cost_row *row) {
  aio__jw_object(w);
  aio__jw_kstr(w, by, row->group);
  aio__jw_ki64(w, "runs", row->runs);
  aio__jw_ki64(w, "hits", row->hits);
  aio__jw_ki64(w, "failures", row->failures);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) aio__jw_ki64(w, aio__usage_name(i), row->usage.n[i]);
  aio__jw_ki64(w, "cost_nano_usd", row->cost_nano_usd);
  aio__jw_kusd(w, "cost_usd", row->cost_nano_usd);
  aio__jw_ki64(w, "unknown_price_runs", row->unknown_price);
  aio__jw_object_end(w);
}

static void put_costs(report *r, const costs_query *q, const aio__cost_row *rows, size_t count) {
  int64_t runs = 0, cost = 0, unknown = 0;
  for (size_t i = 0; i < count; i++) {
    runs = add_capped(runs, rows[i].runs);
    cost = add_capped(cost, rows[i].cost_nano_usd);
    unknown = add_capped(unknown, rows[i].unknown_price);
  }
  aio__jw_ki64(&r->w, "since_ms", q->since_ms);
  aio__jw_ki64(&r->w, "until_ms", q->until_ms);
  aio__jw_ki64(&r->w, "runs", runs);
  aio__jw_ki64(&r->w, "cost_nano_usd", cost);
  aio__jw_kusd(&r->w, "cost_usd", cost);
  aio__jw_ki64(&r->w, "unknown_price_runs", unknown);
  aio__jw_key(&r->w, "rows");
  aio__jw_array(&r->w);
  for (size_t i = 0; i < count; i++) put_cost_row(&r->w, q->by, &rows[i]);
  aio__jw_array_end(&r->w);
}

static bool is_group(const char *by) {
  return strcmp(by, "day") == 0 || strcmp(by, "provider") == 0 || strcmp(by, "model") == 0 || strcmp(by, "user") == 0;
}

static aiorch_status fetch_costs(aiorch *orch, aio__str tenant, const costs_query *q, int64_t timeout_ms,
                                 aio__arena *arena, aio__cost_row **rows, size_t *count, aiorch_error *error) {
  aio__sync sync;
  aiorch_status st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  aio__store *store = orch->store;
  st = aio__sync_end(&sync, store->ledger->costs(store, &sync.op, tenant, q->since_ms, q->until_ms,
                                                 aio__str_z(q->by), arena, rows, count), error);
  aio__sync_free(&sync);
  aio__log_flush(orch->log);
  return st;
}

aiorch_status aiorch_costs(aiorch *orch, const char *tenant_in, size_t tenant_len, int64_t since_ms, int64_t until_ms,
                           const char *by, int64_t timeout_ms, aiorch_text **out, aiorch_error *error) {
  aio__str tenant;
  aiorch_status st = enter(orch, tenant_in, tenant_len, out, &tenant, error);
  if (st) return st;
  costs_query q = {.since_ms = since_ms, .until_ms = until_ms, .by = by ? by : "day"};
  if (!is_group(q.by)) {
    return aio__error_set(error, AIORCH_E_INVALID,
                          "costs are grouped by day, provider, model or user, not by \"%.40s\"", q.by);
  }
  if (q.until_ms == 0) q.until_ms = aio__clock_wall_ms(orch->clock) + 1; /* what has just happened counts */
  aio__arena arena;
  aio__cost_row *rows = NULL;
  size_t count = 0;
  aio__arena_init(&arena, orch->al, 4096);
  st = fetch_costs(orch, tenant, &q, timeout_ms, &arena, &rows, &count, error);
  if (st == AIORCH_OK) {
    report r;
    begin(&r, orch->al);
    put_costs(&r, &q, rows, count);
    st = finish(&r, out, error);
  }
  aio__arena_free(&arena);
  return st;
}

/* ---- screen ---- */

static const char *verdict_name(aio__verdict verdict) {
  switch (verdict) {
    case AIO__VERDICT_BLOCK: return "block";
    case AIO__VERDICT_FLAG: return "flag";
    default: return "pass";
  }
}

/* The first byte that no text may have, or all of the text. */
static void place_fault(aio__str text, aio__input_finding *finding) {
  const char *nul = text.n > 0 ? memchr(text.p, '\0', text.n) : NULL;
  size_t bad = aio__utf8_check(text, NULL);
  if (nul && (size_t)(nul - text.p) < bad) bad = (size_t)(nul - text.p);
  finding->start = bad < text.n ? bad : 0;
  finding->end = bad < text.n ? bad + 1 : text.n;
}

static aiorch_status screen(const aiorch *orch, aio__str text, aio__input_finding *finding) {
  const aio__options *o = &orch->options;
  size_t code_points = 0;
  aiorch_status st = aio__input_check_text(text, (size_t)o->validate_user_chars, &code_points, NULL);
  if (st == AIORCH_E_INVALID_INPUT) {
    *finding = (aio__input_finding){.verdict = AIO__VERDICT_BLOCK, .rule = "invalid_input"};
    place_fault(text, finding);
    return AIORCH_OK;
  }
  if (st || is_off(o->validate_rules)) return st;
  st = aio__input_guard_check(orch->input_guard, text, finding);
  if (strcmp(o->validate_rules, "flag") == 0 && finding->verdict == AIO__VERDICT_BLOCK) {
    finding->verdict = AIO__VERDICT_FLAG;
  }
  return st;
}

aiorch_status aiorch_screen(aiorch *orch, const char *text, size_t len, aiorch_text **out, aiorch_error *error) {
  aiorch_status st = check(orch, out, error);
  if (st) return st;
  if (!text && len > 0) return aio__error_set(error, AIORCH_E_INVALID, "a text is needed");
  aio__input_finding finding = {.verdict = AIO__VERDICT_PASS};
  st = screen(orch, aio__str_n(text, len), &finding);
  if (st) return aio__error_set(error, st, "the text could not be screened: %s", aiorch_strerror(st));
  report r;
  begin(&r, orch->al);
  aio__jw_kz(&r.w, "verdict", verdict_name(finding.verdict));
  aio__jw_kz(&r.w, "rule", finding.rule);
  aio__jw_kz(&r.w, "category", finding.category);
  if (finding.rule) {
    aio__jw_ki64(&r.w, "start", (int64_t)finding.start);
    aio__jw_ki64(&r.w, "end", (int64_t)finding.end);
  } else {
    aio__jw_knull(&r.w, "start");
    aio__jw_knull(&r.w, "end");
  }
  return finish(&r, out, error);
}
