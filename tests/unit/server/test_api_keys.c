/* examples/server/api_keys.c, and keys_sqlite.c below it. label: threads */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api_keys.h"
#include "key_text.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static char *path_of(const char *name) {
  const char *folder = getenv("AIORCH_TEST_TMP");
  cli_bytes path = {0};
  cli_addf(&path, "%s/%s-%d/server.db", folder ? folder : "/tmp", name, (int)getpid());
  return path.data;
}

static uint64_t no_wait = API_KEYS_NO_WAIT;
static int looked = -1; /* an eventfd */

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
  api_key_verdict verdict = api_keys_find(keys, m->text, KEY_TEXT_LEN, 5000, &no_wait, &owner);
  for (int i = 0; verdict != expected && i < 3000; i++) {
    usleep(10000);
    verdict = api_keys_find(keys, m->text, KEY_TEXT_LEN, 5000, &no_wait, &owner);
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
  api_keys *keys = api_keys_open(keys_sqlite_new(path), looked, &why);
  assert_non_null(keys);
  assert_int_equal(api_keys_count(keys), 2);
  assert_int_equal(api_keys_find(keys, a.text, KEY_TEXT_LEN, 5000, &no_wait, &owner), API_KEY_GOOD);
  assert_string_equal(owner.tenant, "acme");
  assert_string_equal(owner.user, "web");
  assert_string_equal(owner.id, a.id);
  assert_int_equal(api_keys_find(keys, b.text, KEY_TEXT_LEN, 5999, &no_wait, &owner), API_KEY_GOOD);
  assert_string_equal(owner.tenant, "globex");
  assert_int_equal(api_keys_find(keys, b.text, KEY_TEXT_LEN, 6000, &no_wait, &owner), API_KEY_EXPIRED);
  a.text[KEY_TEXT_LEN - 1] = a.text[KEY_TEXT_LEN - 1] == 'a' ? 'b' : 'a';
  assert_int_equal(api_keys_find(keys, a.text, KEY_TEXT_LEN, 5000, &no_wait, &owner), API_KEY_UNKNOWN);
  assert_int_equal(api_keys_find(keys, a.text, KEY_TEXT_LEN - 1, 5000, &no_wait, &owner), API_KEY_UNKNOWN);
  api_keys_close(keys);
  store->close(store);
  free(path);
}

static void test_api_keys_find__what_another_process_changes(void **state) {
  char *path = path_of("changes");
  cli_bytes why = {0};
  (void)state;
  api_keys *keys = api_keys_open(keys_sqlite_new(path), looked, &why); /* nothing is there yet */
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

/* As the loop waits for its descriptor. */
static void wait_for_look(void) {
  struct pollfd fd = {.fd = looked, .events = POLLIN};
  uint64_t looks;
  assert_int_equal(poll(&fd, 1, 60000), 1);
  assert_int_equal(read(fd.fd, &looks, sizeof looks), sizeof looks);
}

/* What api_keys_find says in the end to one who waits for it. */
static api_key_verdict ask(api_keys *keys, const char *text) {
  api_key_owner owner;
  uint64_t ticket = 0;
  api_key_verdict verdict;
  while ((verdict = api_keys_find(keys, text, KEY_TEXT_LEN, 5000, &ticket, &owner)) == API_KEY_ASKED) wait_for_look();
  return verdict;
}

static void test_api_keys_find__a_key_is_good_once_it_is_made(void **state) {
  char *path = path_of("at-once");
  cli_bytes why = {0};
  key_store *store = keys_sqlite_new(path);
  char text[KEY_TEXT_LEN + 1], id[KEY_ID_LEN + 1];
  (void)state;
  api_keys *keys = api_keys_open(keys_sqlite_new(path), looked, &why);
  assert_non_null(keys);
  for (int i = 0; i < 20; i++) {
    made m = add(store, "acme", "web", 0);
    assert_int_equal(ask(keys, m.text), API_KEY_GOOD); /* no look but one that began after it was made */
    assert_true(key_text_make(text, id));
    assert_int_equal(ask(keys, text), API_KEY_UNKNOWN);
  }
  api_keys_close(keys);
  store->close(store);
  free(path);
}

typedef struct counting_store {
  key_store base;
  int looks; /* of the thread of the keys */
  bool fails;
} counting_store;

static key_status count_look(key_store *store, int64_t *out, cli_bytes *why) {
  counting_store *c = (counting_store *)store;
  __atomic_add_fetch(&c->looks, 1, __ATOMIC_SEQ_CST);
  *out = 1;
  if (__atomic_load_n(&c->fails, __ATOMIC_SEQ_CST)) cli_addz(why, "away");
  return __atomic_load_n(&c->fails, __ATOMIC_SEQ_CST) ? KEY_FAILED : KEY_OK;
}

static key_status list_nothing(key_store *store, server_keys *out, cli_bytes *why) {
  (void)store, (void)out, (void)why;
  return KEY_OK;
}

static void keep_open(key_store *store) { (void)store; }

static void test_api_keys_find__guessers_share_few_looks(void **state) {
  counting_store store = {.base = {.list = list_nothing, .version = count_look, .close = keep_open}};
  cli_bytes why = {0};
  char text[KEY_TEXT_LEN + 1], id[KEY_ID_LEN + 1];
  (void)state;
  int64_t begun = cli_mono_ms();
  api_keys *keys = api_keys_open(&store.base, looked, &why);
  assert_non_null(keys);
  for (int i = 0; i < 10; i++) {
    uint64_t tickets[100] = {0};
    api_key_owner owner;
    assert_true(key_text_make(text, id));
    for (int j = 0; j < 100; j++) assert_int_equal(api_keys_find(keys, text, KEY_TEXT_LEN, 5000, &tickets[j], &owner), API_KEY_ASKED);
    for (int j = 0; j < 100; j++) {
      while (api_keys_find(keys, text, KEY_TEXT_LEN, 5000, &tickets[j], &owner) == API_KEY_ASKED) wait_for_look();
    }
  }
  int looks = __atomic_load_n(&store.looks, __ATOMIC_SEQ_CST);
  assert_true(looks >= 11);
  assert_true(looks <= 2 + (cli_mono_ms() - begun) / API_KEYS_ASK_MS);
  __atomic_store_n(&store.fails, true, __ATOMIC_SEQ_CST);
  assert_int_equal(ask(keys, text), API_KEY_UNAVAILABLE); /* nobody could look */
  text[KEY_TEXT_LEN - 1] = text[KEY_TEXT_LEN - 1] == 'a' ? 'b' : 'a';
  assert_int_equal(ask(keys, text), API_KEY_UNKNOWN); /* no key at all: nobody looks */
  api_keys_close(keys);
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
  assert_null(api_keys_open(keys_sqlite_new("/proc/version"), looked, &why));
  assert_non_null(strstr(cli_z(&why), "/proc/version"));
  cli_release(&why);
}

int main(void) {
  looked = eventfd(0, EFD_CLOEXEC);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_api_keys_find__whose_key),
      cmocka_unit_test(test_api_keys_find__what_another_process_changes),
      cmocka_unit_test(test_api_keys_find__a_key_is_good_once_it_is_made),
      cmocka_unit_test(test_api_keys_find__guessers_share_few_looks),
      cmocka_unit_test(test_keys_sqlite__list_and_revoke_twice),
      cmocka_unit_test(test_api_keys_open__a_place_that_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
