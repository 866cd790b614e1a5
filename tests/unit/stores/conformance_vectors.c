/* Vectors of chunks. A part of conformance.c. */
#include "stores/conformance.h"

#include <math.h>

enum { DIM = 20 };

static const aio__str MODEL = {"model-1", 7}, OTHER = {"model-2", 7};

/* A vector of unit length that `number` alone decides. */
static void vector_of(unsigned number, float out[DIM]) {
  uint64_t x = number * UINT64_C(0x9E3779B97F4A7C15) + 1;
  double sum = 0.0;
  for (size_t i = 0; i < DIM; i++) {
    x ^= x >> 29;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 32;
    out[i] = (float)((double)(x >> 11) / 9007199254740992.0 - 0.5);
    sum += (double)out[i] * (double)out[i];
  }
  for (size_t i = 0; i < DIM; i++) out[i] = (float)((double)out[i] / sqrt(sum));
}

/* One whose cosine to the first axis is `cosine`. */
static void vector_at(double cosine, float out[DIM]) {
  memset(out, 0, DIM * sizeof *out);
  out[0] = (float)cosine;
  out[1] = (float)sqrt(1.0 - cosine * cosine);
}

static double cosine_of(const float *a, const float *b) {
  double sum = 0.0;
  for (size_t i = 0; i < DIM; i++) sum += (double)a[i] * (double)b[i];
  return sum;
}

static aiorch_status mark_rows(fixture *f, aio__str tenant, aio__str model, const aio__str *ids, size_t count,
                               const float *rows, size_t dimensions) {
  aio__vectors vectors = {model, dimensions, rows};
  return CALL(f, knowledge, mark_embedded, tenant, &vectors, ids, count);
}

/* Keeps a vector for the chunk with this number (of id_of). */
static void mark(fixture *f, aio__str tenant, aio__str model, int chunk, const float row[DIM]) {
  char id[AIO__UUID_LEN + 1];
  aio__str one = aio__str_z(id_of(id, "chnk", chunk));
  assert_int_equal(mark_rows(f, tenant, model, &one, 1, row, DIM), AIORCH_OK);
}

static aiorch_status try_nearest(fixture *f, aio__str tenant, aio__str model, const float query[DIM], size_t limit,
                                 aio__found_chunk **out, size_t *n) {
  aio__nearest_args args = {.fingerprint = model, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = limit};
  return CALL(f, knowledge, nearest, tenant, &args, NULL, 0, &f->arena, out, n);
}

static size_t nearest(fixture *f, aio__str tenant, const float query[DIM], size_t limit, aio__found_chunk **out) {
  size_t n = 99;
  assert_int_equal(try_nearest(f, tenant, MODEL, query, limit, out, &n), AIORCH_OK);
  return n;
}

static void expect_number(const char *id, const char *kind, int number) {
  char expected[AIO__UUID_LEN + 1];
  assert_string_equal(id, id_of(expected, kind, number));
}

static void expect_near(double got, double expected) {
  if (!(fabs(got - expected) < 1e-5)) fail_msg("%.9f is not %.9f", got, expected);
}

/* Documents "d1", "d2", ... of one chunk each, whose vectors have these cosines to the first axis. */
static void add_at(fixture *f, aio__str tenant, const double *cosines, int count) {
  for (int i = 1; i <= count; i++) {
    char source[16], text[32];
    float row[DIM];
    snprintf(source, sizeof source, "d%d", i);
    snprintf(text, sizeof text, "text %d", i);
    add_text(f, tenant, source, "T", text, i, T0);
    vector_at(cosines[i - 1], row);
    mark(f, tenant, MODEL, i * 100, row);
  }
}

/* ---- order ------------------------------------------------------------------------------------------------------ */

static void test_nearest__best_first(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, -0.3, 0.7};
  float query[DIM];
  aio__found_chunk *found;
  add_at(f, ACME, cosines, 4);
  vector_at(1.0, query);
  assert_int_equal(nearest(f, ACME, query, 3, &found), 3);
  expect_number(found[0].chunk_id, "chnk", 200);
  expect_number(found[1].chunk_id, "chnk", 400);
  expect_number(found[2].chunk_id, "chnk", 100);
  expect_near(found[0].similarity, 0.9);
  expect_near(found[1].similarity, 0.7);
  expect_near(found[2].similarity, 0.5);
  expect_number(found[0].document_id, "docu", 2);
  assert_int_equal(found[0].document_version, 1);
  expect_str(found[0].source, "d2");
  expect_str(found[0].title, "T");
  expect_str(found[0].text, "text 2");
  assert_int_equal(found[0].end, 6);
}

static void test_nearest__more_than_there_are(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, -0.3};
  float query[DIM];
  aio__found_chunk *found;
  vector_at(1.0, query);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 0);
  add_at(f, ACME, cosines, 3);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 3);
  assert_int_equal(nearest(f, ACME, query, 100000, &found), 3);
  assert_int_equal(nearest(f, ACME, query, 0, &found), 0);
  assert_int_equal(nearest(f, AIO__LIT("nobody"), query, 5, &found), 0);
}

static void test_nearest__threshold(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, -0.3, 0.7};
  float query[DIM];
  aio__found_chunk *found;
  size_t n = 0;
  add_at(f, ACME, cosines, 4);
  vector_at(1.0, query);
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = 0.6, .limit = 10};
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, NULL, 0, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  args.threshold = 0.95;
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, NULL, 0, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 0);
}

/* Chunks whose cosine is asked for by id have it though they are not among those that are found. */
static void test_nearest__also(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, -0.3};
  float query[DIM];
  char ids[5][AIO__UUID_LEN + 1];
  aio__str also[5];
  double similarity[5] = {7, 7, 7, 7, 7};
  aio__found_chunk *found;
  size_t n = 0;
  const int numbers[] = {300, 200, 400, 999, 500};
  add_at(f, ACME, cosines, 3);
  add_text(f, ACME, "not embedded", "T", "text 4", 4, T0);
  add_text(f, AIO__LIT("other"), "d5", "T", "text 5", 5, T0); /* of another tenant */
  for (size_t i = 0; i < 5; i++) also[i] = aio__str_z(id_of(ids[i], "chnk", numbers[i]));
  vector_at(1.0, query);
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = 0.6, .limit = 5};
  args.also = also;
  args.also_count = 5;
  args.also_similarity = similarity;
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, NULL, 0, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_near(similarity[0], -0.3);
  expect_near(similarity[1], 0.9);
  for (size_t i = 2; i < 5; i++) assert_true(similarity[i] > 6.9); /* left as it was */
}

/* Where a store has it, it finds what search and nearest find. */
static void test_both__as_search_and_nearest(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, -0.3, 0.7};
  float query[DIM];
  aio__found_chunk *text, *near;
  size_t texts = 0, nears = 0;
  if (f->store->knowledge->both == NULL) return;
  add_at(f, ACME, cosines, 4);
  add_text(f, ACME, "not embedded", "T", "text 5", 5, T0);
  vector_at(1.0, query);
  aio__nearest_args wanted = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = 0.6, .limit = 5};
  aio__search_args words = {.query = AIO__LIT("text"), .limit = 10};
  aio__both_args both = {.search = &words, .nearest = &wanted};
  aio__error_init(&both.near_error);
  assert_int_equal(CALL(f, knowledge, search, ACME, &words, &f->arena, &text, &texts), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &wanted, NULL, 0, &f->arena, &near, &nears), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, both, ACME, &both, &f->arena), AIORCH_OK);
  assert_int_equal(both.near_error.status, AIORCH_OK);
  assert_int_equal(both.text_count, texts);
  assert_int_equal(both.near_count, nears);
  assert_int_equal(nears, 2);
  for (size_t i = 0; i < texts; i++) {
    char last[AIO__UUID_LEN + 1];
    assert_string_equal(both.text[i].chunk_id, text[i].chunk_id);
    assert_string_equal(both.text[i].document_id, text[i].document_id);
    expect_near(both.text[i].score, text[i].score);
    expect_str(both.text[i].text, text[i].text.p);
    assert_int_equal(both.text[i].often[0], text[i].often[0]);
    assert_int_equal(both.text[i].words, text[i].words);
    if (strcmp(text[i].chunk_id, id_of(last, "chnk", 500)) == 0) assert_true(isnan(both.text[i].similarity));
    for (int c = 0; c < 4; c++)
      if (strcmp(text[i].chunk_id, id_of(last, "chnk", 100 * (c + 1))) == 0) expect_near(both.text[i].similarity, cosines[c]);
  }
  for (size_t i = 0; i < nears; i++) {
    assert_string_equal(both.near[i].chunk_id, near[i].chunk_id);
    expect_near(both.near[i].similarity, near[i].similarity);
    expect_str(both.near[i].text, near[i].text.p);
  }
  words.query = AIO__LIT("?!");
  assert_int_equal(CALL(f, knowledge, both, ACME, &both, &f->arena), AIORCH_OK);
  assert_int_equal(both.text_count, 0);
  assert_int_equal(both.near_count, 2);
  words.query = AIO__LIT("text");
  wanted.fingerprint = OTHER;
  assert_int_equal(CALL(f, knowledge, both, ACME, &both, &f->arena), AIORCH_OK);
  assert_int_equal(both.near_error.status, AIORCH_E_EMBEDDER_MISMATCH);
  assert_int_equal(both.text_count, texts);
  assert_int_equal(both.near_count, 0);
  assert_int_equal(CALL(f, knowledge, both, AIO__LIT("other"), &both, &f->arena), AIORCH_OK);
  assert_int_equal(both.text_count + both.near_count, 0);
}

/* Among equals the older comes first. */
static void test_nearest__ties(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.2, 0.8, 0.8, 0.8, 0.9, 0.8};
  float query[DIM];
  aio__found_chunk *found;
  add_at(f, ACME, cosines, 6);
  vector_at(1.0, query);
  assert_int_equal(nearest(f, ACME, query, 4, &found), 4);
  expect_number(found[0].chunk_id, "chnk", 500);
  expect_number(found[1].chunk_id, "chnk", 200);
  expect_number(found[2].chunk_id, "chnk", 300);
  expect_number(found[3].chunk_id, "chnk", 400);
}

/* ---- what is refused -------------------------------------------------------------------------------------------- */

static void test_mark_embedded__refuses_what_cannot_be_compared(void **state) {
  fixture *f = *state;
  const float bad[] = {0.0f, NAN, INFINITY, -INFINITY, 3.0f, 0.9f};
  float rows[2 * DIM];
  char a[AIO__UUID_LEN + 1], b[AIO__UUID_LEN + 1];
  aio__unembedded *chunks;
  uint64_t left = 0;
  size_t n = 0;
  add_text(f, ACME, "a", "T", "one", 1, T0);
  add_text(f, ACME, "b", "T", "two", 2, T0);
  aio__str ids[] = {aio__str_z(id_of(a, "chnk", 100)), aio__str_z(id_of(b, "chnk", 200))};
  vector_at(1.0, rows);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    vector_at(1.0, rows + DIM);
    rows[DIM] = bad[i];
    assert_int_equal(mark_rows(f, ACME, MODEL, ids, 2, rows, DIM), AIORCH_E_INVALID);
  }
  vector_at(1.0, rows + DIM);
  assert_int_equal(mark_rows(f, ACME, AIO__LIT(""), ids, 2, rows, DIM), AIORCH_E_INVALID);
  assert_int_equal(mark_rows(f, ACME, MODEL, ids, 2, NULL, DIM), AIORCH_E_INVALID);
  assert_int_equal(mark_rows(f, ACME, MODEL, ids, 2, rows, 65537), AIORCH_E_INVALID);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, MODEL, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(left, 2); /* not even the good one was kept */
  assert_int_equal(mark_rows(f, ACME, MODEL, ids, 1, rows, DIM), AIORCH_OK);
  assert_int_equal(mark_rows(f, ACME, MODEL, ids + 1, 1, rows, DIM - 1), AIORCH_E_INVALID); /* another size */
  assert_non_null(strstr(f->call.op.error.message, "20"));
  assert_non_null(strstr(f->call.op.error.message, "19"));
}

static void test_nearest__refuses_what_cannot_be_compared(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5};
  const float bad[] = {0.0f, NAN, INFINITY, 3.0f};
  float query[DIM];
  aio__found_chunk *found;
  size_t n = 0;
  add_at(f, ACME, cosines, 1);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    vector_at(1.0, query);
    query[0] = bad[i];
    assert_int_equal(try_nearest(f, ACME, MODEL, query, 5, &found, &n), AIORCH_E_INVALID);
  }
  vector_at(1.0, query);
  aio__nearest_args args[] = {{.fingerprint = MODEL, .dimensions = DIM - 1, .query = query, .limit = 5},
                              {.fingerprint = MODEL, .dimensions = 0, .query = query, .limit = 5},
                              {.fingerprint = MODEL, .dimensions = DIM, .query = NULL, .limit = 5},
                              {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = (double)NAN, .limit = 5}};
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(CALL(f, knowledge, nearest, ACME, &args[i], NULL, 0, &f->arena, &found, &n), AIORCH_E_INVALID);
}

static void test_nearest__another_model(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5};
  float query[DIM];
  aio__found_chunk *found;
  size_t n = 0, removed = 0;
  add_at(f, ACME, cosines, 1);
  vector_at(1.0, query);
  assert_int_equal(try_nearest(f, ACME, OTHER, query, 5, &found, &n), AIORCH_E_EMBEDDER_MISMATCH);
  assert_non_null(strstr(f->call.op.error.message, "\"model-1\""));
  assert_non_null(strstr(f->call.op.error.message, "\"model-2\""));
  assert_non_null(strstr(f->call.op.error.message, "aiorch reembed"));
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 100, &removed), AIORCH_OK);
  assert_int_equal(removed, 1);
  assert_int_equal(try_nearest(f, ACME, OTHER, query, 5, &found, &n), AIORCH_OK);
  assert_int_equal(n, 0);
}

/* Marks without rows: the vectors are in a plug-in, and the store's own cannot be searched or mixed with them. */
static void test_nearest__vectors_in_a_plugin(void **state) {
  fixture *f = *state;
  float row[DIM];
  char a[AIO__UUID_LEN + 1], b[AIO__UUID_LEN + 1];
  aio__found_chunk *found;
  aio__vector_model *models;
  size_t n = 0;
  add_text(f, ACME, "a", "T", "one", 1, T0);
  add_text(f, ACME, "b", "T", "two", 2, T0);
  aio__str ids[] = {aio__str_z(id_of(a, "chnk", 100)), aio__str_z(id_of(b, "chnk", 200))};
  vector_at(1.0, row);
  assert_int_equal(mark_rows(f, ACME, MODEL, ids, 1, NULL, 0), AIORCH_OK);
  assert_int_equal(try_nearest(f, ACME, MODEL, row, 5, &found, &n), AIORCH_E_EMBEDDER_MISMATCH);
  assert_non_null(strstr(f->call.op.error.message, "plug-in"));
  assert_int_equal(mark_rows(f, ACME, MODEL, ids + 1, 1, row, DIM), AIORCH_E_EMBEDDER_MISMATCH);
  assert_int_equal(mark_rows(f, ACME, OTHER, ids, 1, row, DIM), AIORCH_OK);
  assert_int_equal(mark_rows(f, ACME, OTHER, ids + 1, 1, NULL, 0), AIORCH_E_EMBEDDER_MISMATCH);
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  assert_false(models[0].stored);
  assert_true(models[1].stored);
}

/* ---- what goes and what stays ----------------------------------------------------------------------------------- */

static void test_nearest__removed_document(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, 0.7};
  float query[DIM];
  aio__found_chunk *found;
  aio__str *removed;
  size_t n = 0;
  add_at(f, ACME, cosines, 3);
  vector_at(1.0, query);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 3);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("d2"), T0, &f->arena, &removed, &n), AIORCH_OK);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 2);
  expect_str(found[0].source, "d3");
  add_text(f, ACME, "d2", "T", "text 2", 9, T0); /* a new one of this name has no vector yet */
  assert_int_equal(nearest(f, ACME, query, 5, &found), 2);
}

static void test_nearest__replaced_document_keeps_what_is_the_same(void **state) {
  fixture *f = *state;
  piece before[] = {{"H", "one "}, {"H", "two "}, {"H", "three "}}, after[] = {{"H", "new "}, {"H", "three "}, {"H", "one "}};
  aio__store_document d = {.source = AIO__LIT("a"), .title = AIO__LIT("T"), .hash = {hash_of("1"), 32}};
  float row[DIM], query[DIM];
  aio__found_chunk *found;
  aio__unembedded *chunks;
  uint64_t left = 0;
  size_t n = 0;
  result r;
  vector_at(1.0, query);
  assert_int_equal(add_full(f, ACME, &d, before, 3, 1, T0, &r), AIORCH_OK);
  for (int i = 0; i < 3; i++) {
    vector_at(0.9 - 0.1 * i, row);
    mark(f, ACME, MODEL, 100 + i, row);
    vector_at(0.1 + 0.1 * i, row);
    mark(f, ACME, OTHER, 100 + i, row);
  }
  assert_int_equal(nearest(f, ACME, query, 5, &found), 3);
  for (int round = 0; round < 2; round++) {
    d.hash.p = hash_of(round == 0 ? "2" : "3");
    assert_int_equal(add_full(f, ACME, &d, after, 3, 2 + round, T0, &r), AIORCH_OK);
    assert_int_equal(nearest(f, ACME, query, 5, &found), 2);
    expect_number(found[0].chunk_id, "chnk", 100);
    expect_str(found[0].text, "one ");
    assert_int_equal(found[0].ordinal, 2);
    expect_near(found[0].similarity, 0.9);
    expect_number(found[1].chunk_id, "chnk", 102);
    expect_near(found[1].similarity, 0.7);
    assert_int_equal(try_nearest(f, ACME, OTHER, query, 5, &found, &n), AIORCH_OK);
    assert_int_equal(n, 2);
    expect_number(found[0].chunk_id, "chnk", 102);
  }
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, MODEL, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(left, 1);
  expect_str(chunks[0].text, "T: H\nnew ");
  d.title = AIO__LIT("Another title"); /* it is part of what is embedded */
  d.hash.p = hash_of("4");
  assert_int_equal(add_full(f, ACME, &d, after, 3, 5, T0, &r), AIORCH_OK);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 0);
}

static void test_mark_embedded__repeated_or_gone(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9};
  float query[DIM], rows[3 * DIM];
  char a[AIO__UUID_LEN + 1];
  aio__found_chunk *found;
  add_at(f, ACME, cosines, 2);
  vector_at(1.0, query);
  for (int i = 0; i < 3; i++) vector_at(0.1, rows + i * DIM);
  aio__str ids[] = {aio__str_z(id_of(a, "chnk", 200)), AIO__LIT("gone meanwhile"), aio__str_z(a)};
  assert_int_equal(mark_rows(f, ACME, MODEL, ids, 3, rows, DIM), AIORCH_OK);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 2);
  expect_number(found[0].chunk_id, "chnk", 200);
  expect_near(found[0].similarity, 0.9); /* under one model a text has one vector: the first stays */
}

/* ---- filters ---------------------------------------------------------------------------------------------------- */

/* All that is nearest fails the filter, and what passes is found all the same. */
static void test_nearest__filters_are_exact(void **state) {
  fixture *f = *state;
  float query[DIM], row[DIM];
  aio__found_chunk *found;
  size_t n = 0;
  char source[16];
  vector_at(1.0, query);
  for (int i = 0; i < 90; i++) {
    snprintf(source, sizeof source, "s%d", i);
    add_with(f, source, i % 30 == 7 ? "en" : "de", i < 60 ? "x" : "y", i);
    vector_at(i % 30 == 7 ? 0.1 + i * 0.001 : 0.9 - i * 0.001, row);
    mark(f, ACME, MODEL, i * 100, row);
  }
  aio__filter en = is("lang", "en"), x = is("team", "x"), none = is("lang", "fr"), s = prefix("lang", "e");
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 2};
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, &en, 1, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  expect_str(found[0].source, "s67");
  expect_str(found[1].source, "s37");
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, (aio__filter[]){en, x}, 2, &f->arena, &found, &n), AIORCH_OK);
  expect_str(found[0].source, "s37");
  expect_str(found[1].source, "s7");
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, &none, 1, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 0);
  args.limit = 10;
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, &s, 1, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 3);
  args.threshold = 0.15;
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, &en, 1, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 1);
}

/* ---- models ----------------------------------------------------------------------------------------------------- */

static void expect_model(const aio__vector_model *model, aio__str fingerprint, int chunks, int entries) {
  assert_true(aio__str_eq(model->fingerprint, fingerprint));
  assert_int_equal(model->chunks, chunks);
  assert_int_equal(model->entries, entries);
  assert_true(model->stored);
}

static void test_forget_model__in_pieces(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.1, 0.2, 0.3, 0.4, 0.5};
  float query[DIM];
  aio__found_chunk *found;
  aio__vector_model *models;
  aio__unembedded *chunks;
  uint64_t left = 0;
  size_t n = 0, removed = 0;
  vector_at(1.0, query);
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 0);
  add_at(f, ACME, cosines, 5);
  mark(f, ACME, OTHER, 100, query);
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  expect_model(&models[0], MODEL, 5, 0);
  expect_model(&models[1], OTHER, 1, 0);
  assert_int_equal(nearest(f, ACME, query, 9, &found), 5);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 3, &removed), AIORCH_OK);
  assert_int_equal(removed, 3);
  assert_int_equal(nearest(f, ACME, query, 9, &found), 2);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, MODEL, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(left, 3);
  assert_int_equal(n, 3);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 3, &removed), AIORCH_OK);
  assert_int_equal(removed, 2);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 3, &removed), AIORCH_OK);
  assert_int_equal(removed, 0);
  assert_int_equal(CALL(f, knowledge, forget_model, AIO__LIT("nobody"), MODEL, 3, &removed), AIORCH_OK);
  assert_int_equal(removed, 0);
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_model(&models[0], OTHER, 1, 0);
  assert_int_equal(try_nearest(f, ACME, MODEL, query, 9, &found, &n), AIORCH_E_EMBEDDER_MISMATCH);
  mark(f, ACME, MODEL, 500, query); /* it may come back */
  assert_int_equal(nearest(f, ACME, query, 9, &found), 1);
  expect_number(found[0].chunk_id, "chnk", 500);
}

/* All of a model have gone: its name is free for vectors of another size, and for more models than fit at once. */
static void test_mark_embedded__models_come_and_go(void **state) {
  fixture *f = *state;
  float row[DIM], shorter[DIM];
  char id[AIO__UUID_LEN + 1], name[16];
  aio__found_chunk *found;
  aio__vector_model *models;
  size_t n = 0, removed = 0;
  add_text(f, ACME, "a", "T", "one", 1, T0);
  aio__str one = aio__str_z(id_of(id, "chnk", 100));
  vector_at(1.0, row);
  vector_at(1.0, shorter);
  mark(f, ACME, MODEL, 100, row);
  assert_int_equal(nearest(f, ACME, row, 9, &found), 1);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 9, &removed), AIORCH_OK);
  assert_int_equal(mark_rows(f, ACME, MODEL, &one, 1, shorter, DIM - 4), AIORCH_OK);
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM - 4, .query = shorter, .threshold = 0.0, .limit = 5};
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, NULL, 0, &f->arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  for (int i = 1; i < 64; i++) {
    snprintf(name, sizeof name, "m%d", i);
    assert_int_equal(mark_rows(f, ACME, aio__str_z(name), &one, 1, row, DIM), AIORCH_OK);
  }
  assert_int_equal(mark_rows(f, ACME, AIO__LIT("one more"), &one, 1, row, DIM), AIORCH_E_TOO_LARGE);
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 64);
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, AIO__LIT("m7"), 9, &removed), AIORCH_OK);
  assert_int_equal(mark_rows(f, ACME, AIO__LIT("one more"), &one, 1, row, DIM), AIORCH_OK);
}

static void test_unembedded__whatever_is_marked_first(void **state) {
  fixture *f = *state;
  float row[DIM];
  aio__unembedded *chunks;
  uint64_t left = 0;
  size_t n = 0;
  char source[16];
  vector_at(1.0, row);
  for (int i = 1; i <= 6; i++) {
    snprintf(source, sizeof source, "s%d", i);
    add_text(f, ACME, source, "T", "text", i, T0);
  }
  const int order[] = {3, 1, 2, 6};
  const int first_left[] = {1, 2, 4, 4};
  for (size_t i = 0; i < 4; i++) {
    mark(f, ACME, MODEL, order[i] * 100, row);
    assert_int_equal(CALL(f, knowledge, unembedded, ACME, MODEL, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
    assert_int_equal(n, 5 - i);
    assert_int_equal(left, 5 - i);
    expect_number(chunks[0].chunk_id, "chnk", first_left[i] * 100);
  }
  mark(f, ACME, MODEL, 400, row);
  mark(f, ACME, MODEL, 500, row);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, MODEL, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(left, 0);
  add_text(f, ACME, "s2", "T", "another text", 7, T0);
  add_text(f, ACME, "s9", "T", "text", 8, T0);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, MODEL, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(n, 2);
  expect_number(chunks[0].chunk_id, "chnk", 700);
  expect_number(chunks[1].chunk_id, "chnk", 800);
}
