/* What must hold of a store whatever went wrong, read from its databases without the library; and folders. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenario.h"

/* ---- one database ------------------------------------------------------------------------------------------------ */

typedef struct checked {
  sqlite3 *db;
  const char *name;
  scenario_ledger *ledger;
} checked;

/* The first column of the first row as a number; -1 when there is none or the statement fails. */
static int64_t number(checked *c, const char *sql, const char *value) {
  sqlite3_stmt *stmt = NULL;
  int64_t out = -1;
  if (sqlite3_prepare_v2(c->db, sql, -1, &stmt, NULL) == SQLITE_OK) {
    if (value != NULL) (void)sqlite3_bind_text(stmt, 1, value, -1, SQLITE_TRANSIENT);
    if (sqlite3_step(stmt) == SQLITE_ROW) out = sqlite3_column_int64(stmt, 0);
  }
  if (sqlite3_finalize(stmt) != SQLITE_OK || stmt == NULL)
    scenario_say(c->ledger, "%s: %s: %s", c->name, sql, sqlite3_errmsg(c->db));
  return out;
}

static void expect_none(checked *c, const char *what, const char *sql) {
  int64_t n = number(c, sql, NULL);
  if (n != 0) scenario_say(c->ledger, "%s: %lld %s", c->name, (long long)n, what);
}

static bool open_db(checked *c, const char *folder, const char *name, scenario_ledger *ledger) {
  char path[PATH_MAX + 32];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  *c = (checked){.name = name, .ledger = ledger};
  if (access(path, F_OK) != 0) return false; /* it died before there was one */
  if (sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
    scenario_say(ledger, "%s cannot be opened: %s", name, sqlite3_errmsg(c->db));
    (void)sqlite3_close(c->db);
    return false;
  }
  (void)sqlite3_busy_timeout(c->db, 2000);
  return true;
}

static void check_integrity(checked *c) {
  sqlite3_stmt *stmt = NULL;
  const char *said = "no row";
  if (sqlite3_prepare_v2(c->db, "PRAGMA integrity_check(3)", -1, &stmt, NULL) != SQLITE_OK)
    said = sqlite3_errmsg(c->db);
  else if (sqlite3_step(stmt) == SQLITE_ROW)
    said = (const char *)sqlite3_column_text(stmt, 0);
  if (strcmp(said, "ok") != 0) scenario_say(c->ledger, "%s: integrity_check: %s", c->name, said);
  (void)sqlite3_finalize(stmt);
}

static bool has_schema(checked *c) {
  return number(c, "SELECT count(*) FROM sqlite_schema WHERE name IN ('documents', 'ai_attempts')", NULL) == 1;
}

/* ---- what must hold ---------------------------------------------------------------------------------------------- */

/* 1099511627775: the low 40 bits of a vector's number say which chunk or answer it belongs to, the others its model. */
static void check_vectors(checked *c) {
  expect_none(c, "vectors of no model",
              "SELECT count(*) FROM vectors WHERE no >> 40 NOT IN (SELECT no FROM vector_models)");
  expect_none(c, "vectors without their chunk",
              "SELECT count(*) FROM vectors v JOIN vector_models m ON m.no = v.no >> 40 JOIN tenants t ON t.tenant_id ="
              " m.tenant_id WHERE m.kind = 1 AND NOT EXISTS (SELECT 1 FROM chunks k WHERE k.tenant_id = m.tenant_id AND"
              " k.no = (t.no << 40) + (v.no & 1099511627775))");
  expect_none(c, "vectors without their answer",
              "SELECT count(*) FROM vectors v JOIN vector_models m ON m.no = v.no >> 40 WHERE m.kind = 2 AND NOT EXISTS"
              " (SELECT 1 FROM semantic_cache s WHERE s.tenant_id = m.tenant_id AND s.no = (v.no & 1099511627775))");
  expect_none(c, "vectors that are not whole",
              "SELECT count(*) FROM vectors v JOIN vector_models m ON m.no = v.no >> 40 WHERE coalesce(length(v.vector),"
              " 0) <> 4 * m.dimensions");
  expect_none(c, "models whose count of vectors is wrong",
              "SELECT count(*) FROM vector_models m WHERE marks <> (SELECT count(*) FROM vectors v WHERE v.no BETWEEN"
              " m.no << 40 AND (m.no << 40) + 1099511627775)");
  expect_none(c, "chunks without a vector before the place where those are looked for",
              "SELECT count(*) FROM vector_models m JOIN chunks k ON k.tenant_id = m.tenant_id WHERE m.kind = 1 AND k.no <"
              " m.missing_from AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.no = (m.no << 40) + (k.no &"
              " 1099511627775))");
  expect_none(c, "models whose changes are not all told",
              "SELECT count(*) FROM vector_models m WHERE changed <> (SELECT count(*) FROM changes c WHERE c.model = m.no)"
              " OR changed <> (SELECT coalesce(max(seq), 0) FROM changes c WHERE c.model = m.no)");
  int64_t n = number(c,
                     "SELECT count(*) FROM vectors v JOIN vector_models m ON m.no = v.no >> 40 AND m.kind = 1 JOIN documents"
                     " d ON d.source = 'guide-9.md' WHERE (v.no & 1099511627775) BETWEEN (d.first_chunk & 1099511627775)"
                     " AND (d.first_chunk & 1099511627775) + d.chunk_count - 1",
                     NULL);
  if (n < atomic_load(&c->ledger->embedded))
    scenario_say(c->ledger, "%s: of %d acknowledged vectors %lld are there", c->name,
                 atomic_load(&c->ledger->embedded), (long long)n);
}

static void check_knowledge(checked *c) {
  check_integrity(c);
  if (!has_schema(c)) return;
  expect_none(
    c, "documents whose chunks are not all there",
    "SELECT count(*) FROM documents d WHERE chunk_count <> (SELECT count(*) FROM chunks k WHERE k.document = d.no"
    " AND k.tenant_id = d.tenant_id AND k.no BETWEEN d.first_chunk AND d.first_chunk + d.chunk_count - 1)");
  expect_none(
    c, "documents whose text is not all there",
    "SELECT count(*) FROM documents d WHERE bytes <> (SELECT coalesce(sum(length(text)), 0) FROM document_parts p"
    " WHERE p.document = d.no AND p.tenant_id = d.tenant_id)");
  expect_none(c, "chunks without a document",
              "SELECT count(*) FROM chunks WHERE document NOT IN (SELECT no FROM documents)");
  expect_none(c, "parts without a document",
              "SELECT count(*) FROM document_parts WHERE document NOT IN (SELECT no FROM documents)");
  expect_none(c, "metadata without a document",
              "SELECT count(*) FROM document_metadata WHERE document NOT IN (SELECT no FROM documents)");
  expect_none(c, "chunks without full text",
              "SELECT count(*) FROM chunks WHERE no NOT IN (SELECT id FROM chunk_words_docsize)");
  expect_none(c, "rows of full text without a chunk",
              "SELECT count(*) FROM chunk_words_docsize WHERE id NOT IN (SELECT no FROM chunks)");
  expect_none(c, "documents whose words are not found",
              "SELECT count(*) FROM documents d WHERE chunk_count > 0 AND NOT EXISTS (SELECT 1 FROM chunk_words WHERE"
              " chunk_words MATCH 'dump' AND rowid BETWEEN d.first_chunk AND d.first_chunk + d.chunk_count - 1)");
  expect_none(
    c, "tenants whose sums are wrong",
    "SELECT count(*) FROM tenants t WHERE documents <> (SELECT count(*) FROM documents d WHERE d.tenant_id ="
    " t.tenant_id) OR chunks <> (SELECT count(*) FROM chunks k WHERE k.tenant_id = t.tenant_id) OR text_bytes <>"
    " (SELECT coalesce(sum(bytes), 0) FROM documents d WHERE d.tenant_id = t.tenant_id) OR cache_rows <>"
    " (SELECT count(*) FROM semantic_cache s WHERE s.tenant_id = t.tenant_id) OR cache_bytes <>"
    " (SELECT coalesce(sum(bytes), 0) FROM semantic_cache s WHERE s.tenant_id = t.tenant_id)");
  expect_none(c, "cached answers that rest on what is gone or has changed",
              "SELECT count(*) FROM cache_documents s JOIN tenants t ON t.no = s.tenant LEFT JOIN documents d ON d.no = s.document"
              " AND d.tenant_id = t.tenant_id LEFT JOIN semantic_cache c ON c.no = s.entry AND c.tenant_id = t.tenant_id"
              " WHERE coalesce(instr(c.rests_on, d.no || ' ' || d.version || ' ' || d.id || ' '), 0) = 0");
  expect_none(c, "sources without a cached answer",
              "SELECT count(*) FROM cache_documents WHERE entry NOT IN (SELECT no FROM semantic_cache) OR part <> entry >> 8");
  expect_none(c, "cached answers that are not found by what they rest on",
              "SELECT (SELECT count(*) FROM cache_documents) <> (SELECT coalesce(sum(length(rests_on) -"
              " length(replace(rests_on, ' ', ''))), 0) / 3 FROM semantic_cache)");
  check_vectors(c);
  if (sqlite3_exec(c->db, "INSERT INTO chunk_words(chunk_words) VALUES ('integrity-check')", NULL, NULL, NULL) !=
      SQLITE_OK)
    scenario_say(c->ledger, "%s: full text: %s", c->name, sqlite3_errmsg(c->db));
}

static void check_ledger(checked *c) {
  scenario_ledger *ledger = c->ledger;
  check_integrity(c);
  if (!has_schema(c)) return;
  for (int i = 0; i < atomic_load(&ledger->acknowledged.n); i++) {
    const char *id = ledger->acknowledged.id[i];
    int64_t n = number(c, "SELECT count(*) FROM ai_api_calls WHERE id = ?1", id);
    if (n != 1) scenario_say(ledger, "%s: an acknowledged cost row is there %lld times", c->name, (long long)n);
    n = number(c, "SELECT count(*) FROM ai_attempts WHERE run_id = ?1 AND state = 0", id);
    if (n != 0) scenario_say(ledger, "%s: an acknowledged run has a pending attempt", c->name);
  }
  for (int i = 0; i < atomic_load(&ledger->called.n); i++) {
    int64_t n = number(c, "SELECT count(*) FROM ai_attempts WHERE run_id = ?1 AND kind = 1", ledger->called.id[i]);
    if (n < 1) scenario_say(ledger, "%s: a call of the provider has no attempt", c->name);
  }
  expect_none(c, "attempts in no state that there is", "SELECT count(*) FROM ai_attempts WHERE state NOT IN (0, 1, 2)");
  expect_none(c, "cost rows that are there twice",
              "SELECT count(*) FROM (SELECT 1 FROM ai_api_calls GROUP BY id HAVING count(*) > 1)");
  expect_none(c, "tenants whose total is not the sum of their rows",
              "SELECT count(*) FROM run_totals t WHERE runs <> (SELECT count(*) FROM ai_api_calls a WHERE a.tenant_id ="
              " t.tenant_id) OR cost_nano_usd <> (SELECT coalesce(sum(cost_nano_usd), 0) FROM ai_api_calls a WHERE"
              " a.tenant_id = t.tenant_id)");
}

void scenario_check_store(const char *folder, scenario_ledger *ledger) {
  checked c;
  if (open_db(&c, folder, "knowledge.db", ledger)) {
    check_knowledge(&c);
    (void)sqlite3_close(c.db);
  }
  if (open_db(&c, folder, "ledger.db", ledger)) {
    check_ledger(&c);
    (void)sqlite3_close(c.db);
  } else if (atomic_load(&ledger->acknowledged.n) > 0) {
    scenario_say(ledger, "ledger.db is gone");
  }
}

/* ---- folders ----------------------------------------------------------------------------------------------------- */

void scenario_temp(char out[PATH_MAX]) {
  const char *base = getenv("TMPDIR");
  if (access("/dev/shm", W_OK) == 0)
    base = "/dev/shm"; /* memory: no fault here depends on the disk, and its fsync takes long */
  (void)snprintf(out, PATH_MAX, "%s/aiorch-fault-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
  if (mkdtemp(out) == NULL) {
    perror(out);
    exit(1);
  }
}

void scenario_remove(const char *folder) {
  DIR *dir = opendir(folder);
  if (dir == NULL) return;
  for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
    char path[PATH_MAX + 300];
    struct stat info;
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
      scenario_remove(path);
    else
      (void)unlink(path);
  }
  (void)closedir(dir);
  (void)rmdir(folder);
}

static void copy_file(const char *from, const char *to) {
  static char bytes[1 << 16];
  int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ssize_t n = 0;
  if (in < 0 || out < 0) {
    perror(in < 0 ? from : to);
    exit(1);
  }
  while ((n = read(in, bytes, sizeof bytes)) > 0)
    if (write(out, bytes, (size_t)n) != n) exit(1);
  (void)close(in);
  (void)close(out);
}

void scenario_copy(const char *from, const char *to) {
  scenario_remove(to);
  if (mkdir(to, 0700) != 0 && errno != EEXIST) {
    perror(to);
    exit(1);
  }
  DIR *dir = opendir(from);
  if (dir == NULL) exit(1);
  for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
    char a[PATH_MAX + 300], b[PATH_MAX + 300];
    if (e->d_name[0] == '.') continue;
    (void)snprintf(a, sizeof a, "%s/%s", from, e->d_name);
    (void)snprintf(b, sizeof b, "%s/%s", to, e->d_name);
    copy_file(a, b);
  }
  (void)closedir(dir);
}
