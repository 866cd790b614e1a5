/* examples/server/api_keys.c, and keys_sqlite.c below it. label: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api_keys.h"
#include "key_text.h"

#include <stdlib.h>
#include <unistd.h>

static char *path_of(const char *name) {
  const char *folder = getenv("AIORCH_TEST_TMP");
  cli_bytes path = {0};
  cli_addf(&path, "%s/%s-%d/server.db", folder ? folder : "/tmp", name, (int)getpid());
  return path.data;
}

typedef struct made {
  char text[KEY_TEXT_LEN + 1], id[KEY_ID_LEN + 1];
} made;

static made add(key_store *store, const char *tenant, const char *user, int64_t expires_ms) {
  made m;
  cli_bytes why = {0};
  char tenant_copy[64], user_copy[64], name[] = "for a test";
  assert_true(key_text_make(m.text, m.id));
  snprintf(tenant_copy, sizeof tenant_copy, "%s", tenant);
  snprintf(user_copy, sizeof user_copy, "%s", user);
  server_key key = {.id = m.id, .tenant = tenant_copy, .user = user_copy, .name = name, .last4 = m.text + KEY_TEXT_LEN - KEY_LAST_LEN,
                    .created_ms = 1000, .expires_ms = expires_ms};
  assert_true(crypto_sha256(m.text, KEY_TEXT_LEN, key.hash));
  assert_int_equal(store->add(store, &key, &why), KEY_OK);
  cli_release(&why);
  return m;
}

/* Waits until the thread has seen what another process did: however long it takes, the answer must come. */
static api_key_verdict find_until(api_keys *keys, const made *m, api_key_verdict expected) {
  api_key_owner owner;
  api_key_verdict verdict = api_keys_find(keys, m->text, KEY_TEXT_LEN, 5000, &owner);
  for (int i = 0; verdict != expected && i < 3000; i++) {
    usleep(10000);
    verdict = api_keys_find(keys, m->text, KEY_TEXT_LEN, 5000, &owner);
  }
  return verdict;
}

static void test_api_keys_find__whose_key(void **state) {
  char *path = path_of("whose");
  cli_bytes why = {0};
  key_store *store = keys_sqlite_new(path);
  made a = add(store, "acme", "web", 0), b = add(store, "globex", "cron", 6000);
  api_key_owner owner;
  (void)state;
  api_keys *keys = api_keys_open(keys_sqlite_new(path), &why);
  assert_non_null(keys);
  assert_int_equal(api_keys_count(keys), 2);
  assert_int_equal(api_keys_find(keys, a.text, KEY_TEXT_LEN, 5000, &owner), API_KEY_GOOD);
  assert_string_equal(owner.tenant, "acme");
  assert_string_equal(owner.user, "web");
  assert_string_equal(owner.id, a.id);
  assert_int_equal(api_keys_find(keys, b.text, KEY_TEXT_LEN, 5999, &owner), API_KEY_GOOD);
  assert_string_equal(owner.tenant, "globex");
  assert_int_equal(api_keys_find(keys, b.text, KEY_TEXT_LEN, 6000, &owner), API_KEY_EXPIRED);
  a.text[KEY_TEXT_LEN - 1] = a.text[KEY_TEXT_LEN - 1] == 'a' ? 'b' : 'a';
  assert_int_equal(api_keys_find(keys, a.text, KEY_TEXT_LEN, 5000, &owner), API_KEY_UNKNOWN);
  assert_int_equal(api_keys_find(keys, a.text, KEY_TEXT_LEN - 1, 5000, &owner), API_KEY_UNKNOWN);
  api_keys_close(keys);
  store->close(store);
  free(path);
}

static void test_api_keys_find__what_another_process_changes(void **state) {
  char *path = path_of("changes");
  cli_bytes why = {0};
  (void)state;
  api_keys *keys = api_keys_open(keys_sqlite_new(path), &why); /* nothing is there yet */
  assert_non_null(keys);
  assert_int_equal(api_keys_count(keys), 0);
  key_store *store = keys_sqlite_new(path);
  made a = add(store, "acme", "web", 0);
  assert_int_equal(find_until(keys, &a, API_KEY_GOOD), API_KEY_GOOD);
  assert_int_equal(store->revoke(store, "key_none", 2000, &why), KEY_NOT_FOUND);
  assert_int_equal(store->revoke(store, a.id, 2000, &why), KEY_OK);
  assert_int_equal(find_until(keys, &a, API_KEY_REVOKED), API_KEY_REVOKED);
  store->close(store);
  unlink(path); /* another file in its place */
  store = keys_sqlite_new(path);
  made b = add(store, "acme", "web", 0);
  assert_int_equal(find_until(keys, &b, API_KEY_GOOD), API_KEY_GOOD);
  assert_int_equal(find_until(keys, &a, API_KEY_UNKNOWN), API_KEY_UNKNOWN);
  store->close(store);
  api_keys_close(keys);
  free(path);
}

static void test_keys_sqlite__list_and_revoke_twice(void **state) {
  char *path = path_of("list");
  cli_bytes why = {0};
  server_keys all = {0};
  key_store *store = keys_sqlite_new(path);
  (void)state;
  assert_int_equal(store->list(store, &all, &why), KEY_OK); /* there is no file */
  assert_int_equal(all.count, 0);
  assert_int_not_equal(access(path, F_OK), 0);
  made a = add(store, "acme", "web", 0);
  assert_int_equal(store->revoke(store, a.id, 2000, &why), KEY_OK);
  assert_int_equal(store->revoke(store, a.id, 3000, &why), KEY_OK);
  assert_int_equal(store->list(store, &all, &why), KEY_OK);
  assert_int_equal(all.count, 1);
  assert_int_equal(all.items[0].revoked_ms, 2000);
  assert_string_equal(all.items[0].last4, a.text + KEY_TEXT_LEN - KEY_LAST_LEN);
  server_keys_free(&all);
  store->close(store);
  free(path);
}

static void test_api_keys_open__a_place_that_is_none(void **state) {
  cli_bytes why = {0};
  (void)state;
  assert_null(api_keys_open(keys_sqlite_new("/proc/version"), &why));
  assert_non_null(strstr(cli_z(&why), "/proc/version"));
  cli_release(&why);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_api_keys_find__whose_key),
      cmocka_unit_test(test_api_keys_find__what_another_process_changes),
      cmocka_unit_test(test_keys_sqlite__list_and_revoke_twice),
      cmocka_unit_test(test_api_keys_open__a_place_that_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
