/* Vectors in the SQLite store: what stays on the disk, what other handles and processes change, damage, and the memory
 * that indexes may take. (label: threads) */
#include "stores/conformance.c"

#include <sys/wait.h>

#include "core/data.h"
#include "stores/sqlite_folder.c"
#include "stores/sqlite_vectors.h"
#include "text/unpack.h"

static aio__sq_store *inner(const fixture *f) {
  return (aio__sq_store *)f->store;
}

/* ---- on the disk ------------------------------------------------------------------------------------------------- */

static void test_open__again_finds_what_was_kept(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, 0.7};
  float query[DIM];
  aio__found_chunk *found;
  aio__cache_near *near_ones;
  vector_at(1.0, query);
  add_at(f, ACME, cosines, 3);
  keep_at(f, ACME, 1, 0.9, "s1");
  close_store(f);
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_int_equal(aio__residents_bytes(&inner(f)->residents), 0); /* made when first needed */
  assert_int_equal(nearest(f, ACME, query, 5, &found), 3);
  assert_true(aio__residents_bytes(&inner(f)->residents) > 0);
  expect_str(found[0].source, "d2");
  assert_int_equal(near(f, "s1", 5, &near_ones), 1);
  expect_near(near_ones[0].similarity, 0.9);
}

static void run_old_migration(fixture *f) {
  char sql[400], id[AIO__UUID_LEN + 1];
  close_store(f);
  for (size_t i = 0; i < 3; i++) {
    static const char *const names[] = {"knowledge.db", "knowledge.db-wal", "knowledge.db-shm"};
    char path[400];
    path_in(f, names[i], path);
    (void)unlink(path);
  }
  char *first = aio__unpack(&aio__data_sqlite_knowledge[0], &f->memory.al);
  assert_non_null(first);
  execute(f, "knowledge.db", first);
  aio__free(&f->memory.al, first);
  execute(f, "knowledge.db",
          "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_ms INTEGER NOT NULL);"
          "INSERT INTO schema_version VALUES (1, '0001_knowledge.sql', 1);"
          "PRAGMA application_id = 0x41494f4b; PRAGMA user_version = 1;"
          "INSERT INTO tenants (tenant_id, no, next_chunk, documents, chunks) VALUES ('acme', 1, 3, 1, 2);");
  snprintf(sql, sizeof sql,
           "INSERT INTO documents VALUES (1, 'acme', '%s', 's', 'T', 1, x'00', 1, 1, 8, %lld, 2, x'');"
           "INSERT INTO document_parts VALUES ('acme', 1, 0, 'one two ');",
           id_of(id, "docu", 1), (1LL << 40) + 1);
  execute(f, "knowledge.db", sql);
  for (int i = 0; i < 2; i++) {
    snprintf(sql, sizeof sql,
             "INSERT INTO chunks VALUES (%lld, 'acme', '%s', 1, %d, 1, 1, %d, %d, '', '', x'00')", (1LL << 40) + 1 + i,
             id_of(id, "chnk", 100 + i), i, 4 * i, 4 * i + 3);
    execute(f, "knowledge.db", sql);
  }
  snprintf(sql, sizeof sql, "INSERT INTO chunk_embeddings VALUES ('acme', 'model-1', %lld)", (1LL << 40) + 1);
  execute(f, "knowledge.db", sql);
}

/* Marks of the first schema say that the vectors are in a plug-in. */
static void test_open__schema_without_vectors(void **state) {
  fixture *f = *state;
  aio__unembedded *chunks;
  aio__vector_model *models;
  aio__found_chunk *found;
  float row[DIM];
  uint64_t left = 0;
  size_t n = 0;
  run_old_migration(f);
  assert_int_equal(open_store(f), AIORCH_OK);
  assert_int_equal(CALL(f, knowledge, unembedded, ACME, MODEL, 9, &f->arena, &chunks, &n, &left), AIORCH_OK);
  assert_int_equal(left, 1);
  expect_number(chunks[0].chunk_id, "chnk", 101);
  assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  assert_int_equal(models[0].chunks, 1);
  assert_false(models[0].stored);
  vector_at(1.0, row);
  mark(f, ACME, OTHER, 100, row);
  assert_int_equal(try_nearest(f, ACME, OTHER, row, 5, &found, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  expect_str(found[0].text, "one");
}

/* ---- other handles and processes --------------------------------------------------------------------------------- */

static void test_nearest__two_handles_on_one_folder(void **state) {
  fixture *f = *state;
  fixture other = *f;
  const double cosines[] = {0.5, 0.9, 0.7};
  float query[DIM];
  aio__found_chunk *found;
  aio__cache_near *near_ones;
  aio__str *removed;
  size_t n = 0;
  vector_at(1.0, query);
  assert_int_equal(open_store(&other), AIORCH_OK);
  assert_int_equal(nearest(&other, ACME, query, 5, &found), 0);
  add_at(f, ACME, cosines, 3);
  assert_int_equal(nearest(&other, ACME, query, 5, &found), 3);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 3);
  assert_int_equal(CALL(&other, knowledge, remove, ACME, AIO__LIT("d2"), T0, &other.arena, &removed, &n), AIORCH_OK);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 2);
  expect_str(found[0].source, "d3");
  assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 9, &n), AIORCH_OK);
  assert_int_equal(nearest(&other, ACME, query, 5, &found), 0);
  float shorter[DIM / 2] = {1.0f};
  char id[AIO__UUID_LEN + 1];
  aio__str one = aio__str_z(id_of(id, "chnk", 100));
  assert_int_equal(mark_rows(f, ACME, MODEL, &one, 1, shorter, DIM / 2), AIORCH_OK); /* the name again, other vectors */
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM / 2, .query = shorter, .threshold = 0.0, .limit = 5};
  assert_int_equal(CALL(&other, knowledge, nearest, ACME, &args, NULL, 0, &other.arena, &found, &n), AIORCH_OK);
  assert_int_equal(n, 1);
  for (int i = 1; i < 6; i++) { /* an answer's number is used again by the next */
    keep_at(f, ACME, i, 0.9 - i * 0.1, "s1");
    assert_int_equal(near(&other, "s1", 5, &near_ones), 1);
    expect_near(near_ones[0].similarity, 0.9 - i * 0.1);
    asked a;
    assert_int_equal(invalidate(&other, asked_of(&a, i, 0.9, "s1")->entry.id), 1);
    if (i % 2 == 0) assert_int_equal(near(f, "s1", 5, &near_ones), 0);
  }
  other.store->close(other.store);
  aio__arena_free(&other.arena);
}

/* Every change by the one or the other, and both know the same. */
static void test_nearest__two_handles_through_any_changes(void **state) {
  fixture *f = *state;
  fixture other = *f;
  expected e;
  uint32_t seed = 23;
  memset(&e, 0, sizeof e);
  assert_int_equal(open_store(&other), AIORCH_OK);
  for (int step = 0; step < MODEL_STEPS; step++) {
    fixture *writer = roll(&seed, 2) == 0 ? f : &other;
    int doc = (int)roll(&seed, MODEL_DOCS);
    uint32_t what = roll(&seed, 20);
    if (what < 8)
      change_document(writer, &e, doc, &seed);
    else if (what < 10)
      remove_document(writer, &e, doc);
    else if (what < 19)
      mark_some(writer, &e, &seed);
    else
      forget_all(writer, &e, &seed);
    if (roll(&seed, 3) == 0) compare_nearest(f, &e, &seed);
    if (roll(&seed, 3) == 0) compare_nearest(&other, &e, &seed);
    if (step % 50 == 49) execute(f, "knowledge.db", "DELETE FROM changes"); /* a gap, for who has not looked since */
    aio__arena_free(&f->arena);
    aio__arena_free(&other.arena);
  }
  other.store->close(other.store);
}

static void child_marks(const char *folder, int wait_fd, int done_fd) {
  fixture c = {.folder = ""};
  char byte;
  float row[DIM];
  snprintf(c.folder, sizeof c.folder, "%s", folder);
  aio__test_alloc_init(&c.memory);
  if (read(wait_fd, &byte, 1) != 1 || aio__options_init(&c.options, &c.memory.al) != AIORCH_OK) _exit(1);
  aio__arena_init(&c.arena, &c.memory.al, 4096);
  c.env = (aio__store_env){.al = &c.memory.al, .clock = aio__clock_system(), .options = &c.options};
  if (open_store(&c) != AIORCH_OK) _exit(1);
  add_text(&c, ACME, "theirs", "T", "from the child", 50, T0);
  vector_at(0.95, row);
  mark(&c, ACME, MODEL, 5000, row);
  add_text(&c, ACME, "d1", "T", "changed", 51, T0);
  keep_at(&c, ACME, 7, 0.8, "s1");
  c.store->close(c.store);
  _exit(write(done_fd, "x", 1) == 1 ? 0 : 1);
}

static void test_nearest__another_process_changes_it(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9};
  int go[2], done[2], status = 0;
  char byte;
  float query[DIM];
  aio__found_chunk *found;
  aio__cache_near *near_ones;
  vector_at(1.0, query);
  close_store(f); /* no handle is carried across a fork */
  assert_int_equal(pipe(go), 0);
  assert_int_equal(pipe(done), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) child_marks(f->folder, go[0], done[1]);
  assert_int_equal(open_store(f), AIORCH_OK);
  add_at(f, ACME, cosines, 2);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 2);
  assert_int_equal(near(f, "s1", 5, &near_ones), 0);
  assert_int_equal(write(go[1], "x", 1), 1);
  assert_int_equal(read(done[0], &byte, 1), 1);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 2);
  expect_str(found[0].source, "theirs");
  expect_str(found[1].source, "d2");
  assert_int_equal(near(f, "s1", 5, &near_ones), 1);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  for (int i = 0; i < 2; i++) {
    close(go[i]);
    close(done[i]);
  }
}

/* What is kept of the changes does not reach back to what the index has seen: it is built anew. */
static void test_nearest__changes_that_are_no_longer_told(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, 0.7};
  float query[DIM];
  aio__found_chunk *found;
  aio__str *removed;
  size_t n = 0;
  vector_at(1.0, query);
  add_at(f, ACME, cosines, 3);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 3);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("d2"), T0, &f->arena, &removed, &n), AIORCH_OK);
  execute(f, "knowledge.db", "UPDATE changes SET seq = seq + 20000; UPDATE vector_models SET changed = changed + 20000");
  assert_int_equal(nearest(f, ACME, query, 5, &found), 2);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("d3"), T0, &f->arena, &removed, &n), AIORCH_OK);
  execute(f, "knowledge.db", "DELETE FROM changes");
  assert_int_equal(nearest(f, ACME, query, 5, &found), 1);
  expect_str(found[0].source, "d1");
}

static void test_changes__are_kept_within_bounds(void **state) {
  fixture *f = *state;
  float row[DIM];
  aio__found_chunk *found;
  vector_at(1.0, row);
  add_text(f, ACME, "a", "T", "text", 1, T0);
  mark(f, ACME, MODEL, 100, row);
  execute(f, "knowledge.db",
          "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
          " INSERT INTO changes SELECT 1, i, 1, 1 FROM n; UPDATE vector_models SET changed = 10000");
  for (int i = 0; i < 5; i++) {
    char text[32];
    snprintf(text, sizeof text, "text %d", i);
    add_text(f, ACME, "a", "T", text, 2 + i, T0);
    mark(f, ACME, MODEL, (2 + i) * 100, row);
  }
  assert_int_equal(query_number(f, "knowledge.db", "SELECT count(*) FROM changes"), AIO__SQ_CHANGES_KEPT);
  assert_int_equal(nearest(f, ACME, row, 5, &found), 1);
}

/* A search that sees an older state of the store than the index: what it does not see is left out. */
static aiorch_status old_rows(aio__sq_near *near, void *ctx) {
  fixture *f = ctx;
  aio__index_hit hits[5];
  float query[DIM];
  aio__found_chunk *found;
  aio__str *removed;
  size_t n = 0;
  assert_int_equal(aio__sq_model_get(near->conn, &near->op->error, ACME, AIO__SQ_CHUNKS, MODEL, &near->model), AIORCH_OK);
  assert_int_equal(near->model.marks, 3);
  vector_at(1.0, query);
  add_text(f, ACME, "new", "T", "text", 9, T0); /* the writer goes on, and another search brings the index up */
  mark(f, ACME, MODEL, 900, query);
  assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("d2"), T0, &f->arena, &removed, &n), AIORCH_OK);
  assert_int_equal(nearest(f, ACME, query, 5, &found), 3);
  aiorch_status status = aio__sq_near_ready(near);
  if (status == AIORCH_OK) status = aio__sq_near_search(near, NULL, 5, hits, &n);
  assert_int_equal(status, AIORCH_OK);
  assert_int_equal(n, 2); /* d1 and d3: "new" is not seen, and d2 is in no index any more */
  expect_near((double)hits[0].similarity, 0.7);
  return status;
}

static void test_nearest__index_ahead_of_the_search(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9, 0.7};
  float query[DIM];
  aio__op op;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  vector_at(1.0, query);
  add_at(f, ACME, cosines, 3);
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 5};
  aio__sq_near near = {.store = inner(f), .op = &op, .args = &args, .rows = old_rows, .ctx = f};
  assert_int_equal(aio__sq_near_run(&near), AIORCH_OK);
}

/* ---- damage ------------------------------------------------------------------------------------------------------ */

static void test_nearest__damaged_vectors(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9};
  static const char *const damages[] = {
    "UPDATE vectors SET vector = x'00' WHERE no & 1099511627775 = 2",
    "UPDATE vectors SET vector = NULL",
    "UPDATE vectors SET vector = 'text'",
    "UPDATE vectors SET vector = zeroblob(80)",
    "UPDATE vectors SET vector = cast(x'0000c07f' || zeroblob(76) AS BLOB)", /* begins with a NaN */
    "UPDATE vectors SET vector = zeroblob(800)",
  };
  float query[DIM];
  aio__found_chunk *found;
  aio__cache_near *near_ones;
  size_t n = 0;
  vector_at(1.0, query);
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    for (int loaded = 0; loaded < 2; loaded++) { /* met when the index is made, and when its hits are looked up */
      add_at(f, ACME, cosines, 2);
      keep_at(f, ACME, 1, 0.9, "s1");
      if (loaded > 0) assert_int_equal(nearest(f, ACME, query, 5, &found) + near(f, "s1", 5, &near_ones), 3);
      execute(f, "knowledge.db", damages[i]);
      aiorch_status status = try_nearest(f, ACME, MODEL, query, 5, &found, &n);
      if (loaded == 0 || i < 3 || i == 5) {
        assert_int_equal(status, AIORCH_E_STORE_CORRUPT);
        expect_words(f, "knowledge.db");
        expect_words(f, "aiorch reembed");
      }
      if (i > 0 && i < 3) assert_int_equal(try_near(f, ACME, "s1", MODEL, 5, T0, &near_ones, &n), AIORCH_E_STORE_CORRUPT);
      assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 99, &n), AIORCH_OK); /* as reembed does */
      assert_int_equal(n, 3);
      assert_int_equal(invalidate(f, ""), 1);
      close_store(f);
      assert_int_equal(open_store(f), AIORCH_OK);
    }
  }
}

static void test_nearest__damaged_models(void **state) {
  fixture *f = *state;
  const double cosines[] = {0.5, 0.9};
  static const char *const damages[] = {
    "UPDATE vector_models SET dimensions = -1",
    "UPDATE vector_models SET dimensions = 1000000000000",
    "UPDATE vector_models SET marks = 9223372036854775807",
    "UPDATE vector_models SET changed = -5",
    "UPDATE vector_models SET no = -1",
    "UPDATE vector_models SET no = 9223372036854775807",
  };
  float query[DIM];
  aio__found_chunk *found;
  aio__vector_model *models;
  aio__str *removed;
  size_t n = 0;
  vector_at(1.0, query);
  add_at(f, ACME, cosines, 2);
  execute(f, "knowledge.db", "CREATE TABLE kept AS SELECT * FROM vector_models");
  for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
    char id[AIO__UUID_LEN + 1];
    aio__str one = aio__str_z(id_of(id, "chnk", 100));
    execute(f, "knowledge.db", damages[i]);
    assert_int_equal(try_nearest(f, ACME, MODEL, query, 5, &found, &n), AIORCH_E_STORE_CORRUPT);
    assert_int_equal(mark_rows(f, ACME, MODEL, &one, 1, query, DIM), AIORCH_E_STORE_CORRUPT);
    assert_int_equal(CALL(f, knowledge, forget_model, ACME, MODEL, 9, &n), AIORCH_E_STORE_CORRUPT);
    if (i != 2) assert_int_equal(CALL(f, knowledge, models, ACME, &f->arena, &models, &n), AIORCH_E_STORE_CORRUPT);
    assert_int_equal(CALL(f, knowledge, remove, ACME, AIO__LIT("d1"), T0, &f->arena, &removed, &n), AIORCH_E_STORE_CORRUPT);
    execute(f, "knowledge.db", "DELETE FROM vector_models; INSERT INTO vector_models SELECT * FROM kept");
  }
  execute(f, "knowledge.db", "UPDATE vector_models SET dimensions = 10"); /* no vector is of this size */
  assert_int_equal(try_nearest(f, ACME, MODEL, query, 5, &found, &n), AIORCH_E_INVALID);
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = 10, .query = query, .threshold = 0.0, .limit = 5};
  assert_int_equal(CALL(f, knowledge, nearest, ACME, &args, NULL, 0, &f->arena, &found, &n), AIORCH_E_STORE_CORRUPT);
}

/* ---- memory and time --------------------------------------------------------------------------------------------- */

/* Writes tenants t0, t1, ... with a document of so many chunks each, and their vectors, without the store. */
static void fill_directly(const fixture *f, int tenants, int chunks) {
  static const char *const sql[] = {
    "INSERT INTO tenants (tenant_id, no, next_chunk, documents, chunks) VALUES ('t' || ?1, ?1 + 1, ?2 + 1, 1, ?2)",
    "INSERT INTO documents VALUES (?1 + 1, 't' || ?1, 'd' || ?1, 'd', 'T', 1, x'00', 1, 1, 8, ((?1 + 1) << 40) + 1, ?2, x'')",
    "INSERT INTO document_parts VALUES ('t' || ?1, ?1 + 1, 0, 't' || ?1 || '       ')",
    "INSERT INTO vector_models (no, tenant_id, kind, fingerprint, dimensions, marks) VALUES (?1 + 1, 't' || ?1, 1, 'model-1', 20, ?2)",
    "INSERT INTO chunks VALUES (((?1 + 1) << 40) + ?2, 't' || ?1, 'c' || ?2, ?1 + 1, ?2, 1, 1, 0, 8, '', '', x'00')",
    "INSERT INTO vectors VALUES (((?1 + 1) << 40) + ?2, NULL, ?3)"};
  char path[400];
  sqlite3 *db;
  sqlite3_stmt *stmt[6];
  float row[DIM];
  path_in(f, "knowledge.db", path);
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  assert_int_equal(sqlite3_exec(db, "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL), SQLITE_OK);
  for (size_t i = 0; i < 6; i++) assert_int_equal(sqlite3_prepare_v2(db, sql[i], -1, &stmt[i], NULL), SQLITE_OK);
  for (int t = 0; t < tenants; t++) {
    for (int c = 0; c <= chunks; c++) {
      for (size_t i = c == 0 ? 0 : 4; i < (c == 0 ? 4u : 6u); i++) {
        sqlite3_bind_int(stmt[i], 1, t);
        if (sqlite3_bind_parameter_count(stmt[i]) >= 2) sqlite3_bind_int(stmt[i], 2, c == 0 ? chunks : c);
        if (i == 5) {
          vector_of((unsigned)(t * chunks + c), row);
          sqlite3_bind_blob(stmt[i], 3, row, sizeof row, SQLITE_STATIC);
        }
        assert_int_equal(sqlite3_step(stmt[i]), SQLITE_DONE);
        sqlite3_reset(stmt[i]);
      }
    }
  }
  for (size_t i = 0; i < 6; i++) sqlite3_finalize(stmt[i]);
  assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

static void test_nearest__ten_thousand_tenants_in_little_memory(void **state) {
  enum { MANY = 10000, EACH = 10 };
  fixture *f = *state;
  float query[DIM];
  char tenant[16];
  close_store(f);
  f->options.vector_memory_max = 1 << 20;
  assert_int_equal(open_store(f), AIORCH_OK);
  fill_directly(f, MANY, EACH);
  for (int i = 0; i < MANY + 50; i++) {
    int t = i < MANY ? i : (i - MANY) * 199; /* all, then some that have left meanwhile, and some that have not */
    aio__found_chunk *found;
    snprintf(tenant, sizeof tenant, "t%d", t);
    vector_of((unsigned)(t * EACH + 3), query);
    assert_int_equal(nearest(f, aio__str_z(tenant), query, 2, &found), 2);
    assert_string_equal(found[0].chunk_id, "c3");
    expect_near(found[0].similarity, 1.0);
    assert_true(aio__str_starts(found[0].text, aio__str_z(tenant)));
    assert_true(aio__residents_bytes(&inner(f)->residents) <= 1 << 20);
    aio__arena_free(&f->arena);
  }
}

static void test_nearest__more_than_the_memory_takes(void **state) {
  fixture *f = *state;
  float query[DIM];
  aio__found_chunk *found;
  size_t n = 0;
  close_store(f);
  f->options.vector_memory_max = 1 << 20;
  assert_int_equal(open_store(f), AIORCH_OK);
  fill_directly(f, 1, 30000);
  vector_at(1.0, query);
  assert_int_equal(try_nearest(f, AIO__LIT("t0"), MODEL, query, 5, &found, &n), AIORCH_E_TOO_LARGE);
  expect_words(f, "vector.memory_max");
  assert_true(aio__residents_bytes(&inner(f)->residents) <= 1 << 20);
  execute(f, "knowledge.db", "UPDATE vector_models SET marks = 10"); /* nor when it is told too late */
  assert_int_equal(try_nearest(f, AIO__LIT("t0"), MODEL, query, 5, &found, &n), AIORCH_E_TOO_LARGE);
  expect_words(f, "vector.memory_max");
  assert_int_equal(aio__residents_bytes(&inner(f)->residents), 0);
}

/* With time for a part of it only, each search leaves what it has read to the next. */
static void test_nearest__an_index_that_takes_longer_than_a_search_may(void **state) {
  enum { MANY = 100000 };
  fixture *f = *state;
  float query[DIM];
  aio__found_chunk *found;
  aiorch_status status = AIORCH_E_DEADLINE;
  size_t n = 0;
  int64_t filled = -1;
  fill_directly(f, 1, MANY);
  vector_of(4711, query);
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 3};
  for (int ms = 1; status == AIORCH_E_DEADLINE && ms < 10000; ms++) {
    int64_t soon = aio__clock_after_ms(aio__clock_system(), ms);
    status = CALL_UNTIL(f, soon, knowledge, nearest, AIO__LIT("t0"), &args, NULL, 0, &f->arena, &found, &n);
    const aio__resident *r = inner(f)->residents.oldest;
    assert_true(r == NULL || r->filled >= filled);
    if (r != NULL) filled = r->filled;
  }
  assert_int_equal(status, AIORCH_OK);
  assert_int_equal(n, 3);
  assert_string_equal(found[0].chunk_id, "c4711");
  assert_true(filled == AIO__RESIDENT_FULL);
  vector_of(99999, query);
  assert_int_equal(nearest(f, AIO__LIT("t0"), query, 1, &found), 1);
  assert_string_equal(found[0].chunk_id, "c99999");
}

/* ---- several threads that all need an index that is not there ----------------------------------------------------- */

static void *search_once(void *ctx) {
  searcher *s = ctx;
  aio__arena arena;
  waiting w;
  float query[DIM];
  aio__found_chunk *found = NULL;
  size_t n = 0;
  aio__arena_init(&arena, &s->f->memory.al, 1024);
  vector_of(777, query);
  aio__nearest_args args = {.fingerprint = MODEL, .dimensions = DIM, .query = query, .threshold = -1.0, .limit = 1};
  waiting_init(&w, AIO__NEVER);
  aiorch_status status = waiting_end(
    &w, s->f->store->knowledge->nearest(s->f->store, &w.op, AIO__LIT("t0"), &args, NULL, 0, &arena, &found, &n));
  s->failed = status != AIORCH_OK || n != 1 || strcmp(found[0].chunk_id, "c777") != 0;
  aio__arena_free(&arena);
  return NULL;
}

static void test_nearest__several_need_what_is_not_there_yet(void **state) {
  enum { THREADS = 12 }; /* more than there are connections that read */
  fixture *f = *state;
  pthread_t threads[THREADS];
  searcher searchers[THREADS];
  fill_directly(f, 1, 5000);
  for (int i = 0; i < THREADS; i++) {
    searchers[i] = (searcher){f, false};
    assert_int_equal(pthread_create(&threads[i], NULL, search_once, &searchers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_false(searchers[i].failed);
  }
  assert_ptr_equal(inner(f)->residents.oldest, inner(f)->residents.newest); /* one index */
  assert_int_equal(inner(f)->residents.oldest->uses, 0);
}

#define SQLITE_CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown_folder)

int main(void) {
  const struct CMUnitTest tests[] = {
    SQLITE_CASE(test_open__again_finds_what_was_kept),
    SQLITE_CASE(test_open__schema_without_vectors),
    SQLITE_CASE(test_nearest__two_handles_on_one_folder),
    SQLITE_CASE(test_nearest__two_handles_through_any_changes),
    SQLITE_CASE(test_nearest__another_process_changes_it),
    SQLITE_CASE(test_nearest__changes_that_are_no_longer_told),
    SQLITE_CASE(test_changes__are_kept_within_bounds),
    SQLITE_CASE(test_nearest__index_ahead_of_the_search),
    SQLITE_CASE(test_nearest__damaged_vectors),
    SQLITE_CASE(test_nearest__damaged_models),
    SQLITE_CASE(test_nearest__ten_thousand_tenants_in_little_memory),
    SQLITE_CASE(test_nearest__more_than_the_memory_takes),
    SQLITE_CASE(test_nearest__an_index_that_takes_longer_than_a_search_may),
    SQLITE_CASE(test_nearest__several_need_what_is_not_there_yet),
  };
  (void)conformance_tests; /* test_sqlite runs them */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
