/* lib/core/provider_settings.c, and the keys "providers.NAME.KEY" through all that options*.c does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <stdlib.h>

#include "core/options_private.h"
#include "support/test_alloc.h"

typedef struct held {
  aio__test_alloc alloc;
  aio__options options;
  aiorch_error error;
} held;

static void open_held(held *h) {
  aio__test_alloc_init(&h->alloc);
  aio__error_init(&h->error);
  assert_int_equal(aio__options_init(&h->options, &h->alloc.al), AIORCH_OK);
}

static void close_held(held *h) {
  aio__options_free(&h->options);
  aio__options_free(&h->options);
  assert_int_equal(h->alloc.live, 0);
}

static aiorch_status set(held *h, const char *key, const char *value) {
  return aio__options_set_text(&h->options, aio__str_z(key), aio__str_z(value), false, &h->error);
}

static const char *get(held *h, const char *key) {
  static char out[512];
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), sizeof out - 1);
  if (aio__options_get(&h->options, aio__str_z(key), &buf, &h->error)) fail_msg("%s", h->error.message);
  memcpy(out, aio__buf_cstr(&buf), buf.n + 1);
  aio__buf_free(&buf);
  return out;
}

static void test_set__each_type_makes_the_provider(void **state) {
  (void)state;
  held h;
  open_held(&h);
  assert_int_equal(set(&h, "providers.openai.model", "m"), AIORCH_OK);
  assert_int_equal(aio__options_set_i64(&h.options, AIO__LIT("providers.my-own_2.idle_ms"), 7, false, &h.error), AIORCH_OK);
  assert_int_equal(aio__options_set_bool(&h.options, AIO__LIT("providers.openai.stream"), false, false, &h.error), AIORCH_OK);
  assert_int_equal(h.options.providers.count, 2);
  const aio__provider_settings *openai = h.options.providers.items[0], *own = h.options.providers.items[1];
  assert_string_equal(openai->name, "openai");
  assert_string_equal(openai->model, "m");
  assert_int_equal(openai->stream, 0);
  assert_int_equal(openai->idle_ms, 20000);
  assert_string_equal(own->name, "my-own_2");
  assert_int_equal(own->idle_ms, 7);
  assert_string_equal(own->unsupported, "drop");
  assert_string_equal(get(&h, "providers"), "openai,my-own_2");
  assert_string_equal(get(&h, "providers.my-own_2.idle_ms"), "7");
  assert_string_equal(get(&h, "providers.openai.stream"), "false");
  assert_string_equal(get(&h, "providers.NAME.idle_ms"), "20000");
  assert_string_equal(get(&h, "providers.NAME.stream"), "true");
  assert_string_equal(get(&h, "providers.NAME.unsupported"), "drop");
  assert_int_equal(aio__options_type(AIO__LIT("providers.x.stream")), AIORCH_TYPE_BOOL);
  assert_int_equal(aio__options_type(AIO__LIT("providers.x")), 0);
  assert_int_equal(aio__options_type(AIO__LIT("providers")), 0);
  close_held(&h);
}

static void test_get__a_secret_is_never_given_back(void **state) {
  (void)state;
  held h;
  open_held(&h);
  assert_int_equal(setenv("AIO_TEST_SECRET", "from-the-environment", 1), 0);
  assert_int_equal(set(&h, "providers.openai.model", "m"), AIORCH_OK);
  assert_string_equal(get(&h, "providers.openai.key"), "");
  assert_int_equal(set(&h, "providers.openai.key", "${AIO_TEST_SECRET} *2"), AIORCH_OK);
  assert_int_equal(set(&h, "providers.openai.headers", "{}"), AIORCH_OK);
  assert_int_equal(set(&h, "embedder.key", "x"), AIORCH_OK);
  assert_string_equal(h.options.providers.items[0]->key, "from-the-environment *2");
  assert_string_equal(get(&h, "providers.openai.key"), "(set)");
  assert_string_equal(get(&h, "providers.openai.headers"), "(set)");
  assert_string_equal(get(&h, "embedder.key"), "(set)");
  assert_string_equal(get(&h, "providers.openai.model"), "m");
  unsetenv("AIO_TEST_SECRET");
  close_held(&h);
}

static void test_set__what_is_refused_changes_nothing(void **state) {
  (void)state;
  static const struct {
    const char *key, *value;
    aiorch_status status;
    const char *message;
  } rows[] = {
      {"providers.openai.modle", "x", AIORCH_E_CONFIG_KEY, "the nearest is \"providers.openai.model\""},
      {"providers.openai.base-url", "x", AIORCH_E_CONFIG_KEY, "the nearest is \"providers.openai.base_url\""},
      {"provider.openai.key", "x", AIORCH_E_CONFIG_KEY, "the nearest is \"providers.openai.key\""},
      {"providers.OpenAI.key", "x", AIORCH_E_CONFIG_KEY, "a name of 1 to 63"},
      {"providers.extractive.key", "x", AIORCH_E_CONFIG_KEY, "that is not \"extractive\""},
      {"providers..key", "x", AIORCH_E_CONFIG_KEY, "a name of 1 to 63"},
      {"providers.NAME.key", "x", AIORCH_E_CONFIG_KEY, "a name of 1 to 63"},
      {"providers.openai", "x", AIORCH_E_CONFIG_KEY, "is a provider, not a setting"},
      {"providers.openai.key.more", "x", AIORCH_E_CONFIG_KEY, "the nearest is \"providers.openai.key\""},
      {"providers", "x", AIORCH_E_CONFIG_KEY, "there is no setting"},
      {"providers.openai.api", "soap", AIORCH_E_CONFIG_RANGE, "\"providers.openai.api\" takes one of"},
      {"providers.openai.unsupported", "", AIORCH_E_CONFIG_RANGE, "\"providers.openai.unsupported\""},
      {"providers.openai.idle_ms", "0", AIORCH_E_CONFIG_RANGE, "\"providers.openai.idle_ms\" takes 1 to 3600000, not 0"},
      {"providers.openai.idle_ms", "soon", AIORCH_E_CONFIG_TYPE, "\"providers.openai.idle_ms\" takes a whole number"},
      {"providers.openai.stream", "maybe", AIORCH_E_CONFIG_TYPE, "\"providers.openai.stream\" takes true or false"},
      {"providers.openai.key", "${AIO_NOT_THERE}", AIORCH_E_CONFIG_ENV, "\"providers.openai.key\" names ${AIO_NOT_THERE}"},
  };
  held h;
  open_held(&h);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(set(&h, rows[i].key, rows[i].value), rows[i].status);
    if (!strstr(h.error.message, rows[i].message)) fail_msg("row %zu: %s", i, h.error.message);
    assert_int_equal(h.options.providers.count, 0);
  }
  assert_int_equal(aio__options_set_i64(&h.options, AIO__LIT("providers.openai.key"), 1, false, &h.error), AIORCH_E_CONFIG_TYPE);
  assert_int_equal(aio__options_set_f64(&h.options, AIO__LIT("providers.openai.idle_ms"), 1, false, &h.error), AIORCH_E_CONFIG_TYPE);
  assert_int_equal(aio__options_set_text(&h.options, AIO__LIT("providers.openai.key"), AIO__LIT("k"), true, &h.error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(h.error.message, "cannot be set for one run"));
  aio__buf out;
  aio__buf_init(&out, &h.alloc.al, 100);
  assert_int_equal(aio__options_get(&h.options, AIO__LIT("providers.openai.key"), &out, &h.error), AIORCH_E_CONFIG_KEY);
  assert_non_null(strstr(h.error.message, "nothing is set of a provider \"openai\""));
  assert_int_equal(aio__options_get(&h.options, AIO__LIT("providers.NAME.nope"), &out, &h.error), AIORCH_E_CONFIG_KEY);
  aio__buf_free(&out);
  close_held(&h);
}

static void test_set__a_name_of_63_and_not_of_64(void **state) {
  (void)state;
  char key[128] = "providers.";
  held h;
  open_held(&h);
  memset(key + 10, 'a', 63);
  memcpy(key + 73, ".first_token_ms", 16);
  assert_int_equal(set(&h, key, "5"), AIORCH_OK);
  assert_string_equal(get(&h, key), "5");
  memset(key + 10, 'a', 64);
  memcpy(key + 74, ".key", 5);
  assert_int_equal(set(&h, key, "k"), AIORCH_E_CONFIG_KEY);
  close_held(&h);
}

static void test_set__at_most_64_providers(void **state) {
  (void)state;
  held h;
  open_held(&h);
  for (int i = 0; i <= AIO__PROVIDER_SETTINGS_MAX; i++) {
    char key[] = "providers.p00.key";
    key[11] = (char)('0' + i / 10);
    key[12] = (char)('0' + i % 10);
    assert_int_equal(set(&h, key, "k"), i < AIO__PROVIDER_SETTINGS_MAX ? AIORCH_OK : AIORCH_E_TOO_LARGE);
  }
  assert_int_equal(h.options.providers.count, AIO__PROVIDER_SETTINGS_MAX);
  close_held(&h);
}

static void test_copy__is_deep(void **state) {
  (void)state;
  held h;
  aio__options copy;
  open_held(&h);
  assert_int_equal(set(&h, "providers.a.key", "one"), AIORCH_OK);
  assert_int_equal(set(&h, "providers.b.idle_ms", "9"), AIORCH_OK);
  assert_int_equal(aio__options_copy(&copy, &h.options), AIORCH_OK);
  assert_int_equal(set(&h, "providers.a.key", "two"), AIORCH_OK);
  assert_int_equal(copy.providers.count, 2);
  assert_string_equal(copy.providers.items[0]->key, "one");
  assert_int_equal(copy.providers.items[1]->idle_ms, 9);
  assert_int_equal(aio__options_set_text(&copy, AIO__LIT("providers.c.key"), AIO__LIT("k"), false, NULL), AIORCH_OK);
  assert_int_equal(h.options.providers.count, 2);
  aio__options_free(&copy);
  close_held(&h);
}

static aiorch_status make_and_copy(const aio__alloc *al) {
  aio__options options, copy;
  aiorch_status st = aio__options_init(&options, al);
  if (st) return st;
  for (int i = 0; i < 6 && st == AIORCH_OK; i++) {
    char key[] = "providers.p0.key";
    key[11] = (char)('0' + i);
    st = aio__options_set_text(&options, aio__str_z(key), AIO__LIT("secret"), false, NULL);
    if (st) assert_int_equal(options.providers.count, i); /* a provider of which nothing was set is not there */
  }
  if (st == AIORCH_OK) {
    st = aio__options_copy(&copy, &options);
    if (st == AIORCH_OK) aio__options_free(&copy);
  }
  aio__options_free(&options);
  return st;
}

static void test_set_and_copy__out_of_memory_leaks_nothing(void **state) {
  (void)state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  do {
    aio__test_alloc_next(&t);
    aiorch_status st = make_and_copy(&t.al);
    assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
    assert_int_equal(t.live, 0);
  } while (t.failed > 0);
}

static void test_table__every_default_is_allowed_and_described(void **state) {
  (void)state;
  held h;
  const aio__option *option;
  size_t count = 0, own = 0;
  open_held(&h);
  while (aio__option_at(own) != NULL) own++;
  for (; (option = aio__provider_option_at(count)) != NULL; count++) {
    char key[128] = "providers.x.", described[128];
    aio__buf value, json;
    aio__json_writer w;
    strcat(key, option->key);
    aio__buf_init(&value, aio__alloc_default(), 4096);
    aio__buf_init(&json, aio__alloc_default(), 1 << 16);
    (void)memcpy(described, "providers.NAME.", 16);
    strcat(described, option->key);
    assert_int_equal(aio__options_get(&h.options, aio__str_z(described), &value, NULL), AIORCH_OK);
    assert_int_equal(aio__options_set_plain(&h.options, aio__str_z(key), aio__buf_view(&value), &h.error), AIORCH_OK);
    aio__jw_init(&w, &json);
    aio__options_describe(own + count, &w);
    assert_non_null(strstr(aio__buf_cstr(&json), described));
    assert_int_equal(strstr(aio__buf_cstr(&json), "\"secret\":true") != NULL, option->secret);
    assert_true(strlen(option->help) > 5);
    aio__buf_free(&value);
    aio__buf_free(&json);
  }
  assert_int_equal(aio__options_described(), own + count);
  close_held(&h);
}

static void test_has_section__and_empty_ones(void **state) {
  (void)state;
  held h;
  open_held(&h);
  assert_true(aio__options_has_section(AIO__LIT("providers")));
  assert_true(aio__options_is_provider(AIO__LIT("providers.ollama")));
  assert_false(aio__options_is_provider(AIO__LIT("providers.ollama.key")));
  assert_false(aio__options_is_provider(AIO__LIT("providers")));
  assert_false(aio__options_is_provider(AIO__LIT("cache")));
  assert_int_equal(aio__options_add_provider(&h.options, AIO__LIT("providers.ollama"), &h.error), AIORCH_OK);
  assert_string_equal(get(&h, "providers"), "ollama");
  assert_int_equal(aio__options_add_provider(&h.options, AIO__LIT("providers.NO"), &h.error), AIORCH_E_CONFIG_KEY);
  close_held(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_set__each_type_makes_the_provider),
      cmocka_unit_test(test_get__a_secret_is_never_given_back),
      cmocka_unit_test(test_set__what_is_refused_changes_nothing),
      cmocka_unit_test(test_set__a_name_of_63_and_not_of_64),
      cmocka_unit_test(test_set__at_most_64_providers),
      cmocka_unit_test(test_copy__is_deep),
      cmocka_unit_test(test_set_and_copy__out_of_memory_leaks_nothing),
      cmocka_unit_test(test_table__every_default_is_allowed_and_described),
      cmocka_unit_test(test_has_section__and_empty_ones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
