/* What is kept with an answer, and what is made of it again. */
#include "../support/pipeline_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/cache_kept.h"
#include "pipeline/run_extras.h"

static const scripted_answer unused[] = {{.text = "Yes."}};

static aiorch_run *asked(fixture *f) {
  fixture_open(f, NULL, unused, 1, NULL, 0);
  aiorch_run *run = fixture_ask(f, "acme", "u1", "What?");
  assert_int_equal(aiorch_run_add_stop(run, "END", 3), AIORCH_OK);
  return run;
}

static void done(fixture *f, aiorch_run *run) {
  aiorch_run_free(run);
  fixture_close(f);
}

static void test_kept_write__is_what_it_was_unless_a_stop_sequence_ended_it(void **state) {
  (void)state;
  fixture f;
  aiorch_run *run = asked(&f);
  aio__str out;
  assert_int_equal(aio__cache_kept_write(run, &out), AIORCH_OK);
  assert_int_equal(out.n, 2);
  assert_memory_equal(out.p, "[]", 2);
  aio__run_stopped_by(run, AIO__LIT("END"));
  assert_int_equal(aio__cache_kept_write(run, &out), AIORCH_OK);
  assert_true(aio__str_eqz(out, "{\"stop_sequence\":\"END\",\"sources\":[]}"));
  done(&f, run);
}

static void test_kept_read__both_forms(void **state) {
  (void)state;
  static const struct {
    const char *kept, *stop, *title;
    size_t sources;
    aiorch_status status;
  } rows[] = {
      {"", "", NULL, 0, AIORCH_OK},
      {"[]", "", NULL, 0, AIORCH_OK},
      {"[{\"title\":\"a\\u0062\",\"version\":7},{}]", "", "ab", 2, AIORCH_OK},
      {"{\"stop_sequence\":\"END\",\"sources\":[{\"title\":\"c\"}]}", "END", "c", 1, AIORCH_OK},
      {"{\"sources\":[{\"title\":\"c\"}],\"later\":{\"x\":[1]},\"stop_sequence\":\"\\u0045ND\"}", "END", "c", 1, AIORCH_OK},
      {"{\"stop_sequence\":\"secret\",\"sources\":[]}", "", NULL, 0, AIORCH_OK}, /* not one that was asked for */
      {"{\"stop_sequence\":7}", "", NULL, 0, AIORCH_OK},
      {"{}", "", NULL, 0, AIORCH_OK},
      {"{\"stop_sequence\":\"END\",\"sources\":[", "", NULL, 0, AIORCH_E_STORE_CORRUPT},
      {"nothing", "", NULL, 0, AIORCH_E_STORE_CORRUPT},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fixture f;
    aiorch_run *run = asked(&f);
    run->source_count = 3; /* of before */
    aio__run_stopped_by(run, AIO__LIT("END"));
    run->entry.sources = aio__str_z(rows[i].kept);
    assert_int_equal(aio__cache_kept_read(run), rows[i].status);
    assert_int_equal(run->source_count, rows[i].sources);
    if (rows[i].title) assert_true(aio__str_eqz(run->sources[0].title, rows[i].title));
    if (!aio__str_eqz(run->stopped_by, rows[i].stop)) fail_msg("%s: stopped by \"%.*s\"", rows[i].kept, (int)run->stopped_by.n, run->stopped_by.p);
    done(&f, run);
  }
}

/* ---- texts that lie in the store's documents ---------------------------------------------------------------------------- */

#define DOCUMENT "018f0000-0000-7000-8000-000000000001"

static struct {
  aiorch_status status;
  bool found;
  size_t asked;
} says;

static aiorch_status scripted_texts(aio__store *store, aio__op *op, aio__str tenant, aio__cache_text *texts, size_t count,
                                    aio__arena *arena, bool *found) {
  (void)store;
  (void)op;
  (void)arena;
  assert_true(aio__str_eqz(tenant, "acme"));
  for (size_t i = 0; i < count; i++) {
    assert_string_equal(texts[i].document_id, DOCUMENT);
    assert_int_equal(texts[i].version, 3);
    assert_int_equal(texts[i].end - texts[i].start, 4);
    texts[i].text = aio__str_z(texts[i].start == 5 ? "five" : "nine");
  }
  says.asked = count;
  *found = says.found;
  return says.status;
}

static void test_kept_read__texts_out_of_the_documents(void **state) {
  (void)state;
  static const char kept[] =
      "[{\"document_id\":\"" DOCUMENT "\",\"version\":3,\"start\":5,\"end\":9},"
      "{\"document_id\":\"" DOCUMENT "\",\"version\":3,\"text\":\"old\",\"start\":5,\"end\":9},"
      "{\"title\":\"of the host\",\"start\":5,\"end\":9},"
      "{\"document_id\":\"" DOCUMENT "\",\"version\":3,\"start\":9,\"end\":13}]";
  static const struct {
    aiorch_status status, expected;
    bool given, found;
  } rows[] = {
      {AIORCH_OK, AIORCH_OK, true, true},
      {AIORCH_OK, AIORCH_E_STORE_CORRUPT, true, false},
      {AIORCH_OK, AIORCH_E_STORE_CORRUPT, false, true}, /* another store than the one that it was kept in */
      {AIORCH_E_STORE, AIORCH_E_STORE_CORRUPT, true, false},
      {AIORCH_E_NOMEM, AIORCH_E_NOMEM, true, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    fixture f;
    aiorch_run *run = asked(&f);
    const aio__cache_ops *real = f.orch->store->cache;
    aio__cache_ops ops = *real;
    ops.texts = rows[i].given ? scripted_texts : NULL;
    f.orch->store->cache = &ops;
    says.status = rows[i].status;
    says.found = rows[i].found;
    says.asked = 0;
    run->entry.sources = aio__str_z(kept);
    assert_int_equal(aio__cache_kept_read(run), rows[i].expected);
    assert_int_equal(says.asked, rows[i].given ? 2 : 0);
    assert_int_equal(run->source_count, rows[i].expected == AIORCH_OK ? 4 : 0);
    static const char *const texts[] = {"five", "old", "", "nine"};
    for (size_t k = 0; k < run->source_count; k++) assert_true(aio__str_eqz(run->sources[k].text, texts[k]));
    f.orch->store->cache = real;
    done(&f, run);
  }
}

static void test_kept_write__texts_that_are_a_piece_of_a_document_stay_there(void **state) {
  (void)state;
  fixture f;
  aiorch_run *run = asked(&f);
  const aio__cache_ops *real = f.orch->store->cache;
  aio__cache_ops ops = *real;
  aio__source sources[] = {
      {.document_id = DOCUMENT, .document_version = 3, .text = AIO__LIT("a piece"), .start = 10, .end = 17},
      {.document_id = DOCUMENT, .document_version = 3, .text = AIO__LIT("no piece"), .start = 10, .end = 17},
      {.text = AIO__LIT("the host's"), .start = 0, .end = 10},
      {.document_id = DOCUMENT, .document_version = 3},
  };
  aio__str out;
  f.orch->store->cache = &ops;
  run->sources = sources;
  for (int i = 0; i < 3; i++) {
    ops.texts = i == 0 ? NULL : scripted_texts;
    run->host_sources = i == 1;
    run->source_count = sizeof sources / sizeof *sources;
    assert_int_equal(aio__cache_kept_write(run, &out), AIORCH_OK);
    char *json = strndup(out.p, out.n);
    if ((strstr(json, "\"a piece\"") == NULL) != (i == 2)) fail_msg("%s", json);
    assert_non_null(strstr(json, "\"no piece\""));
    assert_non_null(strstr(json, "\"the host's\""));
    free(json);
  }
  run->sources = NULL;
  run->source_count = 0;
  f.orch->store->cache = real;
  done(&f, run);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at) {
  (void)info;
  (void)kind;
  (void)at;
  return remove(path);
}

/* Over SQLite a hit has the sources that the miss had, and its row has none of their texts. */
static void test_kept__over_sqlite(void **state) {
  (void)state;
  const char *tmp = getenv("TMPDIR");
  char folder[300], settings[500];
  snprintf(folder, sizeof folder, "%s/aiorch-test-XXXXXX", tmp && tmp[0] ? tmp : P_tmpdir);
  assert_non_null(mkdtemp(folder));
  snprintf(settings, sizeof settings, "{\"store\": \"%s/store\", \"embedder\": \"none\"}", folder);
  fixture f = {.orch = NULL};
  aiorch_config *config = NULL; /* with the real clock, by which the store's thread waits */
  assert_int_equal(aiorch_config_new(&config), AIORCH_OK);
  assert_int_equal(aiorch_config_load_json(config, settings, strlen(settings), NULL, NULL), AIORCH_OK);
  assert_int_equal(aiorch_open(config, &f.orch, NULL), AIORCH_OK);
  aiorch_config_free(config);
  fixture_add(&f, "acme", "shop.md", "# Opening hours\n\nThe shop opens at eight o'clock, \"sharp\", on each working day.\n\n# Bread\n\nBread is made on site.\n");
  aiorch_run *miss = fixture_execute(&f, "When does the shop open?", AIORCH_OK);
  aiorch_run *hit = fixture_execute(&f, "When does the shop open?", AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(miss), AIORCH_CACHE_MISS);
  assert_int_equal(aiorch_run_cache_outcome(hit), AIORCH_CACHE_EXACT);
  assert_true(miss->source_count > 0);
  assert_int_equal(hit->source_count, miss->source_count);
  for (size_t i = 0; i < miss->source_count; i++) {
    assert_true(hit->sources[i].text.n > 0);
    assert_true(aio__str_eq(hit->sources[i].text, miss->sources[i].text));
    assert_int_equal(hit->sources[i].text.p[hit->sources[i].text.n], '\0');
    assert_int_equal(hit->sources[i].start, miss->sources[i].start);
  }
  char *kept = strndup(hit->entry.sources.p, hit->entry.sources.n);
  assert_null(strstr(kept, "clock"));
  free(kept);
  aiorch_run_free(miss);
  aiorch_run_free(hit);
  fixture_add(&f, "acme", "shop.md", "# Opening hours\n\nThe shop opens at nine o'clock, on each working day.\n");
  aiorch_run *later = fixture_execute(&f, "When does the shop open?", AIORCH_OK);
  assert_int_equal(aiorch_run_cache_outcome(later), AIORCH_CACHE_MISS);
  aiorch_run_free(later);
  fixture_close(&f);
  nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_kept_write__is_what_it_was_unless_a_stop_sequence_ended_it),
      cmocka_unit_test(test_kept_read__both_forms),
      cmocka_unit_test(test_kept_read__texts_out_of_the_documents),
      cmocka_unit_test(test_kept_write__texts_that_are_a_piece_of_a_document_stay_there),
      cmocka_unit_test(test_kept__over_sqlite),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
