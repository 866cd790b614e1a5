/*
 * A store whose rows or pages are damaged. The input is a list of damages: a byte below 0x80 chooses a column that gets
 * the bytes that follow; one from 0x80 on, a place in one of the files that they overwrite. Then all that reads is
 * called. It may fail with any error of a store; it may not crash, hang, or give what lies outside a document.
 */
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

enum { FILES = 2, FILE_MAX = 1 << 20, DAMAGES_MAX = 6, SCOPE = 32, DIMENSIONS = 8 };

static const char *const names[FILES] = {"knowledge.db", "ledger.db"};
static const aio__str MODEL = {"model-1", 7};
static const char scope[SCOPE + 1] = "ssssssssssssssssssssssssssssssss";

typedef struct image {
  uint8_t bytes[FILE_MAX];
  size_t n;
} image;

static image images[FILES]; /* of the store before it is damaged */
static fuzz_env env;
static char document_id[AIO__UUID_LEN + 1];

/* What a value may be put into; ?1 is the value as a blob, ?2 as a number, ?3 as a text. */
static const struct {
  int file;
  const char *sql;
} columns[] = {
  {0, "UPDATE documents SET anchors = ?1"},
  {0, "UPDATE documents SET hash = ?1"},
  {0, "UPDATE documents SET id = ?3 WHERE source = 'guide.md'"},
  {0, "UPDATE documents SET bytes = ?2"},
  {0, "UPDATE documents SET first_chunk = ?2, chunk_count = ?2 / 256"},
  {0, "UPDATE documents SET chunk_count = ?2"},
  {0, "UPDATE documents SET format = ?2, version = ?2, updated_ms = ?2"},
  {0, "UPDATE documents SET title = ?3"},
  {0, "UPDATE document_parts SET text = ?1"},
  {0, "UPDATE document_parts SET part = part + 1"},
  {0, "DELETE FROM document_parts"},
  {0, "UPDATE document_metadata SET name = ?3, value = ?1"},
  {0, "UPDATE chunks SET start = ?2"},
  {0, "UPDATE chunks SET stop = ?2"},
  {0, "UPDATE chunks SET start = -?2, stop = ?2"},
  {0, "UPDATE chunks SET id = ?1 WHERE ordinal = 0"},
  {0, "UPDATE chunks SET ordinal = ?2, tokens = ?2, words = ?2"},
  {0, "UPDATE chunks SET heading = ?1, anchor = ?3, hash = ?1"},
  {0, "UPDATE chunks SET document = ?2"},
  {0, "DELETE FROM chunks"},
  {0, "DELETE FROM documents"},
  {0, "UPDATE tenants SET no = ?2 WHERE tenant_id = 'acme'"},
  {0, "UPDATE tenants SET next_chunk = ?2, chunks = ?2, words = ?2"},
  {0, "UPDATE tenants SET documents = ?1, text_bytes = ?3"},
  {0, "UPDATE chunk_words_data SET block = ?1 WHERE id = 10"},
  {0, "UPDATE chunk_words_data SET block = ?1 WHERE id = 1"},
  {0, "UPDATE chunk_words_data SET block = ?1 WHERE id > 10"},
  {0, "UPDATE chunk_words_docsize SET sz = ?1"},
  {0, "UPDATE chunk_words_idx SET pgno = ?2, term = ?1"},
  {0, "UPDATE semantic_cache SET chunks = ?1, sources = ?1"},
  {0, "UPDATE semantic_cache SET id = ?1"},
  {0, "UPDATE semantic_cache SET expires_ms = ?2, created_ms = ?2, hits = ?2"},
  {0, "UPDATE semantic_cache SET answer = ?1, query = ?3, provider = ?1, model = NULL || ''"},
  {0, "UPDATE semantic_cache SET finish_reason = ?2, knowledge = ?2, bytes = ?2"},
  {0, "UPDATE semantic_cache SET rests_on = ?1"},
  {1, "UPDATE ai_api_calls SET cost_nano_usd = ?2, created_ms = ?2, input_tokens = ?2"},
  {1, "UPDATE ai_api_calls SET provider = ?1, model = ?3, user_id = ?1"},
  {1, "UPDATE ai_api_calls SET cost_nano_usd = ?3, status = ?3"},
  {1, "UPDATE ai_attempts SET id = ?1, provider = ?1, model = ?1, request_id = ?1"},
  {1, "UPDATE ai_attempts SET state = ?2, kind = ?2, status = ?2, cost_nano_usd = ?2"},
  {1, "UPDATE run_totals SET runs = ?2, cost_nano_usd = ?2"},
  {1, "UPDATE admissions SET at_ms = ?2, amount = ?2"},
  {0, "UPDATE vectors SET vector = ?1"},
  {0, "UPDATE vectors SET vector = ?1 || vector"},
  {0, "UPDATE vectors SET scope = ?2, vector = ?3"},
  {0, "UPDATE vectors SET no = no + ?2"},
  {0, "UPDATE OR IGNORE vectors SET no = ?2"},
  {0, "DELETE FROM vectors"},
  {0, "UPDATE vector_models SET dimensions = ?2"},
  {0, "UPDATE vector_models SET marks = ?2, missing_from = ?2"},
  {0, "UPDATE vector_models SET changed = ?2"},
  {0, "UPDATE OR IGNORE vector_models SET no = no + ?2"},
  {0, "UPDATE vector_models SET kind = ?2, fingerprint = ?1"},
  {0, "UPDATE changes SET first = ?2, last = ?2 / 2"},
  {0, "UPDATE semantic_cache SET scope = ?1, exact_only = ?2"},
  {0, "UPDATE semantic_cache SET rests_on = ?2 || ' ' || ?2 || ' ' || ?3 || ' '"},
  {0, "UPDATE OR IGNORE cache_documents SET part = ?2, document = ?2"},
};

/* ---- the store before it is damaged ------------------------------------------------------------------------------ */

static void path_of(int file, const char *suffix, char out[PATH_MAX]) {
  (void)snprintf(out, PATH_MAX, "%s/%s%s", fuzz_folder(), names[file], suffix);
}

static const float row[DIMENSIONS] = {0.5f, 0.5f, 0.5f, 0.5f};

static void fill_vectors(aio__store *store) {
  enum { MOST = 64 };
  static float rows[MOST * DIMENSIONS];
  aio__arena arena;
  aio__unembedded *chunks = NULL;
  aio__str ids[MOST];
  size_t n = 0;
  uint64_t left = 0;
  fuzz_sync sync;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  FUZZ_CHECK(fuzz_wait(&sync, store->knowledge->unembedded(store, fuzz_op(&sync), AIO__LIT("acme"), MODEL, MOST, &arena,
                                                           &chunks, &n, &left)) == AIORCH_OK &&
             n > 2);
  for (size_t i = 0; i < n; i++) {
    ids[i] = aio__str_z(chunks[i].chunk_id);
    rows[i * DIMENSIONS + i % DIMENSIONS] = 1.0f;
  }
  aio__vectors vectors = {MODEL, DIMENSIONS, rows};
  FUZZ_CHECK(fuzz_wait(&sync, store->knowledge->mark_embedded(store, fuzz_op(&sync), AIO__LIT("acme"), &vectors, ids,
                                                              n)) == AIORCH_OK);
  aio__arena_free(&arena);
}

static void fill_cache(aio__store *store) {
  fuzz_sync sync;
  bool stored = false;
  aio__vectors vector = {MODEL, DIMENSIONS, row};
  aio__cache_entry entry = {.scope = {scope, SCOPE},
                            .key = {scope, SCOPE},
                            .query = AIO__LIT("How is a dump made?"),
                            .answer = AIO__LIT("With pg_dump [1]."),
                            .sources = AIO__LIT("[]"),
                            .chunks = {scope, SCOPE},
                            .provider = AIO__LIT("first"),
                            .model = AIO__LIT("m"),
                            .finish_reason = AIORCH_FINISH_STOP,
                            .created_ms = 1700000000,
                            .vector = &vector,
                            .expires_ms = INT64_C(4000000000000)};
  aio__cache_limits limits = {100, 1 << 20, 0};
  memcpy(entry.id, "01890000-0000-7000-8000-000000000001", sizeof entry.id);
  FUZZ_CHECK(fuzz_wait(&sync, store->cache->put(store, fuzz_op(&sync), AIO__LIT("acme"), &entry, &limits, 1700000000,
                                                &stored)) == AIORCH_OK &&
             stored);
}

static void fill_ledger(aio__store *store) {
  fuzz_sync sync;
  aio__run_row run = {.id = "01890000-0000-7000-8000-000000000002",
                      .user = AIO__LIT("u1"),
                      .provider = AIO__LIT("first"),
                      .model = AIO__LIT("m"),
                      .cost_known = true,
                      .cost_nano_usd = 5,
                      .created_ms = 1700000000000};
  aio__attempt_row attempt = {.id = "01890000-0000-7000-8000-000000000003",
                              .state = AIO__ATTEMPT_SETTLED,
                              .kind = 1,
                              .provider = AIO__LIT("first"),
                              .model = AIO__LIT("m"),
                              .cost_known = true,
                              .cost_nano_usd = 5,
                              .created_ms = 1700000000000};
  memcpy(attempt.run_id, run.id, sizeof run.id);
  aio__constraint limit = {AIO__LIMIT_RUNS, "runs:user:0", 3600000, 20, 1, "rate_limit.requests"};
  aio__admission admission;
  FUZZ_CHECK(fuzz_wait(&sync, store->ledger->admit(store, fuzz_op(&sync), AIO__LIT("acme"), aio__str_z(run.id), &limit,
                                                   1, 1700000000000, &admission)) == AIORCH_OK);
  FUZZ_CHECK(fuzz_wait(&sync, store->ledger->settle(store, fuzz_op(&sync), AIO__LIT("acme"), &run, &attempt, 1)) ==
             AIORCH_OK);
}

static void remember_document(aio__store *store) {
  aio__arena arena;
  aio__store_document *list = NULL;
  size_t n = 0;
  fuzz_sync sync;
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  FUZZ_CHECK(fuzz_wait(&sync, store->knowledge->list(store, fuzz_op(&sync), AIO__LIT("acme"), AIO__LIT(""), 10, &arena,
                                                     &list, &n)) == AIORCH_OK &&
             n == 3);
  memcpy(document_id, list[0].id, sizeof document_id);
  aio__arena_free(&arena);
}

static void read_image(int file) {
  char path[PATH_MAX];
  path_of(file, "", path);
  FILE *in = fopen(path, "rb");
  FUZZ_CHECK(in != NULL);
  images[file].n = fread(images[file].bytes, 1, FILE_MAX, in);
  FUZZ_CHECK(images[file].n > 0 && images[file].n < FILE_MAX);
  (void)fclose(in);
}

static void make_store(void) {
  aio__store *store = NULL;
  fuzz_env_init(&env);
  FUZZ_CHECK(aio__store_sqlite_open(&env.env, fuzz_folder(), &store, NULL) == AIORCH_OK);
  fuzz_fill(store);
  fill_vectors(store);
  fill_cache(store);
  fill_ledger(store);
  remember_document(store);
  store->close(store);
  for (int i = 0; i < FILES; i++) read_image(i);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void put_back(void) {
  static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
  for (int i = 0; i < FILES; i++) {
    char path[PATH_MAX];
    for (size_t s = 0; s < 3; s++) {
      path_of(i, suffixes[s], path);
      (void)unlink(path);
    }
    path_of(i, "", path);
    FILE *out = fopen(path, "wb");
    FUZZ_CHECK(out != NULL && fwrite(images[i].bytes, 1, images[i].n, out) == images[i].n);
    (void)fclose(out);
  }
}

/* Connections of one input: to open one reads the whole schema, which takes longer than the damage. */
typedef struct connections {
  sqlite3 *db[FILES];
} connections;

static sqlite3 *connect(connections *c, int file) {
  char path[PATH_MAX];
  if (c->db[file] != NULL) return c->db[file];
  path_of(file, "", path);
  if (sqlite3_open_v2(path, &c->db[file], SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
    (void)sqlite3_exec(c->db[file], "PRAGMA synchronous = OFF", NULL, NULL, NULL);
  return c->db[file];
}

/* What it has written is in the file then, not beside it. */
static void disconnect(connections *c, int file) {
  (void)sqlite3_close(c->db[file]);
  c->db[file] = NULL;
}

static void damage_page(int file, size_t at, const uint8_t *bytes, size_t n) {
  char path[PATH_MAX];
  path_of(file, "", path);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  FUZZ_CHECK(fd >= 0);
  at %= images[file].n;
  FUZZ_CHECK(n == 0 || pwrite(fd, bytes, n, (off_t)at) == (ssize_t)n);
  (void)close(fd);
}

static void damage_rows(connections *c, size_t which, const uint8_t *bytes, size_t n) {
  sqlite3_stmt *stmt = NULL;
  int64_t number = 0;
  which %= sizeof columns / sizeof columns[0];
  memcpy(&number, bytes, n < sizeof number ? n : sizeof number);
  if (sqlite3_prepare_v2(connect(c, columns[which].file), columns[which].sql, -1, &stmt, NULL) == SQLITE_OK) {
    int binds = sqlite3_bind_parameter_count(stmt);
    if (binds >= 1) (void)sqlite3_bind_blob(stmt, 1, n > 0 ? (const void *)bytes : "", (int)n, SQLITE_STATIC);
    if (binds >= 2) (void)sqlite3_bind_int64(stmt, 2, number);
    if (binds >= 3) (void)sqlite3_bind_text(stmt, 3, n > 0 ? (const char *)bytes : "", (int)n, SQLITE_STATIC);
    (void)sqlite3_step(stmt);
  }
  (void)sqlite3_finalize(stmt);
}

/* A damage: what, how many bytes, for a page where (3 bytes), and the bytes. */
static void damage(const uint8_t *data, size_t size) {
  connections c = {{NULL}};
  for (int i = 0; i < DAMAGES_MAX && size >= 2; i++) {
    bool page = data[0] >= 0x80;
    size_t head = page ? 5 : 2, n = data[1];
    if (size < head) break;
    if (n > size - head) n = size - head;
    if (page) {
      disconnect(&c, data[0] & 1);
      damage_page(data[0] & 1, (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4], data + head, n);
    } else {
      damage_rows(&c, data[0], data + head, n);
    }
    data += head + n;
    size -= head + n;
  }
  for (int file = 0; file < FILES; file++) disconnect(&c, file);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static void check_status(aiorch_status status, const fuzz_sync *sync) {
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_NOT_FOUND || status == AIORCH_E_NOMEM ||
             (status <= AIORCH_E_STORE && status >= AIORCH_E_STORE_CORRUPT) || status == AIORCH_E_INVALID ||
             status == AIORCH_E_EMBEDDER_MISMATCH || status == AIORCH_E_TOO_LARGE);
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_NOT_FOUND || aiorch_error_message(&sync->op.error)[0] != '\0');
}

static void read_knowledge(aio__store *store, aio__arena *arena) {
  aio__str tenant = AIO__LIT("acme");
  fuzz_sync sync;
  aio__store_document *list = NULL, one;
  aio__found_chunk *found = NULL;
  aio__unembedded *left = NULL;
  size_t n = 0;
  uint64_t all = 0;
  aio__search_args args = {.query = AIO__LIT("How is a dump restored? caf\xC3\xA9"), .limit = 10};
  aio__filter filter = {.name = AIO__LIT("lang"), .kind = AIO__FILTER_PREFIX, .value = AIO__LIT("e")};
  check_status(
    fuzz_wait(&sync, store->knowledge->list(store, fuzz_op(&sync), tenant, AIO__LIT(""), 100, arena, &list, &n)),
    &sync);
  memset(&one, 0, sizeof one);
  check_status(
    fuzz_wait(&sync, store->knowledge->show(store, fuzz_op(&sync), tenant, AIO__LIT("guide.md"), arena, &one)), &sync);
  memset(&one, 0, sizeof one);
  check_status(
    fuzz_wait(&sync, store->knowledge->show(store, fuzz_op(&sync), tenant, aio__str_z(document_id), arena, &one)),
    &sync);
  for (int filtered = 0; filtered < 2; filtered++) {
    args.filters = &filter;
    args.filter_count = (size_t)filtered;
    n = 0;
    aiorch_status status =
      fuzz_wait(&sync, store->knowledge->search(store, fuzz_op(&sync), tenant, &args, arena, &found, &n));
    check_status(status, &sync);
    for (size_t i = 0; status == AIORCH_OK && i < n; i++) FUZZ_CHECK(found[i].text.n == 0 || found[i].text.p != NULL);
  }
  check_status(fuzz_wait(&sync, store->knowledge->unembedded(store, fuzz_op(&sync), tenant, MODEL, 50,
                                                             arena, &left, &n, &all)),
               &sync);
}

static void read_vectors(aio__store *store, aio__arena *arena) {
  aio__str tenant = AIO__LIT("acme"), key = {scope, SCOPE};
  fuzz_sync sync;
  aio__found_chunk *found = NULL;
  aio__cache_near *near = NULL;
  aio__cache_entry entry;
  aio__vector_model *models = NULL;
  aio__unembedded *left = NULL;
  size_t n = 0;
  uint64_t all = 0;
  bool hit = false;
  aio__filter filter = {.name = AIO__LIT("lang"), .value = AIO__LIT("en")};
  for (size_t dimensions = DIMENSIONS; dimensions >= DIMENSIONS / 2; dimensions -= DIMENSIONS / 2) {
    aio__nearest_args args = {.fingerprint = MODEL, .dimensions = dimensions, .query = row, .threshold = -1.0, .limit = 20};
    for (size_t filtered = 0; filtered < 2; filtered++) {
      n = 0;
      aiorch_status status = fuzz_wait(
        &sync, store->knowledge->nearest(store, fuzz_op(&sync), tenant, &args, &filter, filtered, arena, &found, &n));
      check_status(status, &sync);
      for (size_t i = 0; status == AIORCH_OK && i < n; i++) FUZZ_CHECK(found[i].text.n == 0 || found[i].text.p != NULL);
    }
    check_status(fuzz_wait(&sync, store->cache->near(store, fuzz_op(&sync), tenant, key, &args, INT64_C(1700000000000),
                                                     arena, &near, &n)),
                 &sync);
  }
  memset(&entry, 0, sizeof entry);
  check_status(fuzz_wait(&sync, store->cache->read(store, fuzz_op(&sync), tenant, key,
                                                   AIO__LIT("01890000-0000-7000-8000-000000000001"),
                                                   INT64_C(1700000000000), arena, &entry, &hit)),
               &sync);
  check_status(fuzz_wait(&sync, store->knowledge->models(store, fuzz_op(&sync), tenant, arena, &models, &n)), &sync);
  check_status(fuzz_wait(&sync, store->cache->unembedded(store, fuzz_op(&sync), tenant, AIO__LIT("model-2"), 50, arena,
                                                         &left, &n, &all)),
               &sync);
}

static void read_rest(aio__store *store, aio__arena *arena) {
  aio__str tenant = AIO__LIT("acme"), key = {scope, SCOPE};
  fuzz_sync sync;
  aio__cache_entry entry, *entries = NULL;
  aio__cost_row *costs = NULL;
  aio__attempt_row *attempts = NULL;
  aio__store_stats stats;
  size_t n = 0;
  bool hit = false;
  static const char *const ways[] = {"day", "provider", "model", "user"};
  memset(&entry, 0, sizeof entry);
  check_status(fuzz_wait(&sync, store->cache->lookup(store, fuzz_op(&sync), tenant, key, key, INT64_C(1700000000000),
                                                     arena, &entry, &hit)),
               &sync);
  check_status(fuzz_wait(&sync, store->cache->list(store, fuzz_op(&sync), tenant, 100, 0, arena, &entries, &n)), &sync);
  for (size_t i = 0; i < 4; i++)
    check_status(fuzz_wait(&sync, store->ledger->costs(store, fuzz_op(&sync), tenant, INT64_MIN, INT64_MAX,
                                                       aio__str_z(ways[i]), arena, &costs, &n)),
                 &sync);
  check_status(
    fuzz_wait(&sync, store->ledger->attempts(store, fuzz_op(&sync), tenant,
                                             AIO__LIT("01890000-0000-7000-8000-000000000002"), arena, &attempts, &n)),
    &sync);
  check_status(fuzz_wait(&sync, store->ledger->stats(store, fuzz_op(&sync), tenant, 0, &stats)), &sync);
}

/* Removing gives back what the damaged rows say there is. */
static void write_some(aio__store *store, aio__arena *arena) {
  fuzz_sync sync;
  aio__str *removed = NULL;
  size_t n = 0;
  uint64_t gone = 0;
  aio__vectors vectors = {MODEL, DIMENSIONS, row};
  aio__str id = AIO__LIT("01890000-0000-7000-8000-000000000001");
  check_status(
    fuzz_wait(&sync, store->cache->mark_embedded(store, fuzz_op(&sync), AIO__LIT("acme"), &vectors, &id, 1)), &sync);
  check_status(fuzz_wait(&sync, store->knowledge->forget_model(store, fuzz_op(&sync), AIO__LIT("acme"), MODEL, 1, &n)),
               &sync);
  check_status(fuzz_wait(&sync, store->knowledge->remove(store, fuzz_op(&sync), AIO__LIT("acme"), AIO__LIT("guide.md"),
                                                         1, arena, &removed, &n)),
               &sync);
  check_status(fuzz_wait(&sync, store->cache->invalidate(store, fuzz_op(&sync), AIO__LIT("acme"), AIO__LIT(""), &gone)),
               &sync);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  aio__store *store = NULL;
  aiorch_error *error = NULL;
  aio__arena arena;
  if (images[0].n == 0) make_store();
  put_back();
  damage(data, size);
  if (aiorch_error_new(&error) != AIORCH_OK) abort();
  aiorch_status status = aio__store_sqlite_open(&env.env, fuzz_folder(), &store, error);
  FUZZ_CHECK(status == AIORCH_OK || aiorch_error_message(error)[0] != '\0');
  if (status == AIORCH_OK) {
    aio__arena_init(&arena, aio__alloc_default(), 4096);
    read_knowledge(store, &arena);
    read_vectors(store, &arena);
    read_rest(store, &arena);
    write_some(store, &arena);
    aio__arena_free(&arena);
    store->close(store);
  }
  aiorch_error_free(error);
  return 0;
}
