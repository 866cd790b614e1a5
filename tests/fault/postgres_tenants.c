/*
 * Tenants that take turns on few connections: THREADS threads, each step as another tenant or as none, over a pool of two connections
 * and through PgBouncer. Statements without any condition, functions of the store, writes for another tenant, statements that fail or run
 * out of time in the middle. Each row that comes back carries its tenant's canary: nothing of another may ever come.
 *
 *   postgres_tenants [--steps N] [--seed N] [--verbose]      starts the server itself (tests/postgres/cluster.py)
 *
 * It proves itself: with one policy opened, dropped or not forced, and with a tenant that stays in the session, the same steps must notice.
 *
 * label: threads
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cluster.h"
#include "stores/postgres_engine.h"

enum { THREADS = 6, STEPS = 4000, PROOF_STEPS = 2500, TENANTS = 5, DIM = 8, WORDS = 96, SHOWN_MAX = 5, LATE_MS = 3, LONG_MS = 60000 };

/* None is a part of another's canary. */
static const char *const TENANT_NAMES[TENANTS] = {"acme", "ACME", "rival' OR true --", "third", "a%"};
static const char LEAK[] = "a step that leaves its tenant in the session";
static const char SCOPE[] = "scope-of-thirty-two-bytes-exact.";
static const aio__str MODEL = {"model-1", 7};
static const aio__cache_limits ROOMY = {10000, 1 << 24, 1};

/* Tables with a tenant, as the library's role reads them; a row of a strange one counts. */
static const char *const COUNTS[] = {
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM documents",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM chunks",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM chunk_vectors",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM document_metadata",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM semantic_cache",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM cache_sources",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM entry_vectors",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM admissions",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM ai_api_calls",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM ai_attempts",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM tenants",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM tenant_models",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM admission_rates",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM run_totals",
  "SELECT count(*), count(*) FILTER (WHERE tenant_id <> $1) FROM stand_in_answers",
};
enum { TABLES = sizeof COUNTS / sizeof COUNTS[0], FILLED = TABLES - 3 }; /* in the first each tenant always has a row */

typedef struct scene {
  aio__options options;
  aio__store_env env;
  aio__store *store;
  unsigned long seed;
  int steps; /* of each thread */
  atomic_int done, wrong, refused, late, stranger; /* stranger: rows of another tenant */
  bool quiet, bypasses, leaks;
  atomic_bool stop; /* of a proof: one is enough */
} scene;

typedef struct actor {
  scene *s;
  pthread_t thread;
  aio__pg_wait wait;
  aio__arena arena;
  uint64_t random;
  int number, tenant;
} actor;

static bool verbose;

static void admin(const char *sql) {
  PGconn *pg = cluster_admin();
  PGresult *answer = PQexec(pg, sql);
  ExecStatusType status = PQresultStatus(answer);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) cluster_die(sql, PQerrorMessage(pg));
  PQclear(answer);
  PQfinish(pg);
}

static uint64_t roll(actor *a, uint64_t sides) {
  a->random ^= a->random << 13;
  a->random ^= a->random >> 7;
  a->random ^= a->random << 17;
  return a->random % sides;
}

/* ---- what must never be ---------------------------------------------------------------------------------------------------- */

static void complain(const actor *a, bool is_stranger, const char *what, const char *words) {
  if (is_stranger) atomic_fetch_add(&a->s->stranger, 1);
  if (atomic_fetch_add(&a->s->wrong, 1) < SHOWN_MAX && !a->s->quiet) printf("  FAILED: %s: %s: %s\n", TENANT_NAMES[a->tenant], what, words);
  if (a->s->quiet) atomic_store(&a->s->stop, true);
}

static aio__str tenant_of(const actor *a) {
  return aio__str_z(TENANT_NAMES[a->tenant]);
}

/* "canary3 sings": the number is the tenant's. */
static void expect_own(const actor *a, const char *what, aio__str text) {
  char own[WORDS], shown[WORDS];
  snprintf(own, sizeof own, "canary%d ", a->tenant);
  snprintf(shown, sizeof shown, "%.*s", (int)(text.n < 60 ? text.n : 60), text.n > 0 ? text.p : "");
  if (!aio__str_starts(text, aio__str_z(own))) complain(a, true, what, shown);
}

static void expect_ok(const actor *a, const char *what, aiorch_status status) {
  if (status != AIORCH_OK) complain(a, false, what, aiorch_error_message(&a->wait.op.error));
}

/* ---- waiting ----------------------------------------------------------------------------------------------------------------- */

static void ready(actor *a, int64_t ms) {
  aio__pg_wait_again(&a->wait, aio__clock_after_ms(a->s->env.clock, ms));
}

static aiorch_status end(actor *a, aiorch_status status) {
  pthread_mutex_lock(&a->wait.mutex);
  while (status == AIORCH_PENDING && !a->wait.done) pthread_cond_wait(&a->wait.cond, &a->wait.mutex);
  pthread_mutex_unlock(&a->wait.mutex);
  return status == AIORCH_PENDING ? a->wait.op.status : status;
}

#define CALL(a, group, function, ...)                                                                                                  \
  (ready(a, LONG_MS), end(a, (a)->s->store->group->function((a)->s->store, &(a)->wait.op, tenant_of(a), __VA_ARGS__)))

/* ---- statements without a condition ---------------------------------------------------------------------------------------------- */

typedef struct counted {
  actor *a;
  const char *what;
  bool is_nobody; /* no row may come */
  int64_t least;
} counted;

static aiorch_status read_counts(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  const counted *c = ctx;
  int64_t all = aio__pg_get_i64(rows, 0, 0), strange = aio__pg_get_i64(rows, 0, 1);
  (void)op;
  if (strange > 0 || (c->is_nobody && all > 0)) complain(c->a, true, c->what, "rows of another tenant");
  if (all < c->least) complain(c->a, false, c->what, "its own rows are missing");
  return AIORCH_OK;
}

static aiorch_status read_texts(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  const counted *c = ctx;
  (void)op;
  for (size_t i = 0; i < aio__pg_count(rows); i++) expect_own(c->a, c->what, aio__pg_get_bytes(rows, i, 0));
  if (c->is_nobody && aio__pg_count(rows) > 0) complain(c->a, true, c->what, "rows, without a tenant");
  return AIORCH_OK;
}

/* Nobody: without role and tenant, as what was forgotten to be set, or with an empty tenant. A login that may bypass row-level security
 * is bound by its role alone. */
static aio__pg_step *step_as(actor *a, bool nobody, int flags, counted *c) {
  ready(a, LONG_MS);
  if (nobody && !a->s->bypasses && roll(a, 2) == 0) flags |= AIO__PG_OWN;
  return aio__pg_step_new(a->s->store, &a->wait.op, nobody ? AIO__LIT("") : tenant_of(a), flags, c, sizeof *c, NULL);
}

static void count_all(actor *a, bool nobody) {
  size_t at = roll(a, TABLES);
  counted c = {a, COUNTS[at], nobody, nobody || at >= FILLED ? 0 : 1};
  aio__pg_step *step = step_as(a, nobody, AIO__PG_READ, &c);
  aio__pg_sql(step, COUNTS[at], read_counts);
  aio__pg_text(step, tenant_of(a));
  expect_ok(a, COUNTS[at], end(a, aio__pg_step_start(step)));
}

static void read_all(actor *a, bool nobody) {
  static const char *const texts[] = {
    "SELECT text FROM documents",
    "SELECT text FROM chunks",
    "SELECT answer FROM semantic_cache",
    "SELECT user_id FROM ai_api_calls",
    "SELECT c.text FROM chunk_vectors v JOIN chunks c ON c.id = v.chunk_id ORDER BY v.vector::text LIMIT 20",
    "UPDATE documents SET title = title RETURNING text",
    "UPDATE semantic_cache SET hits = hits + 1 RETURNING answer",
    "DELETE FROM ai_api_calls WHERE created_ms > 1000 AND random() < 0.5 RETURNING user_id",
    ("INSERT INTO ai_attempts SELECT (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid()))).* FROM ai_attempts a LIMIT 2"
    " RETURNING 'canary' || array_position(ARRAY['acme','ACME','rival'' OR true --','third','a%'], tenant_id) - 1 || ' pays'"),
  };
  counted c = {a, texts[roll(a, sizeof texts / sizeof texts[0])], nobody, 0};
  aio__pg_step *step = step_as(a, nobody, AIO__PG_WRITE, &c);
  aio__pg_sql(step, c.what, read_texts);
  aiorch_status status = end(a, aio__pg_step_start(step));
  expect_ok(a, c.what, status);
}

/* What the library never does: its tenant stays in the session, for whoever comes next. */
static void leave_tenant(actor *a) {
  counted c = {a, "a tenant that stays", false, 0};
  aio__pg_step *step = step_as(a, true, AIO__PG_WRITE | AIO__PG_OWN, &c);
  aio__pg_sql(step, "SELECT set_config('aiorch.tenant', $1, false)", NULL);
  aio__pg_text(step, tenant_of(a));
  expect_ok(a, c.what, end(a, aio__pg_step_start(step)));
}

/* A function of the store, called by nobody. */
static void call_as_nobody(actor *a) {
  counted c = {a, "require_tenant() without a tenant", true, 0};
  aio__pg_step *step = step_as(a, true, AIO__PG_READ, &c);
  aio__pg_sql(step, "SELECT require_tenant()", NULL);
  if (end(a, aio__pg_step_start(step)) == AIORCH_OK) complain(a, true, c.what, "it knows one");
}

/* A row under another's name: refused, and its transaction with it. */
static void write_for_another(actor *a) {
  counted c = {a, "a row for another tenant", false, 0};
  const char *other = TENANT_NAMES[(a->tenant + 1 + (int)roll(a, TENANTS - 1)) % TENANTS];
  aio__pg_step *step = step_as(a, false, AIO__PG_WRITE, &c);
  aio__pg_sql(step, "INSERT INTO document_metadata SELECT $1, id, 900 + (random() * 90000)::int, 'year', 'canary' FROM documents LIMIT 1", NULL);
  aio__pg_text(step, aio__str_z(other));
  if (end(a, aio__pg_step_start(step)) == AIORCH_OK)
    complain(a, true, c.what, "was taken");
  else
    atomic_fetch_add(&a->s->refused, 1);
}

/* The transaction ends in the middle, by an error or by the end of its time. */
static void fail_midway(actor *a) {
  counted c = {a, "a step that fails", false, 0};
  bool is_late = roll(a, 4) == 0;
  aio__pg_step *step = step_as(a, false, AIO__PG_WRITE, &c);
  if (is_late) a->wait.op.deadline_ns = aio__clock_after_ms(a->s->env.clock, LATE_MS);
  aio__pg_sql(step, COUNTS[0], read_counts);
  aio__pg_text(step, tenant_of(a));
  aio__pg_sql(step, is_late ? "SELECT pg_sleep(0.1)" : "SELECT 1 / (count(*) - count(*)) FROM documents", NULL);
  if (end(a, aio__pg_step_start(step)) == AIORCH_OK) complain(a, false, c.what, "ended well");
  atomic_fetch_add(is_late ? &a->s->late : &a->s->refused, 1);
}

/* ---- the store's own functions ------------------------------------------------------------------------------------------------------ */

static void vector_of(int number, float out[DIM]) {
  double sum = 0.0;
  for (int i = 0; i < DIM; i++) {
    out[i] = (float)(1 + (number * 7 + i * 3) % 11) / 11.0F;
    sum += (double)out[i] * (double)out[i];
  }
  for (int i = 0; i < DIM; i++) out[i] = (float)((double)out[i] / sqrt(sum));
}

/* The same ids for all tenants, so that a mistaken key would meet another's row. */
static const char *id_of(char out[AIO__UUID_LEN + 1], int kind, int n) {
  snprintf(out, AIO__UUID_LEN + 1, "00000000-0000-7000-8000-%04x%08x", (unsigned)kind & 0xffffU, (unsigned)n);
  return out;
}

enum { DOCUMENT = 1, CHUNK, ENTRY, RUN, ATTEMPT };

/* A document with one chunk. */
static void add_document(actor *a, int n) {
  char text[WORDS], source[WORDS], hash[33];
  int what;
  aio__str *removed;
  size_t count;
  snprintf(text, sizeof text, "canary%d sings of %d, for the %d. time", a->tenant, n, (int)roll(a, 1000));
  snprintf(source, sizeof source, "source %d", n);
  snprintf(hash, sizeof hash, "%-32.32s", strstr(text, "of"));
  aio__pair year = {AIO__LIT("year"), AIO__LIT("canary")};
  aio__store_document d = {.source = aio__str_z(source), .title = aio__str_z(text), .text = aio__str_z(text), .hash = {hash, 32},
                           .format = AIORCH_FORMAT_PLAIN, .metadata = &year, .metadata_count = 1};
  aio__store_chunk chunk = {.tokens = 3, .end = strlen(text), .hash = {hash, 32}};
  id_of(d.id, DOCUMENT, n);
  id_of(chunk.id, CHUNK, n * 1000 + (int)roll(a, 1000));
  expect_ok(a, "add", CALL(a, knowledge, add, &d, &chunk, 1, 1000 + n, &a->arena, &what, &removed, &count));
}

static void embed(actor *a) {
  aio__unembedded *todo;
  aio__str ids[4];
  float rows[4 * DIM];
  size_t n = 0;
  uint64_t left;
  expect_ok(a, "unembedded", CALL(a, knowledge, unembedded, MODEL, 4, &a->arena, &todo, &n, &left));
  for (size_t i = 0; i < n; i++) {
    ids[i] = aio__str_z(todo[i].chunk_id);
    expect_own(a, "unembedded", todo[i].text);
    vector_of((int)roll(a, 1000), rows + i * DIM);
  }
  aio__vectors vectors = {MODEL, DIM, rows};
  if (n > 0) expect_ok(a, "mark_embedded", CALL(a, knowledge, mark_embedded, &vectors, ids, n));
}

static void look(actor *a) {
  aio__found_chunk *found;
  size_t n = 0;
  float query[DIM];
  vector_of((int)roll(a, 1000), query);
  aio__search_args words = {.query = AIO__LIT("canary0 canary1 canary2 canary3 canary4 sings"), .limit = 50};
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 50};
  bool by_words = roll(a, 2) == 0;
  if (by_words)
    expect_ok(a, "search", CALL(a, knowledge, search, &words, &a->arena, &found, &n));
  else
    expect_ok(a, "nearest", CALL(a, knowledge, nearest, &args, NULL, 0, &a->arena, &found, &n));
  for (size_t i = 0; i < n; i++) expect_own(a, by_words ? "search" : "nearest", found[i].text);
  if (n == 0) complain(a, false, by_words ? "search" : "nearest", "its own are missing");
}

static void put_answer(actor *a, int n) {
  char answer[WORDS], key[33];
  float row[DIM];
  bool stored;
  snprintf(answer, sizeof answer, "canary%d says %d", a->tenant, (int)roll(a, 1000));
  snprintf(key, sizeof key, "question %-23d", n);
  vector_of(n, row);
  aio__vectors vector = {MODEL, DIM, row};
  aio__cache_entry e = {.scope = {SCOPE, 32}, .key = {key, 32}, .query = aio__str_z(answer), .answer = aio__str_z(answer), .sources = AIO__LIT("[]"),
                        .chunks = {SCOPE, 32}, .provider = AIO__LIT("p"), .model = AIO__LIT("m"), .finish_reason = AIORCH_FINISH_STOP,
                        .created_ms = 1000, .expires_ms = INT64_MAX / 2, .vector = &vector};
  aio__cache_source rests = {.version = 1};
  id_of(rests.document_id, DOCUMENT, 0);
  if (n == 0) { /* what is always there, and rests on a document that never changes */
    e.rests_on = &rests;
    e.rests_on_count = 1;
  }
  id_of(e.id, ENTRY, n * 1000 + (int)roll(a, 1000));
  expect_ok(a, "put", CALL(a, cache, put, &e, &ROOMY, 2000, &stored));
}

static void take_answer(actor *a) {
  char key[33];
  aio__cache_entry e;
  aio__cache_near *near_ones;
  float query[DIM];
  size_t n = 0;
  bool found = false;
  snprintf(key, sizeof key, "question %-23d", (int)roll(a, 20));
  expect_ok(a, "lookup", CALL(a, cache, lookup, ((aio__str){SCOPE, 32}), ((aio__str){key, 32}), 3000, &a->arena, &e, &found));
  if (found) expect_own(a, "lookup", e.answer);
  vector_of((int)roll(a, 20), query);
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 50};
  expect_ok(a, "near", CALL(a, cache, near, ((aio__str){SCOPE, 32}), &args, 3000, &a->arena, &near_ones, &n));
  for (size_t i = 0; i < n; i++) expect_own(a, "near", near_ones[i].query);
}

/* Admission, attempt, cost: one run. Some go under an id that others of other tenants use at the same time. */
static void settle_run(actor *a, int n) {
  char user[WORDS];
  aio__admission admission;
  aio__cost_row *costs;
  size_t count = 0;
  aio__constraint c = {.kind = AIO__LIMIT_RUNS, .window_ms = 3600000, .limit = 1000000, .amount = 1};
  snprintf(user, sizeof user, "canary%d spends", a->tenant);
  snprintf(c.key, sizeof c.key, "runs:user");
  aio__run_row run = {.user = aio__str_z(user), .provider = AIO__LIT("p"), .model = AIO__LIT("m"), .cost_known = true, .cost_nano_usd = 5,
                      .created_ms = 1000 + (n > 0)};
  aio__attempt_row attempt = {.state = AIO__ATTEMPT_SETTLED, .provider = AIO__LIT("p"), .model = AIO__LIT("m"), .cost_known = true,
                              .cost_nano_usd = 5, .created_ms = 1000, .lease_until_ms = INT64_MAX / 2};
  id_of(run.id, RUN, n);
  id_of(attempt.run_id, RUN, n);
  id_of(attempt.id, ATTEMPT, n);
  expect_ok(a, "admit", CALL(a, ledger, admit, aio__str_z(run.id), &c, 1, 1000, &admission));
  expect_ok(a, "settle", CALL(a, ledger, settle, &run, &attempt, 1));
  expect_ok(a, "costs", CALL(a, ledger, costs, 0, INT64_MAX, AIO__LIT("user"), &a->arena, &costs, &count));
  for (size_t i = 0; i < count; i++) expect_own(a, "costs", costs[i].group);
}

#define CALL_NOBODY(a, group, function, ...)                                                                                           \
  (ready(a, LONG_MS), end(a, (a)->s->store->group->function((a)->s->store, &(a)->wait.op, AIO__LIT(""), __VA_ARGS__)))

/* Nothing is found, and nothing can be written. */
static void use_store_as_nobody(actor *a) {
  aio__store_document *documents, shown;
  aio__found_chunk *found;
  aio__cache_entry e;
  aio__cache_near *near_ones;
  aio__cost_row *costs;
  aio__attempt_row *attempts;
  aio__admission admission = {.admitted = false};
  size_t n = 0;
  bool there = false;
  char key[33], id[AIO__UUID_LEN + 1];
  float query[DIM];
  snprintf(key, sizeof key, "question %-23d", 0);
  vector_of(0, query);
  aio__search_args words = {.query = AIO__LIT("canary0 canary1 sings"), .limit = 50};
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 50};
  aio__constraint c = {.kind = AIO__LIMIT_RUNS, .key = "runs:user", .window_ms = 3600000, .limit = 1000000, .amount = 1};
  aiorch_status status;
  switch (roll(a, 9)) {
  case 0: status = CALL_NOBODY(a, knowledge, list, AIO__LIT(""), 50, &a->arena, &documents, &n); break;
  case 1: status = CALL_NOBODY(a, knowledge, show, AIO__LIT("source 0"), &a->arena, &shown), n = status == AIORCH_OK; break;
  case 2: status = CALL_NOBODY(a, knowledge, search, &words, &a->arena, &found, &n); break;
  case 3: status = CALL_NOBODY(a, knowledge, nearest, &args, NULL, 0, &a->arena, &found, &n); break;
  case 4: status = CALL_NOBODY(a, cache, lookup, ((aio__str){SCOPE, 32}), ((aio__str){key, 32}), 3000, &a->arena, &e, &there), n = there; break;
  case 5: status = CALL_NOBODY(a, cache, near, ((aio__str){SCOPE, 32}), &args, 3000, &a->arena, &near_ones, &n); break;
  case 6: status = CALL_NOBODY(a, ledger, costs, 0, INT64_MAX, AIO__LIT("user"), &a->arena, &costs, &n); break;
  case 7: status = CALL_NOBODY(a, ledger, attempts, aio__str_z(id_of(id, RUN, 0)), &a->arena, &attempts, &n); break;
  default:
    status = CALL_NOBODY(a, ledger, admit, aio__str_z(id_of(id, RUN, 0)), &c, 1, 1000, &admission);
    n = status == AIORCH_OK;
    break;
  }
  if (n > 0) complain(a, true, "a call of the store without a tenant", "gives something");
}

/* ---- threads ------------------------------------------------------------------------------------------------------------------- */

static void one_step(actor *a) {
  int n = 1 + (int)roll(a, 19);
  a->tenant = (int)roll(a, TENANTS);
  if (a->s->leaks && roll(a, 20) == 0) leave_tenant(a);
  switch (roll(a, 15)) {
  case 0: count_all(a, true); break;
  case 1: read_all(a, true); break;
  case 2: call_as_nobody(a); break;
  case 3: write_for_another(a); break;
  case 4: fail_midway(a); break;
  case 5: add_document(a, n); break;
  case 6: embed(a); break;
  case 7: look(a); break;
  case 8: put_answer(a, n); break;
  case 9: take_answer(a); break;
  case 10: settle_run(a, n); break;
  case 11: read_all(a, false); break;
  case 12: use_store_as_nobody(a); break;
  default: count_all(a, false); break;
  }
}

static void *act(void *ctx) {
  actor *a = ctx;
  for (int i = 0; i < a->s->steps && !atomic_load(&a->s->stop); i++) {
    one_step(a);
    aio__arena_free(&a->arena);
    atomic_fetch_add(&a->s->done, 1);
  }
  return NULL;
}

static void actor_init(actor *a, scene *s, int number) {
  *a = (actor){.s = s, .number = number, .random = (s->seed + 1) * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)number + 1};
  if (aio__pg_wait_init(&a->wait, NULL) != AIORCH_OK) abort();
  aio__arena_init(&a->arena, s->env.al, 4096);
}

static void actor_free(actor *a) {
  aio__arena_free(&a->arena);
  aio__pg_wait_free(&a->wait);
}

/* One of everything for each tenant, which no step removes. */
static void fill(scene *s) {
  actor a;
  actor_init(&a, s, THREADS);
  for (int i = 0; i < TENANTS; i++) {
    a.tenant = i;
    add_document(&a, 0);
    embed(&a);
    put_answer(&a, 0);
    settle_run(&a, 0);
    aio__arena_free(&a.arena);
  }
  actor_free(&a);
}

static void open_store(scene *s, const char *url) {
  aiorch_error error;
  aio__error_init(&error);
  s->env = (aio__store_env){.al = aio__alloc_default(), .clock = aio__clock_system(), .options = &s->options};
  if (aio__options_init(&s->options, s->env.al) != AIORCH_OK) abort();
  if (aio__options_set_plain(&s->options, AIO__LIT("postgres.connections_max"), AIO__LIT("2"), &error) != AIORCH_OK) abort();
  if (aio__options_set_plain(&s->options, AIO__LIT("postgres.timeout_ms"), AIO__LIT("60000"), &error) != AIORCH_OK) abort();
  if (aio__store_postgres_open(&s->env, url, &s->store, &error) != AIORCH_OK) cluster_die(url, aiorch_error_message(&error));
}

static void empty_tables(void) {
  admin("DO $$ DECLARE names text; BEGIN SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') INTO names FROM pg_tables"
        " WHERE schemaname = 'aiorch' AND tablename NOT IN ('schema_version', 'settings'); EXECUTE 'TRUNCATE ' || names; END $$");
}

/* How many steps saw something wrong. */
static int play(const char *url, unsigned long seed, int steps, bool quiet, const char *change) {
  scene s = {.seed = seed, .steps = steps / THREADS, .quiet = quiet};
  actor actors[THREADS];
  s.bypasses = strcmp(url, cluster_variable("AIORCH_TEST_POSTGRES_BYPASS")) == 0;
  empty_tables();
  open_store(&s, url);
  s.quiet = false; /* filling must go well */
  fill(&s);
  s.quiet = quiet;
  if (atomic_load(&s.wrong) > 0) cluster_die("filling", "failed");
  s.leaks = change != NULL && strcmp(change, LEAK) == 0;
  if (change != NULL && !s.leaks) admin(change);
  for (int i = 0; i < THREADS; i++) {
    actor_init(&actors[i], &s, i);
    if (pthread_create(&actors[i].thread, NULL, act, &actors[i]) != 0) abort();
  }
  for (int i = 0; i < THREADS; i++) (void)pthread_join(actors[i].thread, NULL);
  for (int i = 0; i < THREADS; i++) actor_free(&actors[i]);
  s.store->close(s.store);
  aio__options_free(&s.options);
  if (!quiet || verbose)
    printf("  %d steps, %d refused or broken off by errors, %d by time; %d saw something wrong, %d of it another tenant's\n", atomic_load(&s.done),
           atomic_load(&s.refused), atomic_load(&s.late), atomic_load(&s.wrong), atomic_load(&s.stranger));
  return atomic_load(&s.wrong);
}

/* ---- it proves itself -------------------------------------------------------------------------------------------------------------- */

/* The policies as they were are read from the catalog before. */
static const char SAVE[] =
  "CREATE TABLE public.saved_policies AS SELECT tablename, qual, with_check FROM pg_policies WHERE schemaname = 'aiorch' AND policyname = 'tenant'";
static const char RESTORE[] =
  "DO $$ DECLARE p record; BEGIN PERFORM set_config('search_path', 'aiorch, extensions', true); FOR p IN SELECT * FROM public.saved_policies LOOP"
  " EXECUTE format('DROP POLICY IF EXISTS tenant ON aiorch.%I', p.tablename);"
  " EXECUTE format('CREATE POLICY tenant ON aiorch.%I USING (%s) WITH CHECK (%s)', p.tablename, p.qual, p.with_check);"
  " EXECUTE format('ALTER TABLE aiorch.%I ENABLE ROW LEVEL SECURITY', p.tablename); END LOOP; END $$;"
  " ALTER ROLE aiorch_app NOBYPASSRLS; ALTER ROLE app RESET aiorch.tenant";

static const char *const CHANGES[] = {
  "ALTER POLICY tenant ON aiorch.documents USING (true)",
  "ALTER POLICY tenant ON aiorch.chunks USING (true)",
  "ALTER POLICY tenant ON aiorch.semantic_cache USING (true)",
  "ALTER POLICY tenant ON aiorch.ai_api_calls USING (true)",
  "ALTER POLICY tenant ON aiorch.admissions USING (true)",
  "ALTER POLICY tenant ON aiorch.document_metadata WITH CHECK (true)",
  "ALTER TABLE aiorch.documents DISABLE ROW LEVEL SECURITY",
  "ALTER TABLE aiorch.entry_vectors DISABLE ROW LEVEL SECURITY",
  "DROP POLICY tenant ON aiorch.documents",
  "DROP POLICY tenant ON aiorch.chunk_vectors",
  "ALTER ROLE app SET aiorch.tenant = 'acme'",
  LEAK,
};

static bool prove(const char *url, unsigned long seed) {
  bool good = true;
  size_t count = sizeof CHANGES / sizeof CHANGES[0];
  admin(SAVE);
  for (size_t i = 0; i < count; i++) {
    int wrong = play(url, seed + i, PROOF_STEPS, true, CHANGES[i]);
    admin(RESTORE);
    if (verbose || wrong == 0) printf("  %s: %s\n", CHANGES[i], wrong > 0 ? "noticed" : "FAILED: not noticed");
    good = good && wrong > 0;
  }
  admin("DROP TABLE public.saved_policies");
  printf("  each of %zu changes is noticed: %s\n", count, good ? "yes" : "no");
  return good;
}

int main(int argc, char **argv) {
  unsigned long seed = (unsigned long)time(NULL);
  int steps = STEPS;
  cluster_enter(argv, (const char *const[]){NULL});
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--verbose") == 0)
      verbose = true;
    else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
      steps = atoi(argv[++i]);
    else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
      seed = strtoul(argv[++i], NULL, 10);
  }
  printf("%d tenants, %d threads, seed %lu\n", TENANTS, THREADS, seed);
  bool good = true;
  const char *const urls[] = {cluster_variable("AIORCH_TEST_POSTGRES"), cluster_variable("AIORCH_TEST_POSTGRES_PGBOUNCER"), cluster_variable("AIORCH_TEST_POSTGRES_BYPASS")};
  const char *const names[] = {"two connections", "PgBouncer", "a login with BYPASSRLS"};
  for (size_t i = 0; i < 3; i++) {
    printf("%s\n", names[i]);
    good = play(urls[i], seed + i, steps, false, NULL) == 0 && good;
  }
  good = prove(urls[0], seed) && good;
  return !good;
}
