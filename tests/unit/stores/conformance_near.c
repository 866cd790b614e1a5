/* Vectors of kept answers. A part of conformance.c. */
#include "stores/conformance.h"

/* An answer to question `number`, with a vector whose cosine to the first axis is `cosine`. */
typedef struct asked {
  aio__cache_entry entry;
  aio__vectors vectors;
  float row[DIM];
  char query[32], scope[33];
} asked;

static asked *asked_of(asked *out, int number, double cosine, const char *scope) {
  memset(out, 0, sizeof *out);
  snprintf(out->query, sizeof out->query, "question %d", number);
  snprintf(out->scope, sizeof out->scope, "%-32.32s", scope);
  vector_at(cosine, out->row);
  out->vectors = (aio__vectors){MODEL, DIM, out->row};
  out->entry = entry_of(number, out->query, "answer", NULL);
  out->entry.scope = (aio__str){out->scope, 32};
  out->entry.vector = &out->vectors;
  return out;
}

static void keep_at(fixture *f, aio__str tenant, int number, double cosine, const char *scope) {
  asked a;
  assert_true(keep(f, tenant, &asked_of(&a, number, cosine, scope)->entry, &ROOMY, T0));
}

static aiorch_status try_near(fixture *f, aio__str tenant, const char *scope, aio__str model, size_t limit,
                              int64_t now_ms, aio__cache_near **out, size_t *n) {
  char whole[33];
  float query[DIM];
  snprintf(whole, sizeof whole, "%-32.32s", scope);
  vector_at(1.0, query);
  aio__nearest_args args = {.fingerprint = model, .dimensions = DIM, .query = query, .threshold = 0.3, .limit = limit};
  return CALL(f, cache, near, tenant, ((aio__str){whole, 32}), &args, now_ms, &f->arena, out, n);
}

static size_t near(fixture *f, const char *scope, size_t limit, aio__cache_near **out) {
  size_t n = 99;
  assert_int_equal(try_near(f, ACME, scope, MODEL, limit, T0, out, &n), AIORCH_OK);
  return n;
}

static void test_near__best_first_in_the_scope(void **state) {
  fixture *f = *state;
  aio__cache_near *found;
  size_t n = 0;
  assert_int_equal(near(f, "s1", 5, &found), 0);
  keep_at(f, ACME, 1, 0.5, "s1");
  keep_at(f, ACME, 2, 0.9, "s1");
  keep_at(f, ACME, 3, 0.99, "s2");
  keep_at(f, ACME, 4, 0.7, "s1");
  keep_at(f, ACME, 5, 0.2, "s1");
  keep_at(f, ACME, 6, 0.7, "s1");
  assert_int_equal(near(f, "s1", 5, &found), 4);
  expect_number(found[0].id, "cach", 2);
  expect_number(found[1].id, "cach", 4);
  expect_number(found[2].id, "cach", 6);
  expect_number(found[3].id, "cach", 1);
  expect_near(found[0].similarity, 0.9);
  expect_str(found[0].query, "question 2");
  assert_int_equal(near(f, "s1", 2, &found), 2);
  assert_int_equal(near(f, "s1", 0, &found), 0);
  assert_int_equal(near(f, "s2", 5, &found), 1);
  assert_int_equal(near(f, "s3", 5, &found), 0);
  assert_int_equal(try_near(f, AIO__LIT("other"), "s1", MODEL, 5, T0, &found, &n), AIORCH_OK);
  assert_int_equal(n, 0);
}

/* Scopes that differ only beyond what the index tells apart. */
static void test_near__scopes_that_begin_alike(void **state) {
  fixture *f = *state;
  aio__cache_near *found;
  for (int i = 0; i < 20; i++) keep_at(f, ACME, i, 0.9 - i * 0.01, "eight bytes and another");
  keep_at(f, ACME, 50, 0.5, "eight bytes and one");
  assert_int_equal(near(f, "eight bytes and one", 1, &found), 1);
  expect_number(found[0].id, "cach", 50);
  assert_int_equal(near(f, "eight bytes and one", 5, &found), 1);
  assert_int_equal(near(f, "eight bytes and none", 5, &found), 0);
}

/* What has expired or serves its own question only takes no place of what may be given. */
static void test_near__only_what_may_be_given(void **state) {
  fixture *f = *state;
  asked a;
  aio__cache_near *found;
  aio__cache_entry got;
  bool hit = false;
  size_t n = 0;
  for (int i = 0; i < 30; i++) {
    asked_of(&a, i, 0.99 - i * 0.001, "s1");
    if (i % 2 == 0) a.entry.expires_ms = T0 + 5;
    assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
    if (i % 2 == 1) assert_int_equal(CALL(f, cache, exact_only, ACME, aio__str_z(a.entry.id)), AIORCH_OK);
  }
  keep_at(f, ACME, 50, 0.5, "s1");
  keep_at(f, ACME, 51, 0.4, "s1");
  assert_int_equal(try_near(f, ACME, "s1", MODEL, 2, T0 + 5, &found, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  expect_number(found[0].id, "cach", 50);
  expect_number(found[1].id, "cach", 51);
  assert_int_equal(near(f, "s1", 3, &found), 3); /* earlier: half of them have not expired yet */
  expect_number(found[0].id, "cach", 0);
  asked_of(&a, 3, 0.0, "s1");
  assert_int_equal(CALL(f, cache, lookup, ACME, a.entry.scope, a.entry.key, T0, &f->arena, &got, &hit), AIORCH_OK);
  assert_true(hit); /* its own question */
  assert_true(got.exact_only);
  assert_int_equal(CALL(f, cache, exact_only, ACME, AIO__LIT("no such answer")), AIORCH_E_NOT_FOUND);
  assert_int_equal(CALL(f, cache, exact_only, AIO__LIT("nobody"), aio__str_z(a.entry.id)), AIORCH_E_NOT_FOUND);
}

static void test_near__another_model(void **state) {
  fixture *f = *state;
  asked a;
  aio__cache_near *found;
  size_t n = 0;
  keep_at(f, ACME, 1, 0.9, "s1");
  assert_int_equal(try_near(f, ACME, "s1", OTHER, 5, T0, &found, &n), AIORCH_E_EMBEDDER_MISMATCH);
  assert_non_null(strstr(f->call.op.error.message, "\"model-1\""));
  assert_non_null(strstr(f->call.op.error.message, "aiorch reembed"));
  assert_int_equal(try_near(f, ACME, "s2", OTHER, 5, T0, &found, &n), AIORCH_OK); /* nothing is embedded there */
  assert_int_equal(n, 0);
  asked_of(&a, 2, 0.1, "s1");
  a.vectors.fingerprint = OTHER;
  assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
  assert_int_equal(try_near(f, ACME, "s1", OTHER, 5, T0, &found, &n), AIORCH_OK); /* there is one, only not near */
  assert_int_equal(n, 0);
  keep_at(f, ACME, 3, 0.9, "s3");
  assert_int_equal(try_near(f, ACME, "s3", OTHER, 5, T0, &found, &n), AIORCH_E_EMBEDDER_MISMATCH);
  asked_of(&a, 4, 0.1, "s4");
  a.entry.vector = NULL;
  assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
  assert_int_equal(try_near(f, ACME, "s4", OTHER, 5, T0, &found, &n), AIORCH_OK);
  assert_int_equal(try_near(f, ACME, "s4", MODEL, 5, T0, &found, &n), AIORCH_OK);
  assert_int_equal(n, 0);
}

static void test_read__as_its_own_question(void **state) {
  fixture *f = *state;
  asked a;
  aio__cache_entry got, *all;
  bool found = false;
  size_t n = 0;
  asked_of(&a, 1, 0.9, "s1");
  assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
  aio__str id = aio__str_z(a.entry.id), other = {SCOPE, 32};
  assert_int_equal(CALL(f, cache, read, ACME, a.entry.scope, id, T0, &f->arena, &got, &found), AIORCH_OK);
  assert_true(found);
  expect_str(got.answer, "answer");
  expect_str(got.query, "question 1");
  assert_int_equal(got.hits, 1);
  assert_int_equal(CALL(f, cache, list, ACME, 9, T0, &f->arena, &all, &n), AIORCH_OK);
  assert_int_equal(all[0].hits, 1);
  assert_int_equal(CALL(f, cache, read, ACME, other, id, T0, &f->arena, &got, &found), AIORCH_OK);
  assert_false(found);
  assert_int_equal(CALL(f, cache, read, ACME, a.entry.scope, AIO__LIT("no id"), T0, &f->arena, &got, &found), AIORCH_OK);
  assert_false(found);
  assert_int_equal(CALL(f, cache, read, AIO__LIT("other"), a.entry.scope, id, T0, &f->arena, &got, &found), AIORCH_OK);
  assert_false(found);
  assert_int_equal(CALL(f, cache, read, ACME, a.entry.scope, id, a.entry.expires_ms, &f->arena, &got, &found), AIORCH_OK);
  assert_false(found);
  add_text(f, ACME, "a", "T", "text", 1, T0 + 5);
  assert_int_equal(CALL(f, cache, read, ACME, a.entry.scope, id, T0, &f->arena, &got, &found), AIORCH_OK);
  assert_int_equal(got.stale, 1);
  assert_int_equal(got.knowledge, 2);
}

/* A use by a near question keeps an answer from being the least recently used. */
static void test_read__counts_as_a_use(void **state) {
  fixture *f = *state;
  asked a;
  aio__cache_entry got;
  aio__cache_limits two = {2, 1 << 20, 0};
  bool found = false;
  for (int i = 1; i <= 2; i++) assert_true(keep(f, ACME, &asked_of(&a, i, 0.9, "s1")->entry, &two, T0));
  asked_of(&a, 1, 0.9, "s1");
  assert_int_equal(CALL(f, cache, read, ACME, a.entry.scope, aio__str_z(a.entry.id), T0, &f->arena, &got, &found), AIORCH_OK);
  assert_true(found);
  assert_true(keep(f, ACME, &asked_of(&a, 3, 0.9, "s1")->entry, &two, T0));
  aio__cache_near *near_ones;
  assert_int_equal(near(f, "s1", 5, &near_ones), 2);
  expect_number(near_ones[0].id, "cach", 1);
  expect_number(near_ones[1].id, "cach", 3);
}

static bool neighbours(fixture *f, int number, const char *scope, int64_t now_ms) {
  asked a;
  aio__cache_entry got;
  bool found = false;
  asked_of(&a, number, 0.0, scope);
  assert_int_equal(CALL(f, cache, lookup, ACME, a.entry.scope, a.entry.key, now_ms, &f->arena, &got, &found), AIORCH_OK);
  return got.neighbours;
}

static void test_lookup__tells_of_neighbours(void **state) {
  fixture *f = *state;
  asked a;
  assert_false(neighbours(f, 1, "s1", T0));
  asked_of(&a, 1, 0.9, "s1");
  a.entry.expires_ms = T0 + 5;
  assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
  assert_false(neighbours(f, 1, "s1", T0)); /* itself is none */
  assert_true(neighbours(f, 2, "s1", T0));
  assert_false(neighbours(f, 2, "s2", T0));
  assert_false(neighbours(f, 2, "s1", T0 + 5));
  assert_int_equal(CALL(f, cache, exact_only, ACME, aio__str_z(a.entry.id)), AIORCH_OK);
  assert_false(neighbours(f, 2, "s1", T0));
  keep_at(f, ACME, 3, 0.9, "s1");
  assert_true(neighbours(f, 2, "s1", T0));
  assert_false(neighbours(f, 1, "s1", T0)); /* there is an answer: nobody needs to know */
  add_text(f, ACME, "a", "T", "text", 1, T0 + 1);
  assert_true(neighbours(f, 1, "s1", T0 + 2)); /* it is stale, and may turn out to be none */
  assert_false(neighbours(f, 3, "s1", T0 + 2)); /* the only other one serves its own question */
}

/* ---- what goes -------------------------------------------------------------------------------------------------- */

static size_t count_entries(fixture *f, aio__str model) {
  aio__vector_model *models;
  size_t n = 0;
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  for (size_t i = 0; i < n; i++)
    if (aio__str_eq(models[i].fingerprint, model)) return (size_t)models[i].entries;
  return 0;
}

/* In each way in which an answer goes its vector goes, too. */
static void test_near__what_is_gone_is_not_found(void **state) {
  fixture *f = *state;
  aio__store_document d = add_text(f, ACME, "a.md", "T", "text", 1, T0 - 5);
  aio__cache_source s = source_of(&d);
  aio__cache_limits refresh = ROOMY, three = {3, 1 << 20, 0};
  aio__cache_near *found;
  aio__cache_entry got;
  bool hit = false;
  asked a;
  refresh.replace = 1;
  keep_at(f, ACME, 1, 0.9, "s1");
  keep_at(f, ACME, 2, 0.8, "s1");
  assert_int_equal(near(f, "s1", 9, &found), 2);
  assert_int_equal(invalidate(f, asked_of(&a, 1, 0.9, "s1")->entry.id), 1);
  assert_int_equal(near(f, "s1", 9, &found), 1);
  asked_of(&a, 3, 0.7, "s1"); /* replaced in its place: another answer, another vector */
  a.entry.key = (aio__str){hash_of("question 2"), 32};
  assert_true(keep(f, ACME, &a.entry, &refresh, T0));
  assert_int_equal(near(f, "s1", 9, &found), 1);
  expect_number(found[0].id, "cach", 3);
  asked_of(&a, 4, 0.9, "s1");
  a.entry.rests_on = &s;
  a.entry.rests_on_count = 1;
  assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
  assert_int_equal(near(f, "s1", 9, &found), 2);
  add_text(f, ACME, "a.md", "T", "changed", 2, T0);
  assert_int_equal(near(f, "s1", 9, &found), 1);
  asked_of(&a, 5, 0.9, "s1");
  a.entry.expires_ms = T0 + 5;
  assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
  assert_int_equal(count_entries(f, MODEL), 2);
  assert_true(keep(f, ACME, &asked_of(&a, 6, 0.6, "s1")->entry, &ROOMY, T0 + 5)); /* what has expired makes room */
  assert_int_equal(count_entries(f, MODEL), 2);
  asked_of(&a, 3, 0.0, "s1");
  assert_int_equal(CALL(f, cache, read, ACME, a.entry.scope, aio__str_z(a.entry.id), T0 + 5, &f->arena, &got, &hit), AIORCH_OK);
  for (int i = 7; i < 9; i++) assert_true(keep(f, ACME, &asked_of(&a, i, 0.5, "s1")->entry, &three, T0 + 5));
  assert_int_equal(near(f, "s1", 9, &found), 3); /* 6 was the least recently used */
  expect_number(found[0].id, "cach", 3);
  expect_number(found[1].id, "cach", 7);
  assert_int_equal(invalidate(f, ""), 3);
  assert_int_equal(near(f, "s1", 9, &found), 0);
  assert_int_equal(count_entries(f, MODEL), 0);
  keep_at(f, ACME, 9, 0.9, "s1");
  assert_int_equal(near(f, "s1", 9, &found), 1);
}

static int64_t cache_bytes(fixture *f) {
  aio__store_stats stats;
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  return stats.cache_bytes;
}

static void test_put__a_vector_counts_in_bytes(void **state) {
  fixture *f = *state;
  asked a;
  aio__cache_entry *all;
  aio__cache_limits small = {100, 0, 0};
  aio__unembedded *entries;
  uint64_t left = 0;
  size_t n = 0, removed = 0;
  asked_of(&a, 1, 0.9, "s1");
  a.entry.vector = NULL;
  assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
  int64_t bare = cache_bytes(f);
  assert_true(keep(f, ACME, &asked_of(&a, 2, 0.9, "s1")->entry, &ROOMY, T0));
  assert_int_equal(cache_bytes(f), 2 * bare + DIM * 4);
  small.max_bytes = bare + DIM * 4 - 1;
  assert_false(keep(f, ACME, &asked_of(&a, 3, 0.9, "s1")->entry, &small, T0));
  a.entry.vector = NULL;
  assert_true(keep(f, ACME, &a.entry, &small, T0)); /* makes room: the other two went */
  assert_int_equal(cache_bytes(f), bare);
  /* Made later, it counts from then on, and no more when it is forgotten. */
  assert_int_equal(CALL(f, cache, unembedded, ACME, OTHER, 9, &f->arena, &entries, &n, &left), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_str(entries[0].text, "question 3");
  aio__str id = aio__str_z(entries[0].chunk_id);
  aio__vectors vectors = {OTHER, DIM, a.row};
  assert_int_equal(CALL(f, cache, mark_embedded, ACME, &vectors, &id, 1), AIORCH_OK);
  assert_int_equal(cache_bytes(f), bare + DIM * 4);
  assert_int_equal(CALL(f, cache, list, ACME, 9, T0, &f->arena, &all, &n), AIORCH_OK);
  assert_int_equal(all[0].bytes, bare + DIM * 4);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, OTHER, 9, &removed), AIORCH_OK);
  assert_int_equal(removed, 1);
  assert_int_equal(cache_bytes(f), bare);
}

static void test_put__refuses_a_vector_that_cannot_be_compared(void **state) {
  fixture *f = *state;
  asked a;
  aio__cache_entry *all;
  bool stored = false;
  size_t n = 0;
  keep_at(f, ACME, 1, 0.9, "s1");
  const float bad[] = {0.0f, NAN, INFINITY, 2.0f};
  for (size_t i = 0; i < 4; i++) {
    asked_of(&a, 2, 1.0, "s1");
    a.row[0] = bad[i];
    assert_int_equal(CALL(f, cache, put, ACME, &a.entry, &ROOMY, T0, &stored), AIORCH_E_INVALID);
  }
  asked_of(&a, 2, 1.0, "s1");
  a.vectors.dimensions = DIM - 2;
  assert_int_equal(CALL(f, cache, put, ACME, &a.entry, &ROOMY, T0, &stored), AIORCH_E_INVALID);
  a.vectors = (aio__vectors){AIO__LIT(""), DIM, a.row};
  assert_int_equal(CALL(f, cache, put, ACME, &a.entry, &ROOMY, T0, &stored), AIORCH_E_INVALID);
  assert_int_equal(CALL(f, cache, list, ACME, 9, T0, &f->arena, &all, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  aio__cache_near *found;
  float zero[DIM] = {0};
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = zero, .threshold = 0.0, .limit = 5};
  assert_int_equal(CALL(f, cache, near, ACME, a.entry.scope, &args, T0, &f->arena, &found, &n), AIORCH_E_INVALID);
  args = (aio__nearest_args){.fingerprint = MODEL, .dimensions = DIM - 2, .query = a.row, .threshold = 0.0, .limit = 5};
  assert_int_equal(CALL(f, cache, near, ACME, a.entry.scope, &args, T0, &f->arena, &found, &n), AIORCH_E_INVALID);
}

static void test_cache_unembedded__oldest_first_until_marked(void **state) {
  fixture *f = *state;
  asked a;
  aio__unembedded *entries;
  aio__cache_near *found;
  aio__vector_model *models;
  uint64_t left = 9;
  size_t n = 9, removed = 0;
  float rows[4 * DIM];
  assert_int_equal(CALL(f, cache, unembedded, ACME, MODEL, 9, &f->arena, &entries, &n, &left), AIORCH_OK);
  assert_int_equal(n + left, 0);
  for (int i = 1; i <= 4; i++) {
    asked_of(&a, i, 0.9, "s1");
    if (i != 3) a.entry.vector = NULL;
    assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
  }
  assert_int_equal(CALL(f, cache, unembedded, ACME, MODEL, 2, &f->arena, &entries, &n, &left), AIORCH_OK);
  assert_int_equal(n, 2);
  assert_int_equal(left, 3);
  expect_number(entries[0].chunk_id, "cach", 1);
  expect_number(entries[1].chunk_id, "cach", 2);
  expect_str(entries[1].text, "question 2");
  for (int i = 0; i < 4; i++) vector_at(0.5 + 0.1 * i, rows + i * DIM);
  aio__str ids[] = {aio__str_z(entries[1].chunk_id), AIO__LIT("gone meanwhile"), aio__str_z(entries[0].chunk_id),
                    aio__str_z(entries[1].chunk_id)};
  aio__vectors vectors = {MODEL, DIM, rows};
  assert_int_equal(CALL(f, cache, mark_embedded, ACME, &vectors, ids, 4), AIORCH_OK);
  assert_int_equal(CALL(f, cache, mark_embedded, AIO__LIT("other"), &vectors, ids, 4), AIORCH_OK);
  assert_int_equal(near(f, "s1", 9, &found), 3);
  expect_number(found[0].id, "cach", 3);
  expect_number(found[1].id, "cach", 1);
  expect_near(found[1].similarity, 0.7);
  expect_number(found[2].id, "cach", 2);
  expect_near(found[2].similarity, 0.5);
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_model(&models[0], MODEL, 0, 3);
  add_text(f, ACME, "a", "T", "text", 1, T0);
  mark(f, ACME, MODEL, 100, rows);
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_model(&models[0], MODEL, 1, 3);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 2, &removed), AIORCH_OK);
  assert_int_equal(removed, 2);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 3, &removed), AIORCH_OK);
  assert_int_equal(removed, 2);
  assert_int_equal(CALL(f, cache, unembedded, ACME, MODEL, 9, &f->arena, &entries, &n, &left), AIORCH_OK);
  assert_int_equal(left, 4);
  vectors.rows = NULL; /* without rows: in a plug-in */
  vectors.dimensions = 0;
  assert_int_equal(CALL(f, cache, mark_embedded, ACME, &vectors, ids, 1), AIORCH_OK);
  assert_int_equal(try_near(f, ACME, "s1", MODEL, 5, T0, &found, &n), AIORCH_E_EMBEDDER_MISMATCH);
}

/* ---- through any changes ---------------------------------------------------------------------------------------- */

static void test_near__as_a_full_scan_through_any_changes(void **state) {
  enum { ENTRIES = 40, STEPS = 300 };
  fixture *f = *state;
  bool there[ENTRIES] = {false};
  uint32_t seed = 11;
  float query[DIM], row[DIM];
  for (int step = 0; step < STEPS; step++) {
    int i = (int)roll(&seed, ENTRIES);
    asked a;
    asked_of(&a, i, 0.0, i % 3 == 0 ? "s1" : "s2");
    vector_of((unsigned)i, a.row);
    if (roll(&seed, 3) > 0) {
      assert_true(keep(f, ACME, &a.entry, &ROOMY, T0));
      there[i] = true;
    } else {
      assert_int_equal(invalidate(f, a.entry.id), there[i] ? 1 : 0);
      there[i] = false;
    }
    vector_of(1u << 30 | roll(&seed, 1000), query);
    double best = -1.0;
    size_t n = 0, all = 0;
    for (int k = 0; k < ENTRIES; k++) {
      if (!there[k] || k % 3 == 0) continue;
      vector_of((unsigned)k, row);
      double cosine = cosine_of(query, row);
      if (cosine > best) best = cosine;
      all++;
    }
    char scope[33];
    snprintf(scope, sizeof scope, "%-32.32s", "s2");
    aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 100};
    aio__cache_near *found;
    assert_int_equal(CALL(f, cache, near, ACME, ((aio__str){scope, 32}), &args, T0, &f->arena, &found, &n), AIORCH_OK);
    assert_int_equal(n, all);
    if (n > 0) expect_near(found[0].similarity, best);
    aio__arena_free(&f->arena);
  }
}
