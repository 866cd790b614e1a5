/* A person's words as a full-text query: whatever they are, the search of both stores succeeds and stays in its tenant.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "stores/fts_query.h"
#include "stores/fts_runs.h"

static aio__store *store_of(bool memory) {
  static fuzz_env env;
  static aio__store *stores[2];
  if (stores[0] == NULL) {
    fuzz_env_init(&env);
    FUZZ_CHECK(aio__store_sqlite_open(&env.env, fuzz_folder(), &stores[0], NULL) == AIORCH_OK);
    FUZZ_CHECK(aio__store_memory_open(&env.env, &stores[1], NULL) == AIORCH_OK);
    fuzz_fill(stores[0]);
    fuzz_fill(stores[1]);
  }
  return stores[memory];
}

static void check_words(aio__str text) {
  aio__fts_words words;
  aio__fts_word word;
  aio__fts_words_init(&words, text);
  uint64_t n = 0;
  while (aio__fts_words_next(&words, &word)) {
    FUZZ_CHECK(word.n > 0 && word.n <= AIO__FTS_WORD_MAX);
    n += !word.compound;
    char stem[AIO__FTS_WORD_MAX];
    memcpy(stem, word.text, word.n);
    FUZZ_CHECK(aio__fts_stem(stem, word.n) <= word.n);
  }
  FUZZ_CHECK(n == aio__fts_count_words(text));
  aio__buf spread;
  aio__buf_init(&spread, aio__alloc_default(), 16 * (text.n + 1));
  aio__fts_spread(text, &spread);
  FUZZ_CHECK(spread.failed == AIORCH_OK && aio__utf8_check(aio__buf_view(&spread), NULL) == spread.n);
  FUZZ_CHECK(aio__fts_has_runs(text) || aio__str_eq(aio__buf_view(&spread), text));
  aio__buf_free(&spread);
}

static void check_query(aio__str question) {
  aio__fts_query query;
  aio__buf out;
  aio__fts_query_parse(question, &query);
  FUZZ_CHECK(query.n <= AIO__FTS_TERMS_MAX);
  aio__buf_init(&out, aio__alloc_default(), 1 << 20);
  for (size_t i = 0; i < query.n; i++) {
    aio__fts_term_write(&query.term[i], i % 2 == 0, &out);
    FUZZ_CHECK(query.term[i].word.n > 0 && query.term[i].weight > 0.0);
  }
  FUZZ_CHECK(out.failed == AIORCH_OK);
  aio__buf_free(&out);
}

static void check_search(aio__store *store, aio__str question) {
  aio__arena arena;
  aio__found_chunk *found = NULL;
  size_t n = 0;
  fuzz_sync sync;
  aio__search_args args = {.query = question, .limit = 10};
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  aiorch_status status =
    fuzz_wait(&sync, store->knowledge->search(store, fuzz_op(&sync), AIO__LIT("acme"), &args, &arena, &found, &n));
  FUZZ_CHECK(status == AIORCH_OK);
  FUZZ_CHECK(n <= args.limit);
  for (size_t i = 0; i < n; i++) {
    FUZZ_CHECK(!aio__str_eqz(found[i].source, "secret.md"));
    FUZZ_CHECK(i == 0 || found[i].score <= found[i - 1].score);
    FUZZ_CHECK(found[i].end > found[i].start && found[i].text.n == found[i].end - found[i].start);
  }
  aio__arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__str question = fuzz_utf8(data, size);
  check_words(question);
  check_query(question);
  check_search(store_of(false), question);
  check_search(store_of(true), question);
  free((void *)(uintptr_t)question.p);
  return 0;
}
