/* lib/embedders/local/int8_file.c: the file of int8 weights is made, taken, doubted and made anew. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "embedders/local/bert_weights.h"
#include "support/tiny_bert.h"
#include "support/virtual_clock.h"

static const char FILE_NAME[] = "model.aiorch-int8";
static char folder[4096], path[4200], part[4300];
static aiorch_error error;
static tiny_bert tiny;
static char events[8192];

/* ---- what is logged ---- */

static void keep_event(void *self, int32_t level, const char *json, size_t len) {
  (void)self, (void)level;
  size_t n = strlen(events);
  if (n + len + 2 < sizeof events) (void)snprintf(events + n, sizeof events - n, "%.*s\n", (int)len, json);
}

static aio__bert *load(void) {
  static virtual_clock clock;
  const aiorch_logger_vtbl vtbl = {.struct_size = sizeof vtbl, .min_level = AIORCH_LOG_DEBUG, .log = keep_event};
  aio__model_config config;
  aio__bert *bert = NULL;
  aio__log *log = NULL;
  events[0] = '\0';
  aio__error_init(&error);
  virtual_clock_init(&clock);
  assert_int_equal(aio__log_new(aio__alloc_default(), &clock.clock, &vtbl, NULL, &log), AIORCH_OK);
  if (aio__model_config_read(aio__alloc_default(), folder, &config, &error) != AIORCH_OK ||
      aio__bert_load(aio__alloc_default(), folder, &config, AIO__LOCAL_INT8, log, &bert, &error) != AIORCH_OK)
    fail_msg("%s", error.message);
  aio__log_free(log);
  return bert;
}

static bool was_made(void) {
  return strstr(events, "local_model_made") != NULL;
}

static ino_t inode(void) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  return st.st_ino;
}

static int setup(void **state) {
  (void)state;
  tiny_bert_init(&tiny, 5, "F32", 1, 64, 4, 96);
  tiny_bert_write(&tiny, folder);
  (void)unlink(path);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  tiny_bert_free(&tiny);
  return 0;
}

static void same(aio__bert *a, aio__bert *b) {
  assert_int_equal(a->bytes, b->bytes);
  assert_memory_equal(a->digest, b->digest, sizeof a->digest);
  assert_memory_equal(a->words, b->words, TINY_WORDS * 64);
  assert_memory_equal(a->layers[0].narrow.panels, b->layers[0].narrow.panels, 96 * 64);
  assert_memory_equal(a->layers[0].narrow.scale, b->layers[0].narrow.scale, 64 * sizeof(float));
  aio__bert_free(b);
}

/* ---- tests ---- */

static void test_read__made_once_then_taken(void **state) {
  (void)state;
  aio__bert *first = load();
  assert_true(was_made());
  assert_non_null(strstr(events, "\"kept\":true"));
  ino_t was = inode();
  same(first, load());
  assert_false(was_made());
  assert_int_equal(inode(), was);
  assert_int_not_equal(access(part, F_OK), 0);
  aio__bert_free(first);
}

/* Damage of any kind, anywhere: it is made anew, and is the same as before. */
static void test_read__any_damage_is_made_good(void **state) {
  (void)state;
  aio__bert *first = load();
  FILE *file = fopen(path, "rb");
  static uint8_t good[1 << 17];
  size_t n = fread(good, 1, sizeof good, file);
  assert_true(n > 4096 && n < sizeof good && fclose(file) == 0);
  for (size_t at = 0; at < n; at += at < 256 ? 8 : 997) {
    good[at] ^= 0x20;
    tiny_write_file(folder, FILE_NAME, good, n);
    good[at] ^= 0x20;
    same(first, load());
    if (!was_made()) fail_msg("byte %zu", at);
  }
  for (size_t cut = 0; cut < n; cut += 1 + n / 13) {
    tiny_write_file(folder, FILE_NAME, good, cut);
    same(first, load());
    assert_true(was_made());
  }
  aio__bert_free(first);
}

static void test_read__a_touched_model_is_compared_and_its_file_kept_fresh(void **state) {
  (void)state;
  char model[4200];
  (void)snprintf(model, sizeof model, "%s/model.safetensors", folder);
  aio__bert *first = load();
  ino_t was = inode();
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
  assert_int_equal(utimensat(AT_FDCWD, model, times, 0), 0);
  same(first, load());
  assert_false(was_made());
  assert_int_not_equal(inode(), was); /* it knows the new time now */
  was = inode();
  same(first, load());
  assert_int_equal(inode(), was);
  aio__bert_free(first);
}

static void test_read__another_model_of_the_same_size_is_noticed(void **state) {
  (void)state;
  aio__bert *first = load();
  tiny_bert_tensor(&tiny, "encoder.layer.0.output.dense.weight")->values[7] += 0.5f;
  tiny_bert_write_weights(&tiny, folder);
  aio__bert *second = load();
  assert_true(was_made());
  assert_memory_not_equal(first->digest, second->digest, sizeof first->digest);
  aio__bert_free(first);
  aio__bert_free(second);
}

static void test_read__another_configuration_is_another_file(void **state) {
  (void)state;
  aio__bert_free(load());
  tiny_write_file(folder, "sentence_bert_config.json", "{\"max_seq_length\":40}", 21);
  aio__bert *bert = load();
  assert_true(was_made());
  assert_int_equal(bert->config.max_tokens, 40);
  aio__bert_free(bert);
}

static void test_write__where_nothing_can_be_written_it_is_made_each_time(void **state) {
  (void)state;
  assert_int_equal(mkdir(part, 0755), 0); /* what stands in the way of root, too */
  aio__bert *first = load();
  assert_non_null(strstr(events, "\"kept\":false,\"reason\":\""));
  assert_int_not_equal(access(path, F_OK), 0);
  same(first, load());
  assert_true(was_made());
  assert_int_equal(rmdir(part), 0);
  aio__bert_free(first);
}

static void test_write__one_process_at_a_time_and_what_a_killed_one_left_is_taken_over(void **state) {
  (void)state;
  tiny_write_file(folder, "model.aiorch-int8.part", "left by one that was killed", 27);
  int fd = open(part, O_RDWR);
  assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
  aio__bert_free(load());
  assert_non_null(strstr(events, "another process is writing it"));
  assert_int_not_equal(access(path, F_OK), 0);
  assert_int_equal(close(fd), 0);
  aio__bert_free(load());
  assert_non_null(strstr(events, "\"kept\":true"));
  assert_int_equal(access(path, F_OK), 0);
  assert_int_not_equal(access(part, F_OK), 0);
}

static void test_write__follows_no_link(void **state) {
  (void)state;
  char other[4200];
  struct stat st;
  tiny_write_file(folder, "other", "mine", 4);
  (void)snprintf(other, sizeof other, "%s/other", folder);
  assert_int_equal(symlink(other, part), 0);
  aio__bert_free(load());
  assert_non_null(strstr(events, "\"kept\":false"));
  assert_int_equal(stat(other, &st), 0);
  assert_int_equal(st.st_size, 4);
  assert_int_equal(unlink(part), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(test_read__made_once_then_taken, setup, teardown),
    cmocka_unit_test_setup_teardown(test_read__any_damage_is_made_good, setup, teardown),
    cmocka_unit_test_setup_teardown(test_read__a_touched_model_is_compared_and_its_file_kept_fresh, setup, teardown),
    cmocka_unit_test_setup_teardown(test_read__another_model_of_the_same_size_is_noticed, setup, teardown),
    cmocka_unit_test_setup_teardown(test_read__another_configuration_is_another_file, setup, teardown),
    cmocka_unit_test_setup_teardown(test_write__where_nothing_can_be_written_it_is_made_each_time, setup, teardown),
    cmocka_unit_test_setup_teardown(test_write__one_process_at_a_time_and_what_a_killed_one_left_is_taken_over, setup, teardown),
    cmocka_unit_test_setup_teardown(test_write__follows_no_link, setup, teardown),
  };
  tiny_path("model", folder, sizeof folder);
  (void)snprintf(path, sizeof path, "%s/%s", folder, FILE_NAME);
  (void)snprintf(part, sizeof part, "%s.part", path);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
