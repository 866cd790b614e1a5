/* lib/core/plugins.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include <aiorch/error.h>

#include "core/plugins.h"
#include "support/test_alloc.h"

/* `self` of all plug-ins here is a counter of how often it was destroyed. */
static void count_destroy(void *self) {
  ++*(int *)self;
}

static aiorch_status slot(void *self, aiorch_call *call) {
  (void)self;
  (void)call;
  return AIORCH_SLOT_OK;
}

static void log_nothing(void *self, int32_t level, const char *json, size_t len) {
  (void)self;
  (void)level;
  (void)json;
  (void)len;
}

static aiorch_embedder_vtbl embedder(void) {
  return (aiorch_embedder_vtbl){.struct_size = sizeof(aiorch_embedder_vtbl), .dimensions = 384, .max_tokens = 512,
                                .fingerprint = "model/f32", .embed = slot, .destroy = count_destroy};
}

static aiorch_vector_store_vtbl vector_store(void) {
  return (aiorch_vector_store_vtbl){.struct_size = sizeof(aiorch_vector_store_vtbl), .upsert = slot, .remove = slot,
                                    .search = slot, .destroy = count_destroy};
}

static aiorch_provider_vtbl provider(void) {
  return (aiorch_provider_vtbl){.struct_size = sizeof(aiorch_provider_vtbl), .model = "m1", .generate = slot,
                                .destroy = count_destroy};
}

static aiorch_logger_vtbl logger(void) {
  return (aiorch_logger_vtbl){.struct_size = sizeof(aiorch_logger_vtbl), .min_level = AIORCH_LOG_WARN,
                              .log = log_nothing, .destroy = count_destroy};
}

typedef struct fixture {
  aio__test_alloc t;
  aio__plugins p;
  aiorch_error error;
  int embedder, vector_store, provider, logger; /* destroyed */
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  aio__test_alloc_init(&f->t);
  aio__plugins_init(&f->p, &f->t.al);
  aio__error_init(&f->error);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  aio__plugins_destroy(&f->p);
  assert_int_equal(f->t.live, 0);
  free(f);
  return 0;
}

static void expect_words(const fixture *f, const char *words) {
  if (strstr(aiorch_error_message(&f->error), words) == NULL) {
    fail_msg("\"%s\" is not in \"%s\"", words, aiorch_error_message(&f->error));
  }
}

static void test_set_embedder__is_copied(void **state) {
  fixture *f = *state;
  aiorch_embedder_vtbl v = embedder();
  char fingerprint[] = "model/f32";
  v.fingerprint = fingerprint;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &v, &f->embedder, &f->error), AIORCH_OK);
  memset(&v, 0xAB, sizeof v);
  memset(fingerprint, 'x', sizeof fingerprint);
  assert_true(f->p.has_embedder);
  assert_int_equal(f->p.embedder.vtbl.dimensions, 384);
  assert_int_equal(f->p.embedder.vtbl.max_tokens, 512);
  assert_string_equal(f->p.embedder.fingerprint, "model/f32");
  assert_ptr_equal(f->p.embedder.vtbl.fingerprint, f->p.embedder.fingerprint);
  assert_ptr_equal(f->p.embedder.self, &f->embedder);
  assert_null(f->p.embedder.serial);
  assert_int_equal(f->embedder, 0);
}

static void test_set_embedder__required_parts(void **state) {
  fixture *f = *state;
  aiorch_embedder_vtbl v;
  assert_int_equal(aio__plugins_set_embedder(&f->p, NULL, &f->embedder, &f->error), AIORCH_E_INVALID);
  v = embedder();
  v.embed = NULL;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &v, &f->embedder, &f->error), AIORCH_E_INVALID);
  expect_words(f, "embed is required");
  v = embedder();
  v.dimensions = 0;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &v, &f->embedder, &f->error), AIORCH_E_INVALID);
  v.dimensions = 65537;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &v, &f->embedder, &f->error), AIORCH_E_INVALID);
  expect_words(f, "dimensions is 65537, not 1 to 65536");
  v.dimensions = 65536;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &v, &f->embedder, &f->error), AIORCH_OK);
  v.dimensions = 1;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &v, &f->embedder, &f->error), AIORCH_OK);
  f->embedder = 0;
  static const char *const bad[] = {NULL, "", "two words", "tab\tted", "\x7f", "\xff"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    v.fingerprint = bad[i];
    assert_int_equal(aio__plugins_set_embedder(&f->p, &v, &f->embedder, &f->error), AIORCH_E_INVALID);
    expect_words(f, "fingerprint");
  }
  assert_int_equal(f->embedder, 0); /* neither the refused ones nor the one that is there */
}

static void test_set_embedder__fingerprint_up_to_255_bytes(void **state) {
  fixture *f = *state;
  char text[300];
  aiorch_embedder_vtbl v = embedder();
  memset(text, 'f', sizeof text);
  v.fingerprint = text;
  text[256] = '\0';
  assert_int_equal(aio__plugins_set_embedder(&f->p, &v, NULL, &f->error), AIORCH_E_INVALID);
  v.destroy = NULL;
  text[255] = '\0';
  assert_int_equal(aio__plugins_set_embedder(&f->p, &v, NULL, &f->error), AIORCH_OK);
}

static void test_set__replacing_destroys_the_old_one_once(void **state) {
  fixture *f = *state;
  int second[3] = {0, 0, 0};
  aiorch_embedder_vtbl e = embedder();
  aiorch_vector_store_vtbl s = vector_store();
  aiorch_logger_vtbl l = logger();
  e.flags = s.flags = AIORCH_PLUGIN_SERIAL;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &e, &f->embedder, NULL), AIORCH_OK);
  assert_int_equal(aio__plugins_set_vector_store(&f->p, &s, &f->vector_store, NULL), AIORCH_OK);
  assert_int_equal(aio__plugins_set_logger(&f->p, &l, &f->logger, NULL), AIORCH_OK);
  assert_int_equal(aio__plugins_set_embedder(&f->p, &e, &second[0], NULL), AIORCH_OK);
  assert_int_equal(aio__plugins_set_vector_store(&f->p, &s, &second[1], NULL), AIORCH_OK);
  assert_int_equal(aio__plugins_set_logger(&f->p, &l, &second[2], NULL), AIORCH_OK);
  assert_int_equal(f->embedder, 1);
  assert_int_equal(f->vector_store, 1);
  assert_int_equal(f->logger, 1);
  assert_int_equal(second[0] + second[1] + second[2], 0);
  aio__plugins_destroy(&f->p);
  aio__plugins_destroy(&f->p);
  for (int i = 0; i < 3; i++) assert_int_equal(second[i], 1);
  assert_int_equal(f->embedder + f->vector_store + f->logger, 3);
}

static void test_set_vector_store__required_slots(void **state) {
  fixture *f = *state;
  aiorch_vector_store_vtbl v = vector_store();
  v.upsert = NULL;
  assert_int_equal(aio__plugins_set_vector_store(&f->p, &v, NULL, &f->error), AIORCH_E_INVALID);
  expect_words(f, "vector store: upsert is required");
  v = vector_store();
  v.remove = NULL;
  assert_int_equal(aio__plugins_set_vector_store(&f->p, &v, NULL, &f->error), AIORCH_E_INVALID);
  expect_words(f, "remove is required");
  v = vector_store();
  v.search = NULL;
  assert_int_equal(aio__plugins_set_vector_store(&f->p, &v, NULL, &f->error), AIORCH_E_INVALID);
  expect_words(f, "search is required");
  assert_false(f->p.has_vector_store);
}

static void test_set_logger__required_slot_and_size_of_the_copy(void **state) {
  fixture *f = *state;
  aiorch_logger_vtbl v = logger();
  v.log = NULL;
  assert_int_equal(aio__plugins_set_logger(&f->p, &v, NULL, &f->error), AIORCH_E_INVALID);
  expect_words(f, "logger: log is required");
  assert_false(f->p.has_logger);
  struct {
    aiorch_logger_vtbl known;
    void (*unknown)(void);
  } newer = {.known = logger()};
  newer.known.struct_size = sizeof newer;
  assert_int_equal(aio__plugins_set_logger(&f->p, &newer.known, &f->logger, NULL), AIORCH_OK);
  assert_int_equal(f->p.logger.vtbl.struct_size, sizeof(aiorch_logger_vtbl));
  assert_int_equal(f->p.logger.vtbl.min_level, AIORCH_LOG_WARN);
}

static void test_import__struct_size(void **state) {
  fixture *f = *state;
  struct {
    aiorch_provider_vtbl known;
    unsigned char tail[AIO__PLUGIN_STRUCT_MAX];
  } newer;
  memset(&newer, 0, sizeof newer);
  newer.known = provider();
  const uint32_t exact = sizeof(aiorch_provider_vtbl);
  static const uint32_t wrong[] = {0, 1, 4, 8, sizeof(aiorch_provider_vtbl) - 1, AIO__PLUGIN_STRUCT_MAX + 1,
                                   UINT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    newer.known.struct_size = wrong[i];
    assert_int_equal(aio__plugins_add_provider(&f->p, "a", &newer.known, NULL, &f->error), AIORCH_E_INVALID);
    expect_words(f, "struct_size");
  }
  newer.known.destroy = NULL;
  newer.known.struct_size = AIO__PLUGIN_STRUCT_MAX;
  assert_int_equal(aio__plugins_add_provider(&f->p, "a", &newer.known, NULL, &f->error), AIORCH_OK);
  newer.tail[0] = 1;
  newer.known.struct_size = exact + 1;
  assert_int_equal(aio__plugins_add_provider(&f->p, "b", &newer.known, NULL, &f->error), AIORCH_E_UNSUPPORTED);
  newer.known.struct_size = exact; /* what comes behind the struct is not looked at */
  assert_int_equal(aio__plugins_add_provider(&f->p, "b", &newer.known, NULL, &f->error), AIORCH_OK);
  newer.tail[0] = 0;
  newer.tail[8] = 0x80;
  newer.known.struct_size = exact + 8;
  assert_int_equal(aio__plugins_add_provider(&f->p, "c", &newer.known, NULL, &f->error), AIORCH_OK);
  newer.known.struct_size = exact + 9;
  assert_int_equal(aio__plugins_add_provider(&f->p, "d", &newer.known, NULL, &f->error), AIORCH_E_UNSUPPORTED);
}

static void test_import__a_struct_that_is_too_small_of_each_kind(void **state) {
  fixture *f = *state;
  aiorch_embedder_vtbl e = embedder();
  aiorch_vector_store_vtbl s = vector_store();
  aiorch_logger_vtbl l = logger();
  e.struct_size--;
  s.struct_size--;
  l.struct_size--;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &e, NULL, &f->error), AIORCH_E_INVALID);
  assert_int_equal(aio__plugins_set_vector_store(&f->p, &s, NULL, &f->error), AIORCH_E_INVALID);
  assert_int_equal(aio__plugins_set_logger(&f->p, &l, NULL, &f->error), AIORCH_E_INVALID);
}

static void test_import__unknown_flags(void **state) {
  fixture *f = *state;
  aiorch_provider_vtbl v = provider();
  v.flags = AIORCH_PLUGIN_SERIAL | 2;
  assert_int_equal(aio__plugins_add_provider(&f->p, "a", &v, NULL, &f->error), AIORCH_E_UNSUPPORTED);
  expect_words(f, "0x2");
  v.flags = AIORCH_PLUGIN_SERIAL;
  assert_int_equal(aio__plugins_add_provider(&f->p, "a", &v, &f->provider, &f->error), AIORCH_OK);
  assert_non_null(f->p.providers[0].serial);
}

static void test_add_provider__names(void **state) {
  fixture *f = *state;
  aiorch_provider_vtbl v = provider();
  char name63[64], name64[65];
  memset(name63, 'n', 63);
  memset(name64, 'n', 64);
  name63[63] = name64[64] = '\0';
  const char *bad[] = {NULL, "", "A", "a b", "a/b", "\xc3\xa4", "extractive", name64, "a,", "`", "{", "/", ":"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(aio__plugins_add_provider(&f->p, bad[i], &v, &f->provider, &f->error), AIORCH_E_INVALID);
  }
  const char *good[] = {"a", "z", "0", "9", "a_b.c-d", "extractive2", name63};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    assert_int_equal(aio__plugins_add_provider(&f->p, good[i], &v, &f->provider, &f->error), AIORCH_OK);
    assert_string_equal(f->p.providers[i].name, good[i]);
    assert_string_equal(f->p.providers[i].model, "m1");
    assert_ptr_equal(f->p.providers[i].vtbl.model, f->p.providers[i].model);
  }
  assert_int_equal(aio__plugins_add_provider(&f->p, "z", &v, &f->provider, &f->error), AIORCH_E_INVALID);
  expect_words(f, "\"z\" is taken");
  assert_ptr_equal(aio__plugins_provider(&f->p, AIO__LIT("z")), &f->p.providers[1]);
  assert_ptr_equal(aio__plugins_provider(&f->p, AIO__LIT("a")), &f->p.providers[0]);
  assert_null(aio__plugins_provider(&f->p, AIO__LIT("y")));
  assert_int_equal(f->provider, 0);
  aio__plugins_destroy(&f->p);
  assert_int_equal(f->provider, 7);
}

static void test_add_provider__required_parts(void **state) {
  fixture *f = *state;
  aiorch_provider_vtbl v = provider();
  v.generate = NULL;
  assert_int_equal(aio__plugins_add_provider(&f->p, "a", &v, NULL, &f->error), AIORCH_E_INVALID);
  expect_words(f, "provider: generate is required");
  v = provider();
  v.model = NULL;
  assert_int_equal(aio__plugins_add_provider(&f->p, "a", &v, NULL, &f->error), AIORCH_E_INVALID);
  expect_words(f, "model is required");
  v.model = "a model\n";
  assert_int_equal(aio__plugins_add_provider(&f->p, "a", &v, NULL, &f->error), AIORCH_E_INVALID);
  v.model = "a model";
  assert_int_equal(aio__plugins_add_provider(&f->p, "a", &v, &f->provider, &f->error), AIORCH_OK);
}

static void test_add_provider__at_most_64(void **state) {
  fixture *f = *state;
  aiorch_provider_vtbl v = provider();
  char name[16];
  for (int i = 0; i < AIO__PROVIDERS_MAX; i++) {
    snprintf(name, sizeof name, "p%d", i);
    assert_int_equal(aio__plugins_add_provider(&f->p, name, &v, &f->provider, NULL), AIORCH_OK);
  }
  assert_int_equal(aio__plugins_add_provider(&f->p, "one-more", &v, &f->provider, &f->error), AIORCH_E_TOO_LARGE);
  expect_words(f, "at most 64");
  aio__plugins_destroy(&f->p);
  assert_int_equal(f->provider, AIO__PROVIDERS_MAX);
}

static void test_move__hands_all_over_but_the_logger(void **state) {
  fixture *f = *state;
  aio__plugins to;
  aiorch_embedder_vtbl e = embedder();
  aiorch_vector_store_vtbl s = vector_store();
  aiorch_provider_vtbl v = provider();
  aiorch_logger_vtbl l = logger();
  e.flags = s.flags = v.flags = AIORCH_PLUGIN_SERIAL;
  assert_int_equal(aio__plugins_set_embedder(&f->p, &e, &f->embedder, NULL), AIORCH_OK);
  assert_int_equal(aio__plugins_set_vector_store(&f->p, &s, &f->vector_store, NULL), AIORCH_OK);
  assert_int_equal(aio__plugins_add_provider(&f->p, "p", &v, &f->provider, NULL), AIORCH_OK);
  assert_int_equal(aio__plugins_set_logger(&f->p, &l, &f->logger, NULL), AIORCH_OK);
  pthread_mutex_t *serial = f->p.embedder.serial;
  assert_false(f->p.taken);
  aio__plugins_move(&to, &f->p);
  assert_true(f->p.taken);
  assert_false(f->p.has_embedder || f->p.has_vector_store || f->p.has_logger || f->p.provider_count > 0);
  assert_true(to.has_embedder && to.has_vector_store && !to.has_logger && !to.taken);
  assert_ptr_equal(to.embedder.serial, serial);
  assert_string_equal(to.providers[0].name, "p");
  aio__plugins_destroy(&f->p);
  assert_int_equal(f->embedder + f->vector_store + f->provider + f->logger, 0);
  assert_int_equal(aio__plugins_add_provider(&f->p, "p", &v, &f->provider, NULL), AIORCH_OK); /* the name is free */
  aio__plugins_destroy(&to);
  assert_int_equal(f->embedder, 1);
  assert_int_equal(f->vector_store, 1);
  assert_int_equal(f->provider, 1);
  assert_int_equal(f->logger, 0);
}

static void test_destroy__all_zero_is_empty(void **state) {
  (void)state;
  aio__plugins p;
  memset(&p, 0, sizeof p);
  aio__plugins_destroy(&p);
  assert_null(aio__plugins_provider(&p, AIO__LIT("x")));
}

static aiorch_status register_all(aio__plugins *p, int destroyed[4]) {
  aiorch_embedder_vtbl e = embedder();
  aiorch_vector_store_vtbl s = vector_store();
  aiorch_provider_vtbl v = provider();
  aiorch_logger_vtbl l = logger();
  e.flags = s.flags = v.flags = AIORCH_PLUGIN_SERIAL;
  aiorch_status status = aio__plugins_set_embedder(p, &e, &destroyed[0], NULL);
  if (status == AIORCH_OK) status = aio__plugins_set_vector_store(p, &s, &destroyed[1], NULL);
  if (status == AIORCH_OK) status = aio__plugins_set_logger(p, &l, &destroyed[2], NULL);
  if (status == AIORCH_OK) status = aio__plugins_add_provider(p, "a", &v, &destroyed[3], NULL);
  return status;
}

static void test_registration__out_of_memory_takes_nothing_over(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__plugins p;
    int destroyed[4] = {0, 0, 0, 0};
    aio__test_alloc_next(&t);
    aio__plugins_init(&p, &t.al);
    aiorch_status status = register_all(&p, destroyed);
    assert_int_equal(status, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    bool had[4] = {p.has_embedder, p.has_vector_store, p.has_logger, p.provider_count == 1};
    for (int i = 0; i < 4; i++) assert_int_equal(destroyed[i], 0);
    aio__plugins_destroy(&p);
    for (int i = 0; i < 4; i++) assert_int_equal(destroyed[i], had[i] ? 1 : 0);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      CASE(test_set_embedder__is_copied),
      CASE(test_set_embedder__required_parts),
      CASE(test_set_embedder__fingerprint_up_to_255_bytes),
      CASE(test_set__replacing_destroys_the_old_one_once),
      CASE(test_set_vector_store__required_slots),
      CASE(test_set_logger__required_slot_and_size_of_the_copy),
      CASE(test_import__struct_size),
      CASE(test_import__a_struct_that_is_too_small_of_each_kind),
      CASE(test_import__unknown_flags),
      CASE(test_add_provider__names),
      CASE(test_add_provider__required_parts),
      CASE(test_add_provider__at_most_64),
      CASE(test_move__hands_all_over_but_the_logger),
      cmocka_unit_test(test_destroy__all_zero_is_empty),
      cmocka_unit_test(test_registration__out_of_memory_takes_nothing_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
