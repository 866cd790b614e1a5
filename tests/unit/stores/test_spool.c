/* The files of the spool: what was written is read, whatever became of the file. (label: threads) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stores/spool.h"
#include "core/hash.h"
#include "stores/spool_rows.h"
#include "support/test_alloc.h"

enum { ROWS = 3, FILE_MAX_BYTES = 1 << 20 };

typedef struct fixture {
  aio__test_alloc memory;
  aiorch_error error;
  char folder[256];
  aio__spool_setup options;
  aio__spool *spool;
  sample row[ROWS];
  aio__spool_row spooled[ROWS];
} fixture;

static void open_spool(fixture *f) {
  assert_int_equal(aio__spool_open(&f->options, &f->spool, &f->error), AIORCH_OK);
}

static int setup(void **state) {
  static int number;
  const char *base = getenv("AIORCH_TEST_TMP");
  fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  aio__test_alloc_init(&f->memory);
  aio__error_init(&f->error);
  (void)snprintf(f->folder, sizeof f->folder, "%.200s/spool-%d-%d", base != NULL ? base : "/tmp", (int)getpid(), number++);
  f->options = (aio__spool_setup){.al = &f->memory.al,
                                  .clock = aio__clock_system(),
                                  .path = f->folder,
                                  .store = "somewhere/db",
                                  .file_max = FILE_MAX_BYTES,
                                  .max_bytes = 8 << 20};
  for (int i = 0; i < ROWS; i++) {
    sample_fill(&f->row[i], i);
    f->spooled[i] = (aio__spool_row){.kind = AIO__SPOOL_SETTLE, .tenant = AIO__LIT("acme"), .run = &f->row[i].run,
                                     .attempts = f->row[i].attempt, .count = SAMPLE_ATTEMPTS};
  }
  open_spool(f);
  *state = f;
  return 0;
}

static void files_of(const fixture *f, aio__spool_files *files) {
  assert_int_equal(aio__spool_list(&f->memory.al, f->folder, files, NULL), AIORCH_OK);
}

static void path_of(const fixture *f, const char *name, char out[512]) {
  (void)snprintf(out, 512, "%s/%s", f->folder, name);
}

static void remove_all(const fixture *f) {
  aio__spool_files files;
  char path[512];
  if (aio__spool_list(aio__alloc_default(), f->folder, &files, NULL) != AIORCH_OK) return;
  for (size_t i = 0; i < files.n; i++) {
    path_of(f, files.file[i].name, path);
    assert_int_equal(unlink(path), 0);
  }
  aio__spool_files_free(&files);
}

static int teardown(void **state) {
  fixture *f = *state;
  aio__spool_close(f->spool);
  remove_all(f);
  (void)rmdir(f->folder);
  assert_int_equal(f->memory.live, 0);
  free(f);
  return 0;
}

static aiorch_status append(fixture *f, int i, bool sync) {
  const aio__spool_row *row = &f->spooled[i];
  return aio__spool_append(f->spool, &row, 1, sync, &f->error);
}

static void append_all(fixture *f) {
  for (int i = 0; i < ROWS; i++) assert_int_equal(append(f, i, true), AIORCH_OK);
}

/* The name of the only file. */
static void only_file(const fixture *f, char out[AIO__SPOOL_NAME_MAX + 1]) {
  aio__spool_files files;
  files_of(f, &files);
  assert_int_equal(files.n, 1);
  memcpy(out, files.file[0].name, AIO__SPOOL_NAME_MAX + 1);
  aio__spool_files_free(&files);
}

static void assert_text(aio__str a, aio__str b) {
  assert_int_equal(a.n, b.n);
  if (a.n > 0) assert_memory_equal(a.p, b.p, a.n);
}

static void assert_usage(const aio__usage *a, const aio__usage *b) {
  assert_int_equal(a->estimated, b->estimated);
  for (int i = 0; i < AIORCH_USAGE_COUNT; i++) assert_true(a->n[i] == b->n[i]);
}

static void assert_attempt(const aio__attempt_row *a, const aio__attempt_row *b) {
  assert_string_equal(a->id, b->id);
  assert_string_equal(a->run_id, b->run_id);
  assert_int_equal(a->state, b->state);
  assert_int_equal(a->kind, b->kind);
  assert_int_equal(a->status, b->status);
  assert_int_equal(a->http_status, b->http_status);
  assert_text(a->provider, b->provider);
  assert_text(a->model, b->model);
  assert_text(a->request_id, b->request_id);
  assert_usage(&a->usage, &b->usage);
  assert_int_equal(a->cost_known, b->cost_known);
  assert_true(a->cost_nano_usd == b->cost_nano_usd && a->created_ms == b->created_ms);
  assert_true(a->duration_us == b->duration_us && a->lease_until_ms == b->lease_until_ms);
}

static void assert_row(const aio__spool_row *a, const sample *b) {
  assert_int_equal(a->kind, AIO__SPOOL_SETTLE);
  assert_text(a->tenant, AIO__LIT("acme"));
  assert_string_equal(a->run->id, b->run.id);
  assert_text(a->run->user, b->run.user);
  assert_text(a->run->provider, b->run.provider);
  assert_text(a->run->model, b->run.model);
  assert_int_equal(a->run->status, b->run.status);
  assert_int_equal(a->run->cache, b->run.cache);
  assert_usage(&a->run->usage, &b->run.usage);
  assert_int_equal(a->run->cost_known, b->run.cost_known);
  assert_true(a->run->cost_nano_usd == b->run.cost_nano_usd && a->run->created_ms == b->run.created_ms);
  assert_true(a->run->duration_us == b->run.duration_us);
  assert_int_equal(a->count, SAMPLE_ATTEMPTS);
  for (int i = 0; i < SAMPLE_ATTEMPTS; i++) assert_attempt(&a->attempts[i], &b->attempt[i]);
}

/* Which rows a file has, as bits; each is as it was written. */
static unsigned read_file(const fixture *f, const char *name, aio__spool_reader *reader) {
  aio__arena arena;
  aio__str record;
  unsigned found = 0;
  aio__arena_init(&arena, &f->memory.al, 4096);
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, name, false, reader, NULL), AIORCH_OK);
  for (aiorch_status st; (st = aio__spool_reader_next(reader, &record, NULL)) != AIORCH_DONE;) {
    aio__spool_row row;
    assert_int_equal(st, AIORCH_OK);
    assert_int_equal(aio__spool_record_read(record, &arena, &row, NULL), AIORCH_OK);
    int i = (int)strtol(row.run->id + 24, NULL, 16);
    assert_in_range(i, 0, ROWS - 1);
    assert_row(&row, &f->row[i]);
    assert_int_equal(found & (1u << i), 0);
    found |= 1u << i;
  }
  aio__arena_free(&arena);
  return found;
}

/* ---- writing and reading -------------------------------------------------------------------------------------------- */

static void test_append__is_read_as_it_was_written(void **state) {
  fixture *f = *state;
  aio__spool_reader reader;
  char name[AIO__SPOOL_NAME_MAX + 1];
  struct stat info;
  append_all(f);
  only_file(f, name);
  assert_int_equal(read_file(f, name, &reader), 7);
  assert_int_equal(reader.records, ROWS);
  assert_int_equal(reader.damaged + reader.torn, 0);
  assert_string_equal(reader.store, "somewhere/db");
  assert_true(reader.created_ms > 0);
  aio__spool_reader_close(&reader);
  assert_int_equal(stat(f->folder, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0700);
  char path[512];
  path_of(f, name, path);
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_append__several_rows_are_all_or_none(void **state) {
  fixture *f = *state;
  aio__spool_reader reader;
  char name[AIO__SPOOL_NAME_MAX + 1];
  aio__spool_row large = f->spooled[1];
  char *text = calloc(1, AIO__SPOOL_ROW_MAX);
  assert_non_null(text);
  memset(text, 'x', AIO__SPOOL_ROW_MAX);
  const aio__spool_row *rows[] = {&f->spooled[0], &large};
  large.tenant = aio__str_n(text, AIO__SPOOL_ROW_MAX);
  assert_int_equal(append(f, 2, true), AIORCH_OK);
  assert_int_equal(aio__spool_append(f->spool, rows, 2, true, &f->error), AIORCH_E_TOO_LARGE);
  assert_non_null(strstr(f->error.message, "bytes"));
  rows[1] = &f->spooled[1];
  assert_int_equal(aio__spool_append(f->spool, rows, 2, true, &f->error), AIORCH_OK);
  only_file(f, name);
  assert_int_equal(read_file(f, name, &reader), 7);
  aio__spool_reader_close(&reader);
  free(text);
}

/* Larger than the buffers of writer and reader. */
static void test_append__large_rows(void **state) {
  fixture *f = *state;
  aio__spool_reader reader;
  aio__spool_row large = f->spooled[0], row;
  const aio__spool_row *rows[] = {&large, &f->spooled[1], &large};
  enum { LONG = 300000 };
  char *text = malloc(LONG), name[AIO__SPOOL_NAME_MAX + 1];
  aio__str record;
  aio__arena arena;
  assert_non_null(text);
  for (size_t i = 0; i < LONG; i++) text[i] = "ASR1"[i % 4]; /* looks like heads of records */
  large.tenant = aio__str_n(text, LONG);
  assert_int_equal(aio__spool_append(f->spool, rows, 3, true, &f->error), AIORCH_OK);
  only_file(f, name);
  aio__arena_init(&arena, &f->memory.al, 4096);
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, name, false, &reader, NULL), AIORCH_OK);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(aio__spool_reader_next(&reader, &record, NULL), AIORCH_OK);
    assert_int_equal(aio__spool_record_read(record, &arena, &row, NULL), AIORCH_OK);
    assert_text(row.tenant, rows[i]->tenant);
  }
  assert_int_equal(aio__spool_reader_next(&reader, &record, NULL), AIORCH_DONE);
  aio__spool_reader_close(&reader);
  aio__arena_free(&arena);
  free(text);
}

/* ---- damage --------------------------------------------------------------------------------------------------------- */

typedef struct whole_file {
  char name[AIO__SPOOL_NAME_MAX + 1], path[512];
  unsigned char bytes[16384];
  size_t n, end[ROWS + 1]; /* where the head and each record end */
} whole_file;

static void write_file(const whole_file *file, const unsigned char *bytes, size_t n) {
  int fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, n), n);
  close(fd);
}

static void make_file(fixture *f, whole_file *file) {
  append_all(f);
  aio__spool_seal(f->spool);
  only_file(f, file->name);
  path_of(f, file->name, file->path);
  int fd = open(file->path, O_RDONLY);
  assert_true(fd >= 0);
  ssize_t n = read(fd, file->bytes, sizeof file->bytes);
  close(fd);
  assert_in_range(n, 1, sizeof file->bytes - 1);
  file->n = (size_t)n;
  file->end[0] = AIO__SPOOL_FILE_HEAD;
  for (int i = 0; i < ROWS; i++) file->end[i + 1] = file->end[i] + aio__spool_record_size(&f->spooled[i]);
  assert_int_equal(file->end[ROWS], file->n);
}

static void test_reader__torn_at_every_byte(void **state) {
  fixture *f = *state;
  whole_file *file = calloc(1, sizeof *file);
  aio__spool_reader reader;
  assert_non_null(file);
  make_file(f, file);
  for (size_t n = 0; n < file->n; n++) {
    unsigned expected = 0;
    size_t whole = n < AIO__SPOOL_FILE_HEAD ? 0 : AIO__SPOOL_FILE_HEAD;
    for (int i = 0; i < ROWS; i++) {
      if (file->end[i + 1] > n) break;
      expected |= 1u << i;
      whole = file->end[i + 1];
    }
    write_file(file, file->bytes, n);
    assert_int_equal(read_file(f, file->name, &reader), expected);
    assert_int_equal(reader.damaged, 0);
    assert_int_equal(reader.torn, n - whole);
    aio__spool_reader_close(&reader);
  }
  free(file);
}

/* A length that came to the disk without its bytes. */
static void test_reader__zeros_at_the_end(void **state) {
  fixture *f = *state;
  whole_file *file = calloc(1, sizeof *file);
  aio__spool_reader reader;
  assert_non_null(file);
  make_file(f, file);
  for (size_t more = 1; more < 9000; more += 777) {
    write_file(file, file->bytes, file->n);
    assert_int_equal(truncate(file->path, (off_t)(file->n + more)), 0);
    assert_int_equal(read_file(f, file->name, &reader), 7);
    assert_int_equal(reader.damaged, 0);
    assert_int_equal(reader.torn, more);
    aio__spool_reader_close(&reader);
  }
  free(file);
}

/* One flipped bit costs the row that it is in, and is told; in the head of the file it costs none. */
static void test_reader__every_bit_flipped(void **state) {
  fixture *f = *state;
  whole_file *file = calloc(1, sizeof *file);
  aio__spool_reader reader;
  assert_non_null(file);
  make_file(f, file);
  for (size_t bit = 0; bit < file->n * 8; bit++) {
    size_t at = bit / 8;
    unsigned expected = 7;
    for (int i = 0; i < ROWS; i++)
      if (at >= file->end[i] && at < file->end[i + 1]) expected &= ~(1u << i);
    file->bytes[at] ^= (unsigned char)(1u << bit % 8);
    write_file(file, file->bytes, file->n);
    file->bytes[at] ^= (unsigned char)(1u << bit % 8);
    assert_int_equal(read_file(f, file->name, &reader), expected);
    assert_true(reader.damaged > 0);
    aio__spool_reader_close(&reader);
  }
  free(file);
}

static void test_reader__a_part_is_missing(void **state) {
  fixture *f = *state;
  whole_file *file = calloc(1, sizeof *file);
  aio__spool_reader reader;
  assert_non_null(file);
  make_file(f, file);
  unsigned char *part = malloc(file->n);
  assert_non_null(part);
  for (size_t cut = 1; cut < 300; cut += 7) { /* out of the second row */
    size_t from = file->end[1] + 13;
    memcpy(part, file->bytes, from);
    memcpy(part + from, file->bytes + from + cut, file->n - from - cut);
    write_file(file, part, file->n - cut);
    assert_int_equal(read_file(f, file->name, &reader) & 1, 1);
    assert_true(reader.damaged > 0);
    aio__spool_reader_close(&reader);
  }
  free(part);
  free(file);
}

static void test_reader__newer(void **state) {
  fixture *f = *state;
  whole_file *file = calloc(1, sizeof *file);
  aio__spool_reader reader;
  assert_non_null(file);
  make_file(f, file);
  file->bytes[8] = 2;
  memset(file->bytes + 12, 0, 4);
  uint32_t sum = aio__crc32c(0, file->bytes, AIO__SPOOL_FILE_HEAD);
  for (int i = 0; i < 4; i++) file->bytes[12 + i] = (unsigned char)(sum >> (8 * i));
  write_file(file, file->bytes, file->n);
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, file->name, true, &reader, &f->error),
                   AIORCH_E_STORE_NEWER);
  assert_non_null(strstr(f->error.message, file->name));
  free(file);
}

static void test_finish__keeps_what_is_damaged(void **state) {
  fixture *f = *state;
  whole_file *file = calloc(1, sizeof *file);
  aio__spool_reader reader;
  aio__spool_files files;
  aio__str record;
  assert_non_null(file);
  make_file(f, file);
  file->bytes[file->end[1] + 70] ^= 1;
  write_file(file, file->bytes, file->n);
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, file->name, true, &reader, NULL), AIORCH_OK);
  while (aio__spool_reader_next(&reader, &record, NULL) == AIORCH_OK) continue;
  assert_int_equal(reader.records, 2);
  assert_int_equal(aio__spool_reader_finish(&reader, &f->error), AIORCH_OK);
  files_of(f, &files);
  assert_int_equal(files.n, 1);
  assert_int_equal(files.file[0].state, AIO__SPOOL_DAMAGED);
  aio__spool_files_free(&files);
  free(file);
}

/* Sums are right, the contents are not what libaiorch writes. */
static aiorch_status collect(void *ctx, const void *bytes, size_t len) {
  return aio__buf_add(ctx, bytes, len);
}

static void test_record_read__odd_payloads(void **state) {
  fixture *f = *state;
  aio__buf record;
  aio__arena arena;
  aio__spool_row row;
  aio__buf_init(&record, &f->memory.al, AIO__SPOOL_RECORD_MAX);
  aio__arena_init(&arena, &f->memory.al, 4096);
  assert_int_equal(aio__spool_record_write(&f->spooled[0], collect, &record, NULL), AIORCH_OK);
  size_t n = record.n, read = 0;
  for (size_t at = AIO__SPOOL_HEAD; at < n; at++) {
    char was = record.p[at];
    record.p[at] = (char)~was; /* lengths, counts, states, texts: whatever lies there */
    aiorch_status status = aio__spool_record_read(aio__buf_view(&record), &arena, &row, &f->error);
    assert_true(status == AIORCH_OK || status == AIORCH_E_STORE_CORRUPT);
    read += status == AIORCH_OK;
    record.p[at] = was;
  }
  assert_in_range(read, 1, n - AIO__SPOOL_HEAD - 1);
  for (size_t cut = AIO__SPOOL_HEAD; cut < n; cut++)
    assert_int_equal(aio__spool_record_read(aio__str_n(record.p, cut), &arena, &row, &f->error), AIORCH_E_STORE_CORRUPT);
  aio__arena_free(&arena);
  aio__buf_free(&record);
}

/* ---- files, locks, bounds ------------------------------------------------------------------------------------------- */

static void test_append__begins_a_file_at_file_max(void **state) {
  fixture *f = *state;
  aio__spool_files files;
  aio__spool_reader reader;
  unsigned found = 0;
  aio__spool_close(f->spool);
  f->options.file_max = 1200;
  open_spool(f);
  append_all(f);
  files_of(f, &files);
  assert_in_range(files.n, 2, ROWS);
  for (size_t i = 0; i < files.n; i++) {
    assert_in_range(files.file[i].bytes, AIO__SPOOL_FILE_HEAD + 1, 3000);
    found |= read_file(f, files.file[i].name, &reader);
    aio__spool_reader_close(&reader);
    assert_int_equal(aio__spool_is_left(f->folder, files.file[i].name), i + 1 < files.n);
  }
  assert_int_equal(found, 7);
  aio__spool_files_free(&files);
}

static void test_append__full_at_max_bytes(void **state) {
  fixture *f = *state;
  aio__spool *other;
  int n = 0;
  aio__spool_close(f->spool);
  f->options.max_bytes = 8192;
  open_spool(f);
  assert_int_equal(aio__spool_open(&f->options, &other, NULL), AIORCH_OK);
  while (append(f, 0, false) == AIORCH_OK) assert_in_range(++n, 1, 20);
  assert_int_equal(f->error.status, AIORCH_E_STORE_FULL);
  assert_non_null(strstr(f->error.message, "spool.max_bytes"));
  assert_true(aio__spool_usage(f->folder) <= 8192);
  /* What another process has counts, too. */
  const aio__spool_row *row = &f->spooled[1];
  assert_int_equal(aio__spool_append(other, &row, 1, true, &f->error), AIORCH_E_STORE_FULL);
  aio__spool_seal(f->spool);
  remove_all(f);
  assert_int_equal(append(f, 1, true), AIORCH_OK);
  assert_int_equal(aio__spool_append(other, &row, 1, true, &f->error), AIORCH_OK);
  aio__spool_close(other);
}

static void test_reader__only_what_nobody_writes(void **state) {
  fixture *f = *state;
  char name[AIO__SPOOL_NAME_MAX + 1];
  aio__spool_reader reader, second;
  append_all(f);
  only_file(f, name);
  assert_false(aio__spool_is_left(f->folder, name));
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, name, true, &reader, NULL), AIORCH_AGAIN);
  aio__spool_seal(f->spool);
  assert_true(aio__spool_is_left(f->folder, name));
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, name, true, &reader, NULL), AIORCH_OK);
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, name, true, &second, NULL), AIORCH_AGAIN);
  assert_int_equal(aio__spool_reader_finish(&reader, NULL), AIORCH_OK);
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, name, true, &second, NULL), AIORCH_AGAIN);
  assert_int_equal(append(f, 0, true), AIORCH_OK);
}

static void test_open__of_a_process_that_was_killed(void **state) {
  fixture *f = *state;
  char name[AIO__SPOOL_NAME_MAX + 1];
  aio__spool_reader reader;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    aio__spool *own;
    const aio__spool_row *rows[] = {&f->spooled[0], &f->spooled[2]};
    if (aio__spool_open(&f->options, &own, NULL) != AIORCH_OK) _exit(1);
    if (aio__spool_append(own, rows, 2, true, NULL) != AIORCH_OK) _exit(2);
    (void)kill(getpid(), SIGKILL);
  }
  int how = 0;
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_true(WIFSIGNALED(how));
  only_file(f, name);
  assert_true(aio__spool_is_left(f->folder, name));
  assert_true(aio__spool_is_for(f->spool, name));
  assert_int_equal(read_file(f, name, &reader), 5);
  aio__spool_reader_close(&reader);
}

static void test_open__odd_folders(void **state) {
  fixture *f = *state;
  aio__spool *spool;
  char path[512];
  aio__spool_setup options = f->options;
  options.path = "/no/such/parent/spool";
  assert_int_equal(aio__spool_open(&options, &spool, &f->error), AIORCH_E_STORE);
  assert_non_null(strstr(f->error.message, "spool.path"));
  path_of(f, "file", path);
  int fd = open(path, O_CREAT | O_WRONLY, 0600);
  assert_true(fd >= 0);
  close(fd);
  options.path = path;
  assert_int_equal(aio__spool_open(&options, &spool, &f->error), AIORCH_E_STORE);
  assert_non_null(strstr(f->error.message, "no folder"));
  assert_int_equal(unlink(path), 0);
  assert_int_equal(chmod(f->folder, 0777), 0);
  assert_int_equal(aio__spool_open(&f->options, &spool, &f->error), AIORCH_E_STORE);
  assert_non_null(strstr(f->error.message, "everybody"));
  assert_int_equal(chmod(f->folder, 0700), 0);
  char *long_path = malloc(5000);
  assert_non_null(long_path);
  memset(long_path, 'x', 4999);
  long_path[4999] = '\0';
  options.path = long_path;
  assert_int_equal(aio__spool_open(&options, &spool, &f->error), AIORCH_E_CONFIG_RANGE);
  free(long_path);
}

static void test_open__stays_where_it_was_opened(void **state) {
  fixture *f = *state;
  char here[512], *dir = getcwd(here, sizeof here);
  aio__spool *own;
  aio__spool_setup options = f->options;
  const aio__spool_row *row = &f->spooled[0];
  assert_non_null(dir);
  assert_int_equal(chdir(f->folder), 0);
  options.path = ".";
  assert_int_equal(aio__spool_open(&options, &own, &f->error), AIORCH_OK);
  assert_int_equal(chdir(here), 0);
  assert_int_equal(aio__spool_path(own)[0], '/');
  assert_int_equal(aio__spool_append(own, &row, 1, true, &f->error), AIORCH_OK);
  aio__spool_close(own);
  aio__spool_files files;
  files_of(f, &files);
  assert_int_equal(files.n, 1);
  aio__spool_files_free(&files);
}

static void test_append__makes_a_folder_that_was_taken_away(void **state) {
  fixture *f = *state;
  assert_int_equal(rmdir(f->folder), 0);
  assert_int_equal(append(f, 0, true), AIORCH_OK);
}

static void test_list__passes_over_what_is_no_spool(void **state) {
  fixture *f = *state;
  static const char *const names[] = {"x", "notes.txt", "01900000-0000-7000-8000-000000000000.spool",
                                      "01900000-0000-7000-8000-000000000000.0123456789abcdef.txt",
                                      "01900000-0000-7000-8000-00000000000g.0123456789abcdef.spool"};
  char path[512];
  aio__spool_files files;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    path_of(f, names[i], path);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
  }
  path_of(f, "01900000-0000-7000-8000-000000000001.0123456789abcdef.spool", path);
  assert_int_equal(symlink("x", path), 0);
  files_of(f, &files);
  assert_int_equal(files.n, 0);
  aio__spool_files_free(&files);
  assert_int_equal(unlink(path), 0);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    path_of(f, names[i], path);
    assert_int_equal(unlink(path), 0);
  }
  assert_int_equal(aio__spool_list(&f->memory.al, "/no/such/folder", &files, NULL), AIORCH_OK);
  assert_int_equal(files.n, 0);
}

/* A file that may not grow: nothing half is left, and what fits goes on. */
static void test_append__disk_full(void **state) {
  fixture *f = *state;
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    aio__spool *own;
    aio__spool_reader reader;
    struct rlimit limit = {1700, 1700};
    aiorch_error error;
    const aio__spool_row *row = &f->spooled[0];
    int n = 0;
    aio__error_init(&error);
    (void)signal(SIGXFSZ, SIG_IGN);
    if (aio__spool_open(&f->options, &own, NULL) != AIORCH_OK || setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(1);
    while (n < 50 && aio__spool_append(own, &row, 1, true, &error) == AIORCH_OK) n++;
    if (n == 0 || n == 50 || error.status != AIORCH_E_STORE_FULL) _exit(2);
    if (strstr(error.message, "spool.path") == NULL) _exit(3);
    aio__spool_close(own);
    aio__spool_files files;
    aio__str record;
    if (aio__spool_list(&f->memory.al, f->folder, &files, NULL) != AIORCH_OK || files.n != 1) _exit(4);
    if (aio__spool_reader_open(&f->memory.al, f->folder, files.file[0].name, true, &reader, NULL) != AIORCH_OK) _exit(5);
    while (aio__spool_reader_next(&reader, &record, NULL) == AIORCH_OK) n--;
    _exit(n == 0 && reader.torn == 0 && reader.damaged == 0 ? 0 : 6);
  }
  int how = 0;
  assert_int_equal(waitpid(child, &how, 0), child);
  assert_int_equal(how, 0);
}

static void test_set_aside__with_the_reason(void **state) {
  fixture *f = *state;
  aio__buf record;
  aio__spool_files files;
  aio__spool_reader reader;
  aio__arena arena;
  aio__str read;
  aio__spool_row row, inner;
  aio__buf_init(&record, &f->memory.al, AIO__SPOOL_RECORD_MAX);
  aio__arena_init(&arena, &f->memory.al, 4096);
  for (int i = 0; i < ROWS; i++) {
    aio__buf_reset(&record);
    assert_int_equal(aio__spool_record_write(&f->spooled[i], collect, &record, NULL), AIORCH_OK);
    const aio__spool_row refused = {.kind = AIO__SPOOL_REFUSED, .status = AIORCH_E_STORE,
                                    .reason = AIO__LIT("the column says no"), .record = aio__buf_view(&record)};
    assert_int_equal(aio__spool_set_aside(f->spool, &refused, &f->error), AIORCH_OK);
  }
  aio__spool_end_aside(f->spool);
  files_of(f, &files);
  assert_int_equal(files.n, 1);
  assert_int_equal(files.file[0].state, AIO__SPOOL_POISON);
  assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, files.file[0].name, true, &reader, NULL), AIORCH_OK);
  for (int i = 0; i < ROWS; i++) {
    assert_int_equal(aio__spool_reader_next(&reader, &read, NULL), AIORCH_OK);
    assert_int_equal(aio__spool_record_read(read, &arena, &row, NULL), AIORCH_OK);
    assert_int_equal(row.kind, AIO__SPOOL_REFUSED);
    assert_int_equal(row.status, AIORCH_E_STORE);
    assert_text(row.reason, AIO__LIT("the column says no"));
    assert_int_equal(aio__spool_record_read(row.record, &arena, &inner, NULL), AIORCH_OK);
    assert_row(&inner, &f->row[i]);
  }
  aio__spool_reader_close(&reader);
  aio__spool_files_free(&files);
  aio__arena_free(&arena);
  aio__buf_free(&record);
}

/* ---- memory and threads --------------------------------------------------------------------------------------------- */

static void test_reader__out_of_memory(void **state) {
  fixture *f = *state;
  char name[AIO__SPOOL_NAME_MAX + 1];
  append_all(f);
  aio__spool_seal(f->spool);
  only_file(f, name);
  long live = f->memory.live;
  f->memory.fail_at = 0;
  do {
    aio__spool_files files;
    aio__spool_reader reader;
    aio__spool *spool = NULL;
    aio__str record;
    aio__test_alloc_next(&f->memory);
    aiorch_status status = aio__spool_open(&f->options, &spool, &f->error);
    if (status == AIORCH_OK) status = aio__spool_list(&f->memory.al, f->folder, &files, &f->error);
    if (status == AIORCH_OK) {
      aio__spool_files_free(&files);
      status = aio__spool_reader_open(&f->memory.al, f->folder, name, true, &reader, &f->error);
      assert_int_equal(status, AIORCH_OK);
      while ((status = aio__spool_reader_next(&reader, &record, &f->error)) == AIORCH_OK) continue;
      aio__spool_reader_close(&reader);
    }
    aio__spool_close(spool);
    assert_true(status == AIORCH_DONE || status == AIORCH_E_NOMEM);
    assert_int_equal(f->memory.live, live);
  } while (f->memory.failed > 0);
}

typedef struct writer {
  fixture *f;
  int number;
} writer;

static void *write_many(void *ctx) {
  writer *w = ctx;
  for (int i = 0; i < 40; i++) {
    const aio__spool_row *row = &w->f->spooled[w->number];
    if (aio__spool_append(w->f->spool, &row, 1, i % 8 == 0, NULL) != AIORCH_OK) return "failed";
    if (i % 16 == 5) aio__spool_seal(w->f->spool);
  }
  return NULL;
}

static void test_append__from_several_threads(void **state) {
  fixture *f = *state;
  pthread_t thread[ROWS];
  writer writers[ROWS];
  aio__spool_files files;
  uint64_t n = 0;
  for (int i = 0; i < ROWS; i++) {
    writers[i] = (writer){f, i};
    assert_int_equal(pthread_create(&thread[i], NULL, write_many, &writers[i]), 0);
  }
  for (int i = 0; i < ROWS; i++) {
    void *result;
    assert_int_equal(pthread_join(thread[i], &result), 0);
    assert_null(result);
  }
  files_of(f, &files);
  for (size_t i = 0; i < files.n; i++) {
    aio__spool_reader reader;
    aio__str record;
    assert_int_equal(aio__spool_reader_open(&f->memory.al, f->folder, files.file[i].name, false, &reader, NULL), AIORCH_OK);
    while (aio__spool_reader_next(&reader, &record, NULL) == AIORCH_OK) n++;
    assert_int_equal(reader.damaged + reader.torn, 0);
    aio__spool_reader_close(&reader);
  }
  assert_int_equal(n, ROWS * 40);
  aio__spool_files_free(&files);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    CASE(test_append__is_read_as_it_was_written),
    CASE(test_append__several_rows_are_all_or_none),
    CASE(test_append__large_rows),
    CASE(test_reader__torn_at_every_byte),
    CASE(test_reader__zeros_at_the_end),
    CASE(test_reader__every_bit_flipped),
    CASE(test_reader__a_part_is_missing),
    CASE(test_reader__newer),
    CASE(test_finish__keeps_what_is_damaged),
    CASE(test_record_read__odd_payloads),
    CASE(test_append__begins_a_file_at_file_max),
    CASE(test_append__full_at_max_bytes),
    CASE(test_reader__only_what_nobody_writes),
    CASE(test_open__of_a_process_that_was_killed),
    CASE(test_open__odd_folders),
    CASE(test_open__stays_where_it_was_opened),
    CASE(test_append__makes_a_folder_that_was_taken_away),
    CASE(test_list__passes_over_what_is_no_spool),
    CASE(test_append__disk_full),
    CASE(test_set_aside__with_the_reason),
    CASE(test_reader__out_of_memory),
    CASE(test_append__from_several_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
