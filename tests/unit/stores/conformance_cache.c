/* Kept answers. A part of conformance.c. */
#include "stores/conformance.h"

static const aio__cache_limits ROOMY = {1000, 1 << 20, 0};
static const char BESIDE[] = "{\"stop_sequence\":\"\\n\\\"E\\\\ND\xE2\x82\xAC\",\"sources\":[{\"title\": \"\xF0\x9F\xA6\x93\"}]}";
static const char SCOPE[33] = "scope-of-thirty-two-bytes-exact.";

static aio__cache_entry entry_of(int number, const char *key, const char *answer, const aio__cache_source *rests_on) {
  aio__cache_entry e = {.scope = {SCOPE, 32},
                        .key = {hash_of(key), 32},
                        .query = aio__str_z(key),
                        .answer = aio__str_z(answer),
                        .sources = aio__str_z(BESIDE),
                        .chunks = {hash_of("digest"), 32},
                        .provider = AIO__LIT("p"),
                        .model = AIO__LIT("m"),
                        .finish_reason = AIORCH_FINISH_STOP,
                        .created_ms = T0 + number,
                        .expires_ms = T0 + 24 * HOUR,
                        .rests_on = rests_on,
                        .rests_on_count = rests_on != NULL ? 1 : 0};
  id_of(e.id, "cach", number);
  return e;
}

static bool keep(fixture *f, aio__str tenant, const aio__cache_entry *e, const aio__cache_limits *limits,
                 int64_t now_ms) {
  bool stored = false;
  assert_int_equal(CALL(f, cache, put, tenant, e, limits, now_ms, &stored), AIORCH_OK);
  return stored;
}

static bool ask(fixture *f, aio__str tenant, const char *key, int64_t now_ms, aio__cache_entry *out) {
  bool found = false;
  assert_int_equal(CALL(f, cache, lookup, tenant, ((aio__str){SCOPE, 32}), ((aio__str){hash_of(key), 32}), now_ms,
                        &f->arena, out, &found),
                   AIORCH_OK);
  return found;
}

static aio__cache_source source_of(const aio__store_document *d) {
  aio__cache_source s = {.version = d->version};
  memcpy(s.document_id, d->id, sizeof s.document_id);
  return s;
}

static void test_lookup__gives_what_was_put(void **state) {
  fixture *f = *state;
  aio__store_document d = add_text(f, ACME, "a", "T", "text", 1, T0 - 5);
  aio__cache_source s = source_of(&d);
  aio__cache_entry e = entry_of(1, "q", "the answer", &s), got;
  bool found = true;
  assert_false(ask(f, ACME, "q", T0, &got));
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_true(ask(f, ACME, "q", T0 + 9, &got));
  assert_string_equal(got.id, e.id);
  expect_str(got.answer, "the answer");
  expect_str(got.sources, BESIDE); /* to the byte */
  expect_str(got.query, "q");
  expect_str(got.provider, "p");
  expect_str(got.model, "m");
  assert_memory_equal(got.chunks.p, e.chunks.p, 32);
  assert_int_equal(got.finish_reason, AIORCH_FINISH_STOP);
  assert_int_equal(got.created_ms, T0 + 1);
  assert_int_equal(got.expires_ms, e.expires_ms);
  assert_int_equal(got.stale, 0);
  assert_int_equal(got.rests_on_count, 1);
  assert_string_equal(got.rests_on[0].document_id, d.id);
  assert_int_equal(got.rests_on[0].version, 1);
  assert_false(ask(f, ACME, "other", T0, &got));
  assert_int_equal(CALL(f, cache, lookup, ACME, ((aio__str){hash_of("scope"), 32}), e.key, T0, &f->arena, &got, &found),
                   AIORCH_OK);
  assert_false(found);
}

static void test_lookup__expired_is_not_found(void **state) {
  fixture *f = *state;
  aio__cache_entry e = entry_of(1, "q", "a", NULL), got;
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_true(ask(f, ACME, "q", e.expires_ms - 1, &got));
  assert_false(ask(f, ACME, "q", e.expires_ms, &got));
  e = entry_of(2, "q", "new", NULL);
  e.expires_ms += HOUR;
  assert_true(keep(f, ACME, &e, &ROOMY, T0 + 24 * HOUR));
  assert_true(ask(f, ACME, "q", T0 + 24 * HOUR, &got));
  expect_str(got.answer, "new");
}

/* Kept while the clock was a day ahead: from its first use on its life is as long as it was meant to be. */
static void test_lookup__clock_goes_back(void **state) {
  fixture *f = *state;
  aio__cache_entry e = entry_of(1, "q", "a", NULL), got, *all;
  size_t n = 0;
  int64_t now = T0 - 24 * HOUR;
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_true(ask(f, ACME, "q", now, &got));
  assert_int_equal(got.created_ms, now);
  assert_int_equal(CALL(f, cache, list, ACME, 10, now, &f->arena, &all, &n), AIORCH_OK); /* writes the use down */
  assert_int_equal(n, 1);
  assert_int_equal(all[0].expires_ms, now + 24 * HOUR - 1);
  assert_true(ask(f, ACME, "q", now + 24 * HOUR - 2, &got));
  assert_false(ask(f, ACME, "q", now + 24 * HOUR - 1, &got));
}

static void test_put__repeated_changes_nothing(void **state) {
  fixture *f = *state;
  aio__cache_entry e = entry_of(1, "q", "a", NULL), *all;
  size_t n = 0;
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_int_equal(CALL(f, cache, list, ACME, 10, T0, &f->arena, &all, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  aio__store_stats stats;
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(all[0].bytes, stats.cache_bytes); /* what it takes is what the tenant's limit counts */
}

static void test_put__same_place_stays_unless_replaced(void **state) {
  fixture *f = *state;
  aio__cache_entry e = entry_of(1, "q", "first", NULL), other = entry_of(2, "q", "second", NULL), got;
  aio__cache_limits refresh = ROOMY;
  refresh.replace = 1;
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_false(keep(f, ACME, &other, &ROOMY, T0));
  assert_true(ask(f, ACME, "q", T0, &got));
  expect_str(got.answer, "first");
  assert_true(keep(f, ACME, &other, &refresh, T0));
  assert_true(ask(f, ACME, "q", T0, &got));
  expect_str(got.answer, "second");
  assert_int_equal(got.hits, 1);
}

static void test_put__refused_when_a_document_has_moved_on(void **state) {
  fixture *f = *state;
  aio__store_document d = add_text(f, ACME, "a", "T", "text", 1, T0 - 5);
  aio__cache_source s = source_of(&d), gone = s;
  add_text(f, ACME, "a", "T", "new text", 2, T0 - 4);
  aio__cache_entry e = entry_of(1, "q", "a", &s), got;
  assert_false(keep(f, ACME, &e, &ROOMY, T0));
  s.version = 2;
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  id_of(gone.document_id, "docu", 99);
  aio__cache_entry o = entry_of(2, "q2", "a", &gone);
  assert_false(keep(f, ACME, &o, &ROOMY, T0));
  assert_false(ask(f, ACME, "q2", T0, &got));
}

static void test_add_and_remove__drop_the_answers_they_fed(void **state) {
  fixture *f = *state;
  aio__store_document a = add_text(f, ACME, "a", "T", "text a", 1, T0 - 5),
                      b = add_text(f, ACME, "b", "T", "text b", 2, T0 - 5);
  aio__cache_source on_a = source_of(&a), on_b = source_of(&b);
  aio__cache_entry x = entry_of(1, "x", "a", &on_a), y = entry_of(2, "y", "b", &on_b), got;
  aio__str *removed;
  size_t n;
  assert_true(keep(f, ACME, &x, &ROOMY, T0));
  assert_true(keep(f, ACME, &y, &ROOMY, T0));
  add_text(f, ACME, "a", "T", "changed", 3, T0 + 1);
  assert_false(ask(f, ACME, "x", T0 + 2, &got));
  assert_true(ask(f, ACME, "y", T0 + 2, &got));
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("b"), T0 + 3, &f->arena, &removed, &n), AIORCH_OK);
  assert_false(ask(f, ACME, "y", T0 + 4, &got));
}

static void test_lookup__stale_after_knowledge_has_grown(void **state) {
  fixture *f = *state;
  aio__cache_entry e = entry_of(1, "q", "a", NULL), got;
  add_text(f, ACME, "a", "T", "one", 1, T0 - 5);
  assert_true(keep(f, ACME, &e, &ROOMY, T0 + 1));
  assert_true(ask(f, ACME, "q", T0 + 1, &got));
  assert_int_equal(got.stale, 0);
  add_text(f, ACME, "b", "T", "two", 2, T0 + 1);
  assert_true(ask(f, ACME, "q", T0 + 2, &got));
  assert_int_equal(got.stale, 1);
  assert_int_equal(CALL(f, cache, revalidated, ACME, aio__str_z(got.id), got.knowledge), AIORCH_OK);
  assert_true(ask(f, ACME, "q", T0 + 2, &got));
  assert_int_equal(got.stale, 0);
  add_text(f, ACME, "b", "T", "two", 3, T0 + 3); /* unchanged: no growth */
  assert_true(ask(f, ACME, "q", T0 + 4, &got));
  assert_int_equal(got.stale, 0);
  add_text(f, ACME, "c", "T", "three", 4, T0 + 5);
  aio__cache_entry newer = entry_of(2, "q", "newer", NULL);
  newer.created_ms = T0 + 6;
  assert_true(keep(f, ACME, &newer, &ROOMY, T0 + 6));
  assert_true(ask(f, ACME, "q", T0 + 6, &got));
  expect_str(got.answer, "newer");
  assert_int_equal(got.stale, 0);
}

/* A document that was begun to be added before the check, and came in after it. */
static void test_revalidated__a_document_that_took_long(void **state) {
  fixture *f = *state;
  aio__cache_entry e = entry_of(1, "q", "a", NULL), got, checked;
  add_text(f, ACME, "a", "T", "one", 1, T0 - 50);
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  add_text(f, ACME, "b", "T", "two", 2, T0 + 1);
  assert_true(ask(f, ACME, "q", T0 + 9, &checked));
  assert_int_equal(checked.stale, 1);
  add_text(f, ACME, "c", "T", "three", 3, T0 + 5);
  assert_int_equal(CALL(f, cache, revalidated, ACME, aio__str_z(checked.id), checked.knowledge), AIORCH_OK);
  assert_true(ask(f, ACME, "q", T0 + 10, &got));
  assert_int_equal(got.stale, 1);
  assert_int_equal(CALL(f, cache, revalidated, ACME, aio__str_z(got.id), got.knowledge), AIORCH_OK);
  assert_int_equal(CALL(f, cache, revalidated, ACME, aio__str_z(got.id), checked.knowledge), AIORCH_OK); /* late */
  assert_true(ask(f, ACME, "q", T0 + 11, &got));
  assert_int_equal(got.stale, 0);
  assert_int_equal(CALL(f, cache, revalidated, ACME, aio__str_z(got.id), got.knowledge + 7), AIORCH_OK);
  add_text(f, ACME, "d", "T", "four", 4, T0 + 12);
  assert_true(ask(f, ACME, "q", T0 + 13, &got));
  assert_int_equal(got.stale, 1);
}

/* The counter, not the clock, decides: a document added in the same millisecond as the answer was made, or between the
 * retrieval and the storing of it, is not overlooked. */
static void test_put__knowledge_as_of_the_retrieval(void **state) {
  fixture *f = *state;
  aio__cache_entry e = entry_of(0, "q", "a", NULL), got;
  add_text(f, ACME, "a", "T", "one", 1, T0);
  assert_false(ask(f, ACME, "q", T0, &got));
  e.knowledge = got.knowledge;
  assert_true(e.knowledge > 0);
  assert_true(keep(f, ACME, &e, &ROOMY, T0));
  assert_true(ask(f, ACME, "q", T0, &got));
  assert_int_equal(got.stale, 0);
  add_text(f, ACME, "b", "T", "two", 2, T0);
  assert_true(ask(f, ACME, "q", T0, &got));
  assert_int_equal(got.stale, 1);
  aio__cache_entry late = entry_of(0, "late", "a", NULL), unknown = entry_of(0, "unknown", "a", NULL);
  late.knowledge = e.knowledge;
  id_of(late.id, "cach", 2);
  id_of(unknown.id, "cach", 3);
  assert_true(keep(f, ACME, &late, &ROOMY, T0));
  assert_true(ask(f, ACME, "late", T0, &got));
  assert_int_equal(got.stale, 1);
  assert_true(keep(f, ACME, &unknown, &ROOMY, T0));
  assert_true(ask(f, ACME, "unknown", T0, &got));
  assert_int_equal(got.stale, 1);
}

static void test_put__least_recently_used_goes(void **state) {
  fixture *f = *state;
  aio__cache_limits three = {3, 1 << 20, 0};
  aio__cache_entry got;
  const char *const keys[] = {"k0", "k1", "k2"};
  for (int i = 0; i < 3; i++) {
    aio__cache_entry e = entry_of(i, keys[i], "a", NULL);
    assert_true(keep(f, ACME, &e, &three, T0));
  }
  assert_true(ask(f, ACME, "k0", T0, &got)); /* all in the same millisecond: the order of use counts */
  aio__cache_entry e = entry_of(3, "k3", "a", NULL);
  assert_true(keep(f, ACME, &e, &three, T0));
  assert_true(ask(f, ACME, "k0", T0, &got));
  assert_false(ask(f, ACME, "k1", T0, &got));
  assert_true(ask(f, ACME, "k2", T0, &got));
  assert_true(ask(f, ACME, "k3", T0, &got));
}

static void test_put__expired_goes_first(void **state) {
  fixture *f = *state;
  aio__cache_limits two = {2, 1 << 20, 0};
  aio__cache_entry a = entry_of(1, "a", "x", NULL), b = entry_of(2, "b", "x", NULL), c = entry_of(3, "c", "x", NULL),
                   got;
  b.expires_ms = T0 + HOUR;
  assert_true(keep(f, ACME, &a, &two, T0));
  assert_true(keep(f, ACME, &b, &two, T0));
  assert_true(keep(f, ACME, &c, &two, T0 + 2 * HOUR));
  assert_true(ask(f, ACME, "a", T0 + 2 * HOUR, &got));
  assert_true(ask(f, ACME, "c", T0 + 2 * HOUR, &got));
}

static void test_put__bounded_by_bytes(void **state) {
  fixture *f = *state;
  static char big[3001];
  memset(big, 'x', 3000);
  aio__cache_limits limits = {100, 8192, 0};
  aio__cache_entry got;
  aio__store_stats stats;
  char key[16];
  for (int i = 0; i < 6; i++) {
    snprintf(key, sizeof key, "k%d", i);
    aio__cache_entry e = entry_of(i, key, big, NULL);
    assert_true(keep(f, ACME, &e, &limits, T0));
  }
  assert_int_equal(CALL(f, ledger, stats, ACME, T0, &stats), AIORCH_OK);
  assert_int_equal(stats.cache_entries, 2);
  assert_true(stats.cache_bytes >= 6000 && stats.cache_bytes <= 8192);
  assert_true(ask(f, ACME, "k5", T0, &got));
  assert_true(ask(f, ACME, "k4", T0, &got));
  limits.max_bytes = 2000;
  aio__cache_entry e = entry_of(9, "k9", big, NULL);
  assert_false(keep(f, ACME, &e, &limits, T0));
  assert_true(ask(f, ACME, "k5", T0, &got));
}

static void test_cache_list__newest_first_with_hits(void **state) {
  fixture *f = *state;
  aio__store_document d = add_text(f, ACME, "a", "T", "text", 1, T0 - 5);
  aio__cache_source s = source_of(&d);
  aio__cache_entry a = entry_of(1, "a", "x", &s), b = entry_of(2, "b", "y", NULL), c = entry_of(3, "c", "z", NULL), got,
                   *all;
  size_t n = 0;
  c.expires_ms = T0 + 5;
  assert_true(keep(f, ACME, &a, &ROOMY, T0));
  assert_true(keep(f, ACME, &b, &ROOMY, T0));
  assert_true(keep(f, ACME, &c, &ROOMY, T0));
  assert_true(ask(f, ACME, "a", T0, &got));
  assert_true(ask(f, ACME, "a", T0, &got));
  assert_int_equal(CALL(f, cache, list, ACME, 10, T0 + 5, &f->arena, &all, &n), AIORCH_OK);
  assert_int_equal(n, 2);
  expect_str(all[0].query, "b");
  assert_int_equal(all[0].hits, 0);
  expect_str(all[1].query, "a");
  assert_int_equal(all[1].hits, 2);
  assert_int_equal(all[1].answer.n, 0);
  assert_int_equal(all[1].rests_on_count, 1);
  assert_string_equal(all[1].rests_on[0].document_id, d.id);
  assert_int_equal(CALL(f, cache, list, ACME, 1, T0 + 5, &f->arena, &all, &n), AIORCH_OK);
  assert_int_equal(n, 1);
}

static uint64_t invalidate(fixture *f, const char *tag) {
  uint64_t removed = 99;
  assert_int_equal(CALL(f, cache, invalidate, ACME, aio__str_z(tag), &removed), AIORCH_OK);
  return removed;
}

static void test_invalidate__by_each_kind_of_tag(void **state) {
  fixture *f = *state;
  aio__store_document d = add_text(f, ACME, "a.md", "T", "text", 1, T0 - 5);
  aio__cache_source s = source_of(&d);
  aio__cache_entry e[6], got;
  char key[16];
  for (int i = 0; i < 6; i++) {
    snprintf(key, sizeof key, "k%d", i);
    e[i] = entry_of(i, key, "x", i < 3 ? &s : NULL);
  }
  assert_true(keep(f, ACME, &e[0], &ROOMY, T0) && keep(f, ACME, &e[3], &ROOMY, T0));
  assert_int_equal(invalidate(f, "no such tag"), 0);
  assert_int_equal(invalidate(f, e[3].id), 1);
  assert_int_equal(invalidate(f, d.id), 1);
  assert_true(keep(f, ACME, &e[1], &ROOMY, T0) && keep(f, ACME, &e[2], &ROOMY, T0) && keep(f, ACME, &e[4], &ROOMY, T0));
  assert_int_equal(invalidate(f, "a.md"), 2);
  assert_true(ask(f, ACME, "k4", T0, &got));
  assert_true(keep(f, ACME, &e[5], &ROOMY, T0));
  assert_int_equal(invalidate(f, ""), 2);
  assert_false(ask(f, ACME, "k4", T0, &got));
}
