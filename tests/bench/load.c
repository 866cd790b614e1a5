/*
 * Fills a store to the size that the figures of tests/bench/pipeline are taken at.
 *
 *   load [--chunks N] [--cache N] [--runs N] FOLDER
 *
 * Documents go in as any host's would, until there are N chunks (10,000); cached answers (100,000) and cost rows
 * (1,000,000) are written by SQL, since nobody could wait for so many runs. FOLDER must not be there yet.
 */
#include <aiorch/aiorch.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/figures.h"

enum { DOCUMENT_WORDS = 4000, VOCABULARY = 20000, TIMEOUT_MS = 60000 };

static const char TENANT[] = "bench";

static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

/* Word number n: of syllables, so that words differ in length and in how they begin. */
static size_t put_word(char *out, uint64_t n) {
  static const char syllables[16][4] = {"ba", "co", "de", "fi", "gra", "hu", "lo", "me",
                                        "ni", "po", "ra", "se", "ti", "tro", "va", "ze"};
  size_t len = 0;
  do {
    size_t part = strlen(syllables[n % 16]);
    memcpy(out + len, syllables[n % 16], part);
    len += part;
    n /= 16;
  } while (n > 0);
  return len;
}

/* A few words are in nearly every sentence and most in hardly any, as in a language. */
static uint64_t pick_word(uint64_t *state) {
  double u = (double)(next_random(state) >> 11) / 9007199254740992.0;
  return (uint64_t)(VOCABULARY * u * u * u);
}

static size_t make_text(char *out, uint64_t *state) {
  size_t n = 0;
  for (int i = 0; i < DOCUMENT_WORDS; i++) {
    if (i % 400 == 0) n += (size_t)sprintf(out + n, "%s## Section %d\n\n", i > 0 ? "\n\n" : "", i / 400 + 1);
    n += put_word(out + n, pick_word(state));
    out[n++] = i % 16 == 15 ? '.' : ' ';
    if (i % 16 == 15) out[n++] = i % 80 == 79 ? '\n' : ' ';
  }
  return n;
}

static size_t add_document(aiorch *orch, size_t number, uint64_t *state, aiorch_error *error) {
  static char text[DOCUMENT_WORDS * 24];
  char source[64];
  aiorch_document *document = NULL;
  size_t len = make_text(text, state);
  snprintf(source, sizeof source, "manual/page-%zu.md", number);
  if (aiorch_document_new(&document) || aiorch_document_set_source(document, source, strlen(source)) ||
      aiorch_document_set_text(document, AIORCH_FORMAT_MARKDOWN, text, len))
    die(source, "the document cannot be made");
  if (aiorch_knowledge_add(orch, TENANT, sizeof TENANT - 1, document, TIMEOUT_MS, error))
    die(source, aiorch_error_message(error));
  size_t chunks = aiorch_document_chunks(document);
  aiorch_document_free(document);
  return chunks;
}

static void load_documents(const char *store, size_t chunks) {
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  uint64_t state = UINT64_C(0x9E3779B97F4A7C15);
  if (aiorch_error_new(&error) || aiorch_config_new(&config)) die("configuration", "out of memory");
  if (aiorch_config_set_str(config, "store", store, strlen(store), error) || aiorch_open(config, &orch, error))
    die(store, aiorch_error_message(error));
  size_t documents = 0;
  for (size_t n = 0; n < chunks || documents == 0;) n += add_document(orch, documents++, &state, error);
  if (aiorch_close(orch, TIMEOUT_MS)) die(store, "it does not close");
  aiorch_free(orch);
  aiorch_config_free(config);
  aiorch_error_free(error);
}

static void run_sql(const char *store, const char *file, const char *sql) {
  char path[4096];
  sqlite3 *db = NULL;
  snprintf(path, sizeof path, "%s/%s", store, file);
  if (sqlite3_open(path, &db) != SQLITE_OK || sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
    die(path, sqlite3_errmsg(db));
  sqlite3_close(db);
}

/* One process at a time has the store, so no other guard of the write-ahead log is needed here. */
static void load_cache(const char *store, long rows) {
  char sql[4096];
  snprintf(sql, sizeof sql,
           "PRAGMA synchronous = OFF; BEGIN IMMEDIATE;"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %ld),"
           " t(now) AS (SELECT CAST(strftime('%%s', 'now') AS INTEGER) * 1000)"
           " INSERT INTO semantic_cache (tenant_id, id, scope, key, created_ms, expires_ms, used, hits, bytes,"
           " knowledge, finish_reason, chunks, provider, model, query, sources, answer)"
           " SELECT '%s', printf('%%08x-0000-7000-8000-%%012x', i, i), randomblob(32), randomblob(32), now,"
           " now + 86400000 + i, i, 0, 1000, (SELECT knowledge FROM tenants WHERE tenant_id = '%s'), 1, x'', 'instant',"
           " 'instant', 'question number ' || i, '[]', hex(zeroblob(350)) FROM n, t WHERE %ld > 0;"
           "UPDATE tenants SET cache_rows = (SELECT count(*) FROM semantic_cache WHERE tenant_id = '%s'),"
           " cache_bytes = (SELECT coalesce(sum(bytes), 0) FROM semantic_cache WHERE tenant_id = '%s'),"
           " cache_clock = %ld WHERE tenant_id = '%s'; COMMIT; PRAGMA wal_checkpoint(TRUNCATE);",
           rows, TENANT, TENANT, rows, TENANT, TENANT, rows, TENANT);
  run_sql(store, "knowledge.db", sql);
}

static void load_runs(const char *store, long rows) {
  char sql[4096];
  snprintf(sql, sizeof sql,
           "PRAGMA synchronous = OFF; BEGIN IMMEDIATE;"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %ld),"
           " t(now) AS (SELECT CAST(strftime('%%s', 'now') AS INTEGER) * 1000)"
           " INSERT INTO ai_api_calls (tenant_id, id, user_id, provider, model, status, cache, input_tokens,"
           " cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, estimated,"
           " cost_nano_usd, created_ms, duration_us)"
           " SELECT '%s', printf('%%08x-0000-7000-8000-%%012x', i, i), 'user' || i %% 1000, 'instant', 'instant', 0,"
           " 1, 1200, 0, 0, 0, 300, 0, 0, 1000000 + i %% 5000, now - 30 * 86400000 + i * 2000, 900000"
           " FROM n, t WHERE %ld > 0;"
           "INSERT INTO run_totals (tenant_id, runs, cost_nano_usd) SELECT tenant_id, count(*), sum(cost_nano_usd)"
           " FROM ai_api_calls WHERE tenant_id = '%s' GROUP BY tenant_id; COMMIT; PRAGMA wal_checkpoint(TRUNCATE);",
           rows, TENANT, rows, TENANT);
  run_sql(store, "ledger.db", sql);
}

int main(int argc, char **argv) {
  const char *store = NULL;
  long chunks = 10000, cache = 100000, runs = 1000000;
  struct stat there;
  for (int i = 1; i < argc; i++) {
    long *number = strcmp(argv[i], "--chunks") == 0  ? &chunks
                   : strcmp(argv[i], "--cache") == 0 ? &cache
                   : strcmp(argv[i], "--runs") == 0  ? &runs
                                                     : NULL;
    if (number != NULL && i + 1 < argc)
      *number = strtol(argv[++i], NULL, 10);
    else if (number == NULL && argv[i][0] != '-' && store == NULL)
      store = argv[i];
    else
      store = "";
  }
  if (store == NULL || *store == '\0' || chunks < 1 || cache < 0 || runs < 0)
    return fprintf(stderr, "usage: load [--chunks N] [--cache N] [--runs N] FOLDER\n"), 2;
  if (stat(store, &there) == 0) die(store, "it is there already; name a folder that is not");
  load_documents(store, (size_t)chunks);
  load_cache(store, cache);
  load_runs(store, runs);
  printf("%s: %ld chunks, %ld cached answers, %ld cost rows\n", store, chunks, cache, runs);
  return 0;
}
