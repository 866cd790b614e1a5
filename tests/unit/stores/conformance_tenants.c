/* Canaries of many tenants, and every allocation that fails. A part of conformance.c. */
#include "stores/conformance.h"

static const char *const TENANTS[] = {"acme",         "acm",  "acme2", "ACME",         "acme'",
                                      "acme%",        "ac_e", "a\"b",  "x' OR '1'='1", "\xc3\xa9t\xc3\xa9",
                                      "\xe7\xa7\x9f", "t1",   "acme "};
enum { TENANT_COUNT = sizeof TENANTS / sizeof TENANTS[0] };

/* The same rows for each tenant, with its number in what may be seen. */
static void fill_tenant(fixture *f, int number) {
  aio__str tenant = aio__str_z(TENANTS[number]);
  char text[64], source[32];
  snprintf(text, sizeof text, "canary%d sings of secret%d", number, number);
  snprintf(source, sizeof source, "canary%d.md", number);
  aio__store_document d = add_text(f, tenant, source, "canary", text, number, T0);
  d = add_text(f, tenant, "shared.md", "canary", text, 50 + number, T0);
  aio__cache_source s = source_of(&d);
  aio__cache_entry e = entry_of(number, "same question", text, &s);
  float row[DIM];
  vector_of((unsigned)number, row);
  e.knowledge = 3;
  e.query = aio__str_z(source);
  e.vector = &(aio__vectors){MODEL, DIM, row};
  assert_true(keep(f, tenant, &e, &ROOMY, T0));
  mark(f, tenant, MODEL, number * 100, row);
  aio__constraint c[] = {runs_limit("same key", 2, HOUR), money_limit("same money", 1000, 10)};
  assert_true(admit(f, tenant, 1, c, 2, T0).admitted);
  aio__attempt_row a = attempt_of(1, 1, AIO__ATTEMPT_SETTLED, T0);
  aio__run_row run = run_of(1, 100 + number, T0);
  run.user = run.model = aio__str_z(source);
  a.model = aio__str_z(source);
  settle(f, tenant, &run, &a, 1);
}

static void expect_own(aio__str text, int number) {
  char own[32];
  snprintf(own, sizeof own, "canary%d%s", number, memchr(text.p, ' ', text.n) != NULL ? " " : ".");
  assert_true(aio__str_starts(text, aio__str_z(own)));
}

/* The vectors of all tenants are asked for, and each time there is one to be found, the tenant's own. */
static void look_for_vectors(fixture *f, int number) {
  aio__str tenant = aio__str_z(TENANTS[number]);
  aio__found_chunk *found;
  aio__cache_near *near_ones;
  aio__vector_model *models;
  aio__unembedded *left_ones;
  aio__cache_entry got;
  uint64_t left;
  size_t n = 0;
  bool hit = false;
  char id[AIO__UUID_LEN + 1];
  float query[DIM];
  for (int i = 0; i < TENANT_COUNT; i++) {
    vector_of((unsigned)i, query);
    aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 100};
    assert_int_equal(CALL(f, knowledge, nearest, tenant, &args, NULL, 0, &f->arena, &found, &n), AIORCH_OK);
    assert_int_equal(n, 1);
    expect_own(found[0].text, number);
    assert_int_equal(CALL(f, cache, near, tenant, ((aio__str){SCOPE, 32}), &args, T0 + 1, &f->arena, &near_ones, &n),
                     AIORCH_OK);
    assert_int_equal(n, 1);
    expect_own(near_ones[0].query, number);
    assert_int_equal(CALL(f, cache, read, tenant, ((aio__str){SCOPE, 32}), aio__str_z(id_of(id, "cach", i)), T0 + 1,
                          &f->arena, &got, &hit),
                     AIORCH_OK);
    assert_int_equal(hit, i == number);
  }
  assert_int_equal(CALL(f, knowledge, models, tenant, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_model(&models[0], MODEL, 1, 1);
  assert_int_equal(CALL(f, cache, unembedded, tenant, OTHER, 100, &f->arena, &left_ones, &n, &left), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_own(left_ones[0].text, number);
}

static void look_for_canaries(fixture *f, int number) {
  aio__str tenant = aio__str_z(TENANTS[number]);
  aio__found_chunk *found, fetched[TENANT_COUNT];
  aio__store_document *docs, doc;
  aio__cache_entry got, *all;
  aio__cost_row *costs;
  aio__attempt_row *attempts;
  aio__store_stats stats;
  aio__unembedded *todo;
  uint64_t left;
  size_t n = 0;
  char query[400] = "", ids[TENANT_COUNT][AIO__UUID_LEN + 1], run[AIO__UUID_LEN + 1];
  aio__str id_list[TENANT_COUNT];
  for (int i = 0; i < TENANT_COUNT; i++) {
    snprintf(query + strlen(query), sizeof query - strlen(query), "canary%d secret%d sings ", i, i);
    id_list[i] = aio__str_z(id_of(ids[i], "chnk", i * 100));
  }
  n = search(f, tenant, query, &found);
  assert_int_equal(n, 2);
  for (size_t i = 0; i < n; i++) expect_own(found[i].text, number);
  assert_int_equal(CALL(f, knowledge, fetch, tenant, id_list, TENANT_COUNT, NULL, 0, &f->arena, fetched), AIORCH_OK);
  for (int i = 0; i < TENANT_COUNT; i++) assert_int_equal(fetched[i].chunk_id[0] != '\0', i == number);
  assert_int_equal(CALL(f, knowledge, list, tenant, AIO__LIT(""), 100, &f->arena, &docs, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  expect_own(docs[0].source, number);
  for (int i = 0; i < TENANT_COUNT; i++) {
    char id[AIO__UUID_LEN + 1];
    bool own = i == number;
    assert_int_equal(CALL(f, knowledge, show, tenant, aio__str_z(id_of(id, "docu", i)), &f->arena, &doc),
                     own ? AIORCH_OK : AIORCH_E_NOT_FOUND);
  }
  assert_int_equal(CALL(f, knowledge, unembedded, tenant, AIO__LIT("m"), 100, &f->arena, &todo, &n, &left), AIORCH_OK);
  assert_int_equal(left, 2);
  look_for_vectors(f, number);
  assert_true(ask(f, tenant, "same question", T0 + 1, &got));
  expect_own(got.answer, number);
  assert_int_equal(CALL(f, cache, list, tenant, 100, T0 + 1, &f->arena, &all, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  assert_int_equal(CALL(f, ledger, costs, tenant, 0, INT64_MAX, AIO__LIT("user"), &f->arena, &costs, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_own(costs[0].group, number);
  assert_int_equal(costs[0].cost_nano_usd, 100 + number);
  assert_int_equal(CALL(f, ledger, attempts, tenant, aio__str_z(id_of(run, "runs", 1)), &f->arena, &attempts, &n),
                   AIORCH_OK);
  assert_int_equal(n, 1);
  expect_own(attempts[0].model, number);
  assert_int_equal(CALL(f, ledger, stats, tenant, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.documents, 2);
  assert_int_equal(stats.cache_entries, 1);
  assert_int_equal(stats.runs, 1);
  assert_int_equal(stats.cost_nano_usd, 100 + number);
}

/* Everything that one tenant may do to harm another. */
static void attack_from(fixture *f, int number) {
  aio__str tenant = aio__str_z(TENANTS[number]);
  aio__str *removed;
  size_t n = 0;
  uint64_t gone = 0;
  char id[AIO__UUID_LEN + 1];
  float row[DIM];
  vector_of(77, row);
  for (int i = 0; i < TENANT_COUNT; i++) {
    if (i == number) continue;
    char source[32];
    snprintf(source, sizeof source, "canary%d.md", i);
    assert_int_equal(CALL(f, knowledge, remove, tenant, aio__str_z(source), T0, &f->arena, &removed, &n),
                     AIORCH_E_NOT_FOUND);
    assert_int_equal(CALL(f, cache, invalidate, tenant, aio__str_z(source), &gone), AIORCH_OK);
    assert_int_equal(gone, 0);
    assert_int_equal(CALL(f, cache, invalidate, tenant, aio__str_z(id_of(id, "cach", i)), &gone), AIORCH_OK);
    assert_int_equal(gone, 0);
    assert_int_equal(CALL(f, cache, invalidate, tenant, aio__str_z(id_of(id, "docu", i)), &gone), AIORCH_OK);
    assert_int_equal(gone, 0);
    aio__str chunk = aio__str_z(id_of(id, "chnk", i * 100));
    aio__vectors plain = {.fingerprint = AIO__LIT("m")}, real = {MODEL, DIM, row};
    assert_int_equal(CALL(f, knowledge, mark_embedded, tenant, &plain, &chunk, 1), AIORCH_OK);
    assert_int_equal(CALL(f, knowledge, mark_embedded, tenant, &real, &chunk, 1), AIORCH_OK);
    chunk = aio__str_z(id_of(id, "cach", i));
    assert_int_equal(CALL(f, cache, mark_embedded, tenant, &real, &chunk, 1), AIORCH_OK);
    assert_int_equal(CALL(f, cache, exact_only, tenant, chunk), AIORCH_E_NOT_FOUND);
    aio__cache_entry e = entry_of(i + 500, "theirs", "x", &(aio__cache_source){.version = 1});
    memcpy((char *)(uintptr_t)e.rests_on[0].document_id, id_of(id, "docu", i), sizeof id);
    assert_false(keep(f, tenant, &e, &ROOMY, T0));
  }
}

static void test_tenants__canaries_never_surface(void **state) {
  fixture *f = *state;
  for (int i = 0; i < TENANT_COUNT; i++) fill_tenant(f, i);
  for (int i = 0; i < TENANT_COUNT; i++) look_for_canaries(f, i);
  for (int i = 0; i < TENANT_COUNT; i++) attack_from(f, i);
  for (int i = 0; i < TENANT_COUNT; i++) look_for_canaries(f, i);
  aio__found_chunk *found;
  aio__cache_entry got;
  assert_int_equal(search(f, AIO__LIT("nobody"), "canary", &found), 0);
  assert_false(ask(f, AIO__LIT("nobody"), "same question", T0, &got));
  /* Emptying one leaves the others as they were. */
  aio__str *removed;
  size_t n = 0;
  uint64_t gone = 0;
  assert_int_equal(CALL(f, cache, invalidate, ACME, AIO__LIT(""), &gone), AIORCH_OK);
  assert_int_equal(gone, 1);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("shared.md"), T0, &f->arena, &removed, &n), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 100, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  for (int i = 1; i < TENANT_COUNT; i++) look_for_canaries(f, i);
}

/* ---- out of memory ---------------------------------------------------------------------------------------------- */

#define STEP(...)                                                                                                      \
  if ((st = CALL(f, __VA_ARGS__)) < 0) return st

/* All that is done with the vectors of a chunk and an answer. */
static aiorch_status tour_vectors(fixture *f, aio__str chunk, const aio__cache_entry *e, const aio__filter *filter) {
  aio__found_chunk *found;
  aio__cache_near *near_ones;
  aio__vector_model *models;
  aio__unembedded *left_ones;
  aio__cache_entry entry;
  aiorch_status st;
  uint64_t left;
  bool flag = false;
  size_t n;
  aio__str id = aio__str_z(e->id);
  aio__vectors others = {OTHER, DIM, e->vector->rows};
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = e->vector->rows, .threshold = -1.0, .limit = 5}, unknown = args;
  unknown.fingerprint = AIO__LIT("model-3");
  STEP(knowledge, mark_embedded, ACME, e->vector, &chunk, 1);
  STEP(knowledge, nearest, ACME, &args, filter, 1, &f->arena, &found, &n);
  STEP(cache, near, ACME, e->scope, &args, T0, &f->arena, &near_ones, &n);
  STEP(cache, read, ACME, e->scope, id, T0, &f->arena, &entry, &flag);
  STEP(cache, unembedded, ACME, OTHER, 5, &f->arena, &left_ones, &n, &left);
  STEP(cache, mark_embedded, ACME, &others, &id, 1);
  STEP(knowledge, models, ACME, &f->arena, &models, &n);
  STEP(knowledge, forget_model, ACME, OTHER, 10, &n);
  st = CALL(f, cache, near, ACME, e->scope, &unknown, T0, &f->arena, &near_ones, &n);
  if (st < 0 && st != AIORCH_E_EMBEDDER_MISMATCH) return st;
  STEP(cache, exact_only, ACME, id);
  return AIORCH_OK;
}

/* One of everything. Returns the first failure. */
static aiorch_status tour(fixture *f, int round) {
  aio__str *removed;
  aio__found_chunk *found;
  aio__store_document *docs, got;
  aio__cache_entry entry, *entries;
  aio__admission admission;
  aio__attempt_row *attempts;
  aio__cost_row *costs;
  aio__unembedded *todo;
  aiorch_status st;
  uint64_t left;
  bool flag = false;
  size_t n;
  int what;
  char text[64], id[AIO__UUID_LEN + 1];
  float row[DIM];
  snprintf(text, sizeof text, "round %d of the same words", round);
  aio__anchor anchor = {0, AIO__LIT("top")};
  aio__pair pair = {AIO__LIT("lang"), AIO__LIT("en")};
  aio__filter en = {.name = pair.name, .value = pair.value};
  aio__store_document d = {.source = AIO__LIT("a"),
                           .title = AIO__LIT("T"),
                           .text = aio__str_z(text),
                           .hash = aio__str_z(text),
                           .format = 1,
                           .anchors = &anchor,
                           .anchor_count = 1,
                           .metadata = &pair,
                           .metadata_count = 1};
  aio__store_chunk chunk = {.end = d.text.n, .hash = d.hash, .heading = AIO__LIT("H")};
  aio__search_args args = {.query = AIO__LIT("round words"), .filters = &en, .filter_count = 1, .limit = 5};
  aio__constraint c[] = {runs_limit("u", 1000000, HOUR), money_limit("m", 1000000, 1)};
  id_of(d.id, "docu", round);
  id_of(chunk.id, "chnk", round);
  aio__str chunk_id = aio__str_z(chunk.id), run_id = aio__str_z(id_of(id, "runs", round));
  aio__run_row run = run_of(round, 1, T0);
  aio__attempt_row attempt = attempt_of(round, round, AIO__ATTEMPT_PENDING, T0), settled = attempt;
  settled.state = AIO__ATTEMPT_SETTLED;
  STEP(knowledge, add, ACME, &d, &chunk, 1, T0, &f->arena, &what, &removed, &n);
  STEP(knowledge, check, ACME, &d, &flag);
  STEP(knowledge, search, ACME, &args, &f->arena, &found, &n);
  STEP(knowledge, list, ACME, AIO__LIT(""), 5, &f->arena, &docs, &n);
  STEP(knowledge, show, ACME, AIO__LIT("a"), &f->arena, &got);
  STEP(knowledge, unembedded, ACME, AIO__LIT("m"), 5, &f->arena, &todo, &n, &left);
  STEP(knowledge, mark_embedded, ACME, &(aio__vectors){.fingerprint = AIO__LIT("m")}, &chunk_id, 1);
  aio__cache_source s = source_of(&d);
  aio__cache_entry e = entry_of(round, text, "answer", &s);
  aio__vectors vector = {MODEL, DIM, row};
  vector_of((unsigned)round, row);
  e.vector = &vector;
  STEP(cache, put, ACME, &e, &ROOMY, T0, &flag);
  if ((st = tour_vectors(f, chunk_id, &e, &en)) < 0) return st;
  STEP(cache, lookup, ACME, e.scope, e.key, T0, &f->arena, &entry, &flag);
  STEP(cache, list, ACME, 5, T0, &f->arena, &entries, &n);
  STEP(ledger, admit, ACME, run_id, c, 2, T0, &admission);
  STEP(ledger, attempt, ACME, &attempt);
  STEP(ledger, settle, ACME, &run, &settled, 1);
  STEP(ledger, attempts, ACME, run_id, &f->arena, &attempts, &n);
  STEP(ledger, costs, ACME, 0, INT64_MAX, AIO__LIT("day"), &f->arena, &costs, &n);
  STEP(knowledge, remove, ACME, AIO__LIT("a"), T0, &f->arena, &removed, &n);
#undef STEP
  return AIORCH_OK;
}

/* Fails each allocation of opening a store and using all of it; afterwards the same store must work. */
static void test_calls__out_of_memory(void **state) {
  fixture *f = *state;
  f->store->close(f->store);
  f->store = NULL;
  aio__arena_free(&f->arena);
  long live = f->memory.live;
  int round = 0;
  do {
    aio__test_alloc_next(&f->memory);
    aiorch_status st = open_store(f);
    if (st == AIORCH_OK) st = tour(f, round);
    assert_true(st == AIORCH_OK || st == AIORCH_E_NOMEM);
    if (f->memory.failed > 0 && st == AIORCH_OK) assert_non_null(f->store); /* a count was lost, nothing else */
    long fail_at = f->memory.fail_at;
    f->memory.fail_at = 0;
    long failed = f->memory.failed;
    aio__arena_free(&f->arena);
    if (f->store != NULL) {
      assert_int_equal(tour(f, round + 100000), AIORCH_OK);
      f->store->close(f->store);
    }
    f->store = NULL;
    aio__arena_free(&f->arena);
    assert_int_equal(f->memory.live, live);
    f->memory.fail_at = fail_at;
    f->memory.failed = failed;
    round++;
  } while (f->memory.failed > 0 && round < 2000);
  assert_true(round > 20 && round < 2000);
  f->memory.fail_at = 0;
}
