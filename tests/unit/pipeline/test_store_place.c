/* Where the store goes when nobody says, and files that settings name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pipeline/store_place.h"
#include "support/test_alloc.h"

typedef struct place {
  char root[3000], saved_data[4096], saved_home[4096];
  bool had_data, had_home;
} place;

static bool save(const char *name, char out[4096]) {
  const char *value = getenv(name);
  (void)snprintf(out, 4096, "%s", value ? value : "");
  return value != NULL;
}

static void restore(const char *name, const char *value, bool had) {
  if (had) assert_int_equal(setenv(name, value, 1), 0);
  else assert_int_equal(unsetenv(name), 0);
}

static int set_up(void **state) {
  place *p = calloc(1, sizeof *p);
  if (!p) return -1;
  const char *tmp = getenv("AIORCH_TEST_TMP");
  (void)snprintf(p->root, sizeof p->root, "%s/place-XXXXXX", tmp ? tmp : ".");
  if (!mkdtemp(p->root)) return -1;
  p->had_data = save("XDG_DATA_HOME", p->saved_data);
  p->had_home = save("HOME", p->saved_home);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  place *p = *state;
  restore("XDG_DATA_HOME", p->saved_data, p->had_data);
  restore("HOME", p->saved_home, p->had_home);
  (void)rmdir(p->root);
  free(p);
  return 0;
}

static aiorch_status ask(const char *setting, size_t most, char out[4096], aiorch_error *error) {
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), most);
  aio__error_init(error);
  aiorch_status st = aio__store_place(setting, &buf, error);
  (void)snprintf(out, 4096, "%s", aio__buf_cstr(&buf));
  aio__buf_free(&buf);
  return st;
}

static aiorch_status ask_spool(const char *setting, char out[4096], aiorch_error *error) {
  aio__buf buf;
  aio__buf_init(&buf, aio__alloc_default(), AIO__STORE_PLACE_MAX);
  aio__error_init(error);
  aiorch_status st = aio__spool_place(setting, &buf, error);
  (void)snprintf(out, 4096, "%s", aio__buf_cstr(&buf));
  aio__buf_free(&buf);
  return st;
}

static bool is_folder(const char *path) {
  struct stat s;
  return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

static void test_spool_place__beside_the_store(void **state) {
  place *p = *state;
  char out[4096], wanted[4096];
  aiorch_error error;
  assert_int_equal(setenv("XDG_DATA_HOME", p->root, 1), 0);
  (void)snprintf(wanted, sizeof wanted, "%s/aiorch-spool", p->root);
  assert_int_equal(ask_spool("", out, &error), AIORCH_OK);
  assert_string_equal(out, wanted);
  assert_int_equal(ask_spool("/elsewhere", out, &error), AIORCH_OK);
  assert_string_equal(out, "/elsewhere");
  assert_int_equal(unsetenv("XDG_DATA_HOME"), 0);
  assert_int_equal(unsetenv("HOME"), 0);
  assert_int_equal(ask_spool("", out, &error), AIORCH_E_CONFIG);
  assert_non_null(strstr(error.message, "spool.path"));
}

static void test_place__what_is_set_is_taken_as_it_is(void **state) {
  place *p = *state;
  char out[4096], wanted[4096];
  aiorch_error error;
  (void)snprintf(wanted, sizeof wanted, "%s/not/there", p->root);
  assert_int_equal(ask(wanted, AIO__STORE_PLACE_MAX, out, &error), AIORCH_OK);
  assert_string_equal(out, wanted);
  assert_int_equal(ask("relative", AIO__STORE_PLACE_MAX, out, &error), AIORCH_OK);
  assert_string_equal(out, "relative");
  (void)snprintf(wanted, sizeof wanted, "%s/not", p->root);
  assert_false(is_folder(wanted));
  assert_int_equal(ask("123456789", 8, out, &error), AIORCH_E_CONFIG_RANGE);
  assert_non_null(strstr(error.message, "store: the path is too long"));
}

static void test_place__xdg_before_home_and_parents_are_made(void **state) {
  place *p = *state;
  char out[4096], data[3500], wanted[4096];
  aiorch_error error;
  (void)snprintf(data, sizeof data, "%s/a/b", p->root);
  assert_int_equal(setenv("XDG_DATA_HOME", data, 1), 0);
  assert_int_equal(setenv("HOME", "/nonexistent", 1), 0);
  for (int i = 0; i < 2; i++) { /* the second time they are there already */
    assert_int_equal(ask("", AIO__STORE_PLACE_MAX, out, &error), AIORCH_OK);
    (void)snprintf(wanted, sizeof wanted, "%s/aiorch", data);
    assert_string_equal(out, wanted);
    assert_true(is_folder(data));
    assert_false(is_folder(wanted)); /* the store's own is the store's to make */
  }
  struct stat s;
  assert_int_equal(stat(data, &s), 0);
  assert_int_equal(s.st_mode & 0777, 0700);
  assert_int_equal(rmdir(data), 0);
  (void)snprintf(data, sizeof data, "%s/a", p->root);
  assert_int_equal(rmdir(data), 0);
}

static void test_place__home_without_xdg(void **state) {
  place *p = *state;
  char out[4096], wanted[4096];
  aiorch_error error;
  static const char *const no_data[] = {NULL, "", "relative/share"};
  for (size_t i = 0; i < sizeof no_data / sizeof *no_data; i++) {
    restore("XDG_DATA_HOME", no_data[i] ? no_data[i] : "", no_data[i] != NULL);
    assert_int_equal(setenv("HOME", p->root, 1), 0);
    assert_int_equal(ask("", AIO__STORE_PLACE_MAX, out, &error), AIORCH_OK);
    (void)snprintf(wanted, sizeof wanted, "%s/.local/share/aiorch", p->root);
    assert_string_equal(out, wanted);
  }
  (void)snprintf(wanted, sizeof wanted, "%s/.local/share", p->root);
  assert_true(is_folder(wanted));
  assert_int_equal(rmdir(wanted), 0);
  (void)snprintf(wanted, sizeof wanted, "%s/.local", p->root);
  assert_int_equal(rmdir(wanted), 0);
}

static void test_place__nobody_says(void **state) {
  (void)state;
  char out[4096];
  aiorch_error error;
  static const char *const homes[] = {NULL, "", "relative"};
  assert_int_equal(unsetenv("XDG_DATA_HOME"), 0);
  for (size_t i = 0; i < sizeof homes / sizeof *homes; i++) {
    restore("HOME", homes[i] ? homes[i] : "", homes[i] != NULL);
    assert_int_equal(ask("", AIO__STORE_PLACE_MAX, out, &error), AIORCH_E_CONFIG);
    assert_non_null(strstr(error.message, "neither XDG_DATA_HOME nor HOME"));
  }
}

static void test_place__a_default_that_is_too_long(void **state) {
  place *p = *state;
  char out[4096];
  aiorch_error error;
  assert_int_equal(setenv("XDG_DATA_HOME", p->root, 1), 0);
  assert_int_equal(ask("", strlen(p->root) + 3, out, &error), AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(error.message, "default path is too long"));
}

static void test_place__a_file_in_the_way_is_told(void **state) {
  place *p = *state;
  char out[4096], file[3500], data[3600];
  aiorch_error error;
  (void)snprintf(file, sizeof file, "%s/file", p->root);
  FILE *f = fopen(file, "w");
  assert_non_null(f);
  assert_int_equal(fclose(f), 0);
  (void)snprintf(data, sizeof data, "%s/below", file);
  assert_int_equal(setenv("XDG_DATA_HOME", data, 1), 0);
  assert_int_equal(ask("", AIO__STORE_PLACE_MAX, out, &error), AIORCH_E_STORE);
  assert_non_null(strstr(error.message, data));
  assert_non_null(strstr(error.message, "\"store\" sets another place"));
  assert_int_equal(remove(file), 0);
}

static void test_place__out_of_memory(void **state) {
  place *p = *state;
  aio__test_alloc t;
  aio__test_alloc_init(&t);
  assert_int_equal(setenv("XDG_DATA_HOME", p->root, 1), 0);
  static const char *const settings[] = {"somewhere", ""};
  for (size_t i = 0; i < 2; i++) {
    t.fail_at = 0;
    aiorch_status st;
    do {
      aio__test_alloc_next(&t);
      aio__buf buf;
      aiorch_error error;
      aio__error_init(&error);
      aio__buf_init(&buf, &t.al, AIO__STORE_PLACE_MAX);
      st = aio__store_place(settings[i], &buf, &error);
      aio__buf_free(&buf);
      assert_int_equal(st, t.failed > 0 ? AIORCH_E_NOMEM : AIORCH_OK);
      assert_int_equal(t.live, 0);
    } while (t.failed > 0);
  }
}

/* ---- files ---- */

static aiorch_status read_file(const char *path, size_t most, aio__buf *buf, aiorch_error *error) {
  aio__buf_init(buf, aio__alloc_default(), most);
  aio__error_init(error);
  return aio__read_file(path, buf, "cost.prices_file", error);
}

static void test_read_file__whole_and_beyond_one_read(void **state) {
  place *p = *state;
  char path[3500];
  aio__buf buf;
  aiorch_error error;
  (void)snprintf(path, sizeof path, "%s/data", p->root);
  static char content[40000];
  for (size_t i = 0; i < sizeof content; i++) content[i] = (char)(i % 251);
  static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 40000};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(content, 1, sizes[i], f), sizes[i]);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(read_file(path, 40000, &buf, &error), AIORCH_OK);
    assert_int_equal(buf.n, sizes[i]);
    if (sizes[i] > 0) assert_memory_equal(buf.p, content, sizes[i]);
    aio__buf_free(&buf);
  }
  assert_int_equal(read_file(path, 39999, &buf, &error), AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(error.message, "cost.prices_file"));
  assert_non_null(strstr(error.message, "larger than 39999 bytes"));
  aio__buf_free(&buf);
  assert_int_equal(remove(path), 0);
}

static void test_read_file__what_cannot_be_read(void **state) {
  place *p = *state;
  char path[3500];
  aio__buf buf;
  aiorch_error error;
  (void)snprintf(path, sizeof path, "%s/none", p->root);
  assert_int_equal(read_file(path, 100, &buf, &error), AIORCH_E_NOT_FOUND);
  assert_non_null(strstr(error.message, path));
  aio__buf_free(&buf);
  (void)snprintf(path, sizeof path, "%s/none/below", p->root);
  assert_int_equal(read_file(path, 100, &buf, &error), AIORCH_E_NOT_FOUND);
  aio__buf_free(&buf);
  assert_int_equal(read_file("/dev/null/below", 100, &buf, &error), AIORCH_E_SYSTEM);
  assert_non_null(strstr(error.message, "cannot open /dev/null/below"));
  aio__buf_free(&buf);
  assert_int_equal(read_file(p->root, 100, &buf, &error), AIORCH_E_SYSTEM); /* a folder opens, and cannot be read */
  assert_non_null(strstr(error.message, "cannot read"));
  aio__buf_free(&buf);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_place__what_is_set_is_taken_as_it_is, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_spool_place__beside_the_store, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_place__xdg_before_home_and_parents_are_made, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_place__home_without_xdg, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_place__nobody_says, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_place__a_default_that_is_too_long, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_place__a_file_in_the_way_is_told, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_place__out_of_memory, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_read_file__whole_and_beyond_one_read, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_read_file__what_cannot_be_read, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
