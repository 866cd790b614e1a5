/*
 * The documents that a kept answer rests on. With the answer they stand as text, to be read at once; by document they
 * stand in cache_documents, to be found when one changes. There the answers of a few hundred numbers in a row are a part,
 * and those of a part share its few pages: what is kept together is written together.
 */
#include <string.h>

#include "stores/sqlite_private.h"

enum { PART_SHIFT = 8, DIGITS_MAX = 18, TEXT_MAX = 1 << 24, KNOWN_MAX = 1024 };

/*
 * Documents that answers were kept for before, on the connection that writes. The tenant's `knowledge` counts those that
 * are added or changed and never goes back; while it stands still documents only go. So it and their count together tell
 * one state of them from any other.
 */
typedef struct known {
  uint64_t round; /* of the state under which it was read */
  int64_t document, version;
  char id[AIO__UUID_LEN + 1];
} known;

struct aio__sq_known {
  uint64_t round;
  int64_t tenant, knowledge, documents;
  known one[KNOWN_MAX];
};

static int64_t part_of(int64_t entry) {
  return entry >> PART_SHIFT;
}

/* ---- as text ---------------------------------------------------------------------------------------------------- */

typedef struct rests_on {
  int64_t document, version;
  aio__str id;
} rests_on;

static bool take_word(aio__str *text, aio__str *out) {
  const char *blank = text->n > 0 ? memchr(text->p, ' ', text->n) : NULL;
  if (blank == NULL) return false;
  *out = (aio__str){text->p, (size_t)(blank - text->p)};
  *text = (aio__str){blank + 1, text->n - out->n - 1};
  return out->n > 0;
}

static bool take_number(aio__str *text, int64_t *out) {
  aio__str word;
  if (!take_word(text, &word) || word.n > DIGITS_MAX) return false;
  *out = 0;
  for (size_t i = 0; i < word.n; i++) {
    if (word.p[i] < '0' || word.p[i] > '9') return false;
    *out = *out * 10 + (word.p[i] - '0');
  }
  return true;
}

/* The next of the list. False: it says something else. */
static bool take(aio__str *text, rests_on *out) {
  return take_number(text, &out->document) && take_number(text, &out->version) && take_word(text, &out->id) &&
         out->id.n <= AIO__UUID_LEN;
}

static aiorch_status damaged(const aio__sq_conn *conn, aiorch_error *error) {
  return aio__sq_fail_code(conn->owner->path, NULL, SQLITE_CORRUPT, error);
}

aiorch_status aio__sq_rests_on_read(aio__sq_conn *conn, aiorch_error *error, aio__str text, aio__arena *arena,
                                    aio__cache_entry *out) {
  size_t n = 0, room = 1;
  for (size_t i = 0; i < text.n; i++) room += text.p[i] == ' ';
  aio__cache_source *sources = aio__arena_alloc(arena, room * sizeof *sources);
  if (sources == NULL) return aio__sq_nomem(error);
  while (text.n > 0) {
    rests_on one;
    if (!take(&text, &one)) return damaged(conn, error);
    memcpy(sources[n].document_id, one.id.p, one.id.n);
    sources[n++].version = one.version;
  }
  out->rests_on = sources;
  out->rests_on_count = n;
  return AIORCH_OK;
}

void aio__sq_rests_on_init(aio__sq_conn *conn, aio__buf *text) {
  aio__buf_init(text, conn->owner->store->env.al, TEXT_MAX);
}

void aio__sq_known_free(aio__sq_conn *conn) {
  aio__free(conn->owner->store->env.al, conn->known);
  conn->known = NULL;
}

/* Forgets what is of another state. Without memory nothing is known. */
static void turn_known(aio__sq_conn *conn, const aio__sq_tenant *row) {
  if (conn->known == NULL) conn->known = aio__calloc(conn->owner->store->env.al, 1, sizeof *conn->known);
  aio__sq_known *k = conn->known;
  if (k == NULL || (k->tenant == row->no && k->knowledge == row->knowledge && k->documents == row->documents)) return;
  k->round++;
  k->tenant = row->no;
  k->knowledge = row->knowledge;
  k->documents = row->documents;
}

static known *place_of(aio__sq_conn *conn, const char *id) {
  uint32_t hash = 2166136261u;
  for (const char *c = id; *c != '\0'; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
  return conn->known != NULL ? &conn->known->one[hash % KNOWN_MAX] : NULL;
}

/* AIORCH_DONE: it is not there. */
static aiorch_status find_document(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const char *id,
                                   int64_t *document, int64_t *version) {
  known *k = place_of(conn, id);
  if (k == NULL || k->round != conn->known->round || strcmp(k->id, id) != 0) {
    sqlite3_stmt *stmt = NULL;
    aiorch_status status = aio__sq_query(conn, error, AIO__SQ_DOCUMENT_VERSION, &stmt, "sz", tenant, id);
    if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
    if (status != AIORCH_OK) return status;
    *document = sqlite3_column_int64(stmt, 0);
    *version = sqlite3_column_int64(stmt, 1);
    aio__sq_reset(stmt);
    if (k == NULL) return AIORCH_OK;
    *k = (known){.round = conn->known->round, .document = *document, .version = *version};
    memcpy(k->id, id, strlen(id) + 1);
  }
  *document = k->document;
  *version = k->version;
  return AIORCH_OK;
}

aiorch_status aio__sq_rests_on_write(aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                     const aio__sq_tenant *row, const aio__cache_entry *e, aio__buf *text, bool *hold) {
  aiorch_status status = AIORCH_OK;
  *hold = true;
  turn_known(conn, row);
  for (size_t i = 0; i < e->rests_on_count && *hold && status == AIORCH_OK; i++) {
    int64_t document = 0, version = 0;
    status = find_document(conn, error, tenant, e->rests_on[i].document_id, &document, &version);
    *hold = status == AIORCH_OK && version == e->rests_on[i].version;
    if (status == AIORCH_DONE) status = AIORCH_OK;
    aio__buf_i64(text, document);
    aio__buf_char(text, ' ');
    aio__buf_i64(text, version);
    aio__buf_char(text, ' ');
    aio__buf_z(text, e->rests_on[i].document_id);
    aio__buf_char(text, ' ');
  }
  return status == AIORCH_OK && text->failed != AIORCH_OK ? aio__sq_nomem(error) : status;
}

/* ---- by document ------------------------------------------------------------------------------------------------ */

/* CACHE_DOCUMENT_NEW or CACHE_DOCUMENT_DROP for each of them. */
static aiorch_status for_each(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *row, int id,
                              int64_t entry, aio__str text) {
  aiorch_status status = AIORCH_OK;
  while (text.n > 0 && status == AIORCH_OK) {
    rests_on one;
    if (!take(&text, &one)) return damaged(conn, error);
    status = aio__sq_run(conn, error, id, "iiii", row->no, part_of(entry), one.document, entry);
  }
  return status;
}

aiorch_status aio__sq_rests_on_add(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *row, int64_t entry,
                                   aio__str text) {
  return for_each(conn, error, row, AIO__SQ_CACHE_DOCUMENT_NEW, entry, text);
}

aiorch_status aio__sq_rests_on_drop(aio__sq_conn *conn, aiorch_error *error, aio__str tenant,
                                    const aio__sq_tenant *row, int64_t entry) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_CACHE_RESTS_ON, &stmt, "si", tenant, entry);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status == AIORCH_DONE ? AIORCH_OK : status;
  status = for_each(conn, error, row, AIO__SQ_CACHE_DOCUMENT_DROP, entry, aio__sq_text(stmt, 0));
  aio__sq_reset(stmt);
  return status;
}

aiorch_status aio__sq_rests_on_part(aio__sq_conn *conn, aiorch_error *error, const aio__sq_tenant *row, int64_t *part) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_CACHE_PART_NEXT, &stmt, "ii", row->no, *part);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  *part = sqlite3_column_int64(stmt, 0);
  aio__sq_reset(stmt);
  return status;
}
