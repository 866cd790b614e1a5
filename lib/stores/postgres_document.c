/* Adding, replacing and removing a document. put_document and remove_document decide; here their arguments are put together. */
#include <string.h>

#include "stores/postgres_rows.h"

/* ---- adding ------------------------------------------------------------------------------------------------------------------------ */

typedef struct added {
  aio__store_document *document;
  aio__arena *arena;
  int *what;
  aio__str **removed;
  size_t *removed_count;
  /* found */
  char id[AIO__UUID_LEN + 1];
  int64_t outcome, version, updated_ms, chunk_count;
  aio__str *ids;
  size_t count;
} added;

/* The ids in one column, without NULLs. */
static aiorch_status read_ids(const aio__pg_rows *rows, size_t column, aio__op *op, aio__arena *arena, aio__str **out, size_t *count) {
  size_t n = aio__pg_count(rows);
  *count = 0;
  *out = aio__arena_alloc(arena, (n + 1) * sizeof **out);
  if (*out == NULL) return aio__pg_nomem(&op->error);
  for (size_t i = 0; i < n; i++) {
    char id[AIO__UUID_LEN + 1];
    if (aio__pg_is_null(rows, i, column)) continue;
    aio__pg_get_uuid(rows, i, column, id);
    aio__str copy = aio__arena_str(arena, aio__str_z(id));
    if (copy.p == NULL) return aio__pg_nomem(&op->error);
    (*out)[(*count)++] = copy;
  }
  return AIORCH_OK;
}

static aiorch_status read_added(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  added *a = ctx;
  a->outcome = aio__pg_get_i64(rows, 0, 0);
  aio__pg_get_uuid(rows, 0, 1, a->id);
  a->version = aio__pg_get_i64(rows, 0, 2);
  a->updated_ms = aio__pg_get_i64(rows, 0, 3);
  a->chunk_count = aio__pg_get_i64(rows, 0, 4);
  return read_ids(rows, 5, op, a->arena, &a->ids, &a->count);
}

static aiorch_status give_added(aio__op *op, void *ctx) {
  const added *a = ctx;
  (void)op;
  memcpy(a->document->id, a->id, sizeof a->id);
  a->document->version = a->version;
  a->document->updated_ms = a->updated_ms;
  a->document->chunk_count = (uint32_t)a->chunk_count;
  a->document->bytes = a->document->text.n;
  *a->what = (int)a->outcome;
  *a->removed = a->ids;
  *a->removed_count = a->count;
  return AIORCH_OK;
}

/* What PostgreSQL has a stemmer for. */
static const struct {
  char code[3];
  const char *name;
} LANGUAGES[] = {{"ar", "arabic"},    {"ca", "catalan"}, {"da", "danish"},     {"de", "german"},     {"el", "greek"},   {"es", "spanish"},
                 {"eu", "basque"},    {"fi", "finnish"}, {"fr", "french"},     {"ga", "irish"},      {"hi", "hindi"},   {"hu", "hungarian"},
                 {"hy", "armenian"},  {"id", "indonesian"}, {"it", "italian"}, {"lt", "lithuanian"}, {"ne", "nepali"},  {"nl", "dutch"},
                 {"no", "norwegian"}, {"nb", "norwegian"},  {"pt", "portuguese"}, {"ro", "romanian"}, {"ru", "russian"}, {"sr", "serbian"},
                 {"sv", "swedish"},   {"ta", "tamil"},   {"tr", "turkish"},    {"yi", "yiddish"}};

static const char ENGLISH[] = "english";

/* "de", "de-AT" or "german", in any case. */
static bool is_language(aio__str value, size_t i) {
  const char *code = LANGUAGES[i].code, *name = LANGUAGES[i].name;
  bool coded = value.n == 2 || (value.n > 2 && (value.p[2] == '-' || value.p[2] == '_'));
  const char *wanted = coded ? code : name;
  size_t n = coded ? 2 : value.n;
  if (strlen(wanted) != n) return false;
  for (size_t k = 0; k < n; k++)
    if ((value.p[k] | 0x20) != wanted[k]) return false;
  return true;
}

/* By what its metadata says under "language" or "lang". */
static const char *language_of(const aio__store_document *d) {
  for (size_t m = 0; m < d->metadata_count; m++) {
    if (!aio__str_eqz(d->metadata[m].name, "language") && !aio__str_eqz(d->metadata[m].name, "lang")) continue;
    for (size_t i = 0; i < sizeof LANGUAGES / sizeof LANGUAGES[0]; i++)
      if (is_language(d->metadata[m].value, i)) return LANGUAGES[i].name;
    return ENGLISH;
  }
  return ENGLISH;
}

static aio__str body_of(const aio__store_document *d, const aio__store_chunk *chunk) {
  return (aio__str){d->text.p + chunk->start, (size_t)(chunk->end - chunk->start)};
}

static void put_pairs(aio__pg_step *step, const aio__store_document *d) {
  aio__pg_array(step, AIO__PG_INT8, d->anchor_count);
  for (size_t i = 0; i < d->anchor_count; i++) aio__pg_i64(step, (int64_t)d->anchors[i].offset);
  aio__pg_array(step, AIO__PG_TEXT, d->anchor_count);
  for (size_t i = 0; i < d->anchor_count; i++) aio__pg_text(step, d->anchors[i].name);
  aio__pg_array(step, AIO__PG_TEXT, d->metadata_count);
  for (size_t i = 0; i < d->metadata_count; i++) aio__pg_text(step, d->metadata[i].name);
  aio__pg_array(step, AIO__PG_TEXT, d->metadata_count);
  for (size_t i = 0; i < d->metadata_count; i++) aio__pg_text(step, d->metadata[i].value);
}

/* The name of the nearest anchor at or before each chunk. */
static void put_anchors_of_chunks(aio__pg_step *step, const aio__store_document *d, const aio__store_chunk *chunks, size_t count) {
  size_t anchor = 0;
  aio__pg_array(step, AIO__PG_TEXT, count);
  for (size_t i = 0; i < count; i++) {
    while (anchor < d->anchor_count && d->anchors[anchor].offset <= chunks[i].start) anchor++;
    aio__pg_text(step, anchor > 0 ? d->anchors[anchor - 1].name : AIO__LIT(""));
  }
}

static void put_words(aio__pg_step *step, aio__op *op, const aio__alloc *al, aio__str tenant, const aio__store_document *d,
                      const aio__store_chunk *chunks, size_t count) {
  aio__pg_words words;
  aiorch_status status = AIORCH_OK;
  int32_t *counts = aio__pg_step_alloc(step, (count + 1) * sizeof *counts);
  aio__str *texts = aio__pg_step_alloc(step, (count + 1) * sizeof *texts);
  if (counts == NULL || texts == NULL) return;
  aio__pg_words_init(&words, al, tenant, strcmp(language_of(d), ENGLISH) == 0);
  for (size_t i = 0; i < count && status == AIORCH_OK; i++) {
    aio__str text;
    uint32_t n = 0;
    if (aio__pg_words_of(&words, d->title, chunks[i].heading, body_of(d, &chunks[i]), &text, &n)) {
      char *copy = aio__pg_step_alloc(step, text.n + 1);
      if (copy == NULL) break;
      if (text.n > 0) memcpy(copy, text.p, text.n);
      texts[i] = (aio__str){copy, text.n};
      counts[i] = n < INT32_MAX ? (int32_t)n : INT32_MAX;
    } else if (words.out.failed == AIORCH_E_TOO_LARGE) {
      status = aio__error_set(&op->error, AIORCH_E_TOO_LARGE, "chunk %zu has too many words for the index of words", i);
    } else {
      status = aio__pg_nomem(&op->error);
    }
  }
  aio__pg_words_free(&words);
  if (status != AIORCH_OK) aio__pg_step_refuse(step, status);
  aio__pg_array(step, AIO__PG_INT4, count);
  for (size_t i = 0; i < count; i++) aio__pg_i32(step, counts[i]);
  aio__pg_texts(step, texts, count);
}

static void put_chunks(aio__pg_step *step, aio__op *op, const aio__alloc *al, aio__str tenant, const aio__store_document *d,
                       const aio__store_chunk *chunks, size_t count) {
  aio__pg_array(step, AIO__PG_UUID, count);
  for (size_t i = 0; i < count; i++) aio__pg_uuid(step, aio__str_z(chunks[i].id));
  aio__pg_array(step, AIO__PG_INT4, count);
  for (size_t i = 0; i < count; i++) aio__pg_i32(step, (int32_t)chunks[i].tokens);
  aio__pg_array(step, AIO__PG_INT8, count);
  for (size_t i = 0; i < count; i++) aio__pg_i64(step, (int64_t)chunks[i].start);
  aio__pg_array(step, AIO__PG_INT8, count);
  for (size_t i = 0; i < count; i++) aio__pg_i64(step, (int64_t)chunks[i].end);
  aio__pg_array(step, AIO__PG_TEXT, count);
  for (size_t i = 0; i < count; i++) aio__pg_text(step, chunks[i].heading);
  put_anchors_of_chunks(step, d, chunks, count);
  aio__pg_array(step, AIO__PG_BYTEA, count);
  for (size_t i = 0; i < count; i++) aio__pg_bytea(step, chunks[i].hash);
  put_words(step, op, al, tenant, d, chunks, count);
  aio__pg_array(step, AIO__PG_TEXT, count);
  for (size_t i = 0; i < count; i++) aio__pg_text(step, body_of(d, &chunks[i]));
}

aiorch_status aio__pg_add(aio__store *store, aio__op *op, aio__str tenant, aio__store_document *document, const aio__store_chunk *chunks,
                          size_t count, int64_t now_ms, aio__arena *arena, int *what, aio__str **removed_chunks, size_t *removed_count) {
  added a = {.document = document, .arena = arena, .what = what, .removed = removed_chunks, .removed_count = removed_count};
  for (size_t i = 0; i < count; i++)
    if (chunks[i].start > chunks[i].end || chunks[i].end > document->text.n)
      return aio__error_set(&op->error, AIORCH_E_INVALID, "chunk %zu reaches beyond the text of its document", i);
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LONG, &a, sizeof a, give_added);
  aio__pg_sql(step,
              "SELECT * FROM put_document($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23)",
              read_added);
  aio__pg_uuid(step, aio__str_z(document->id));
  aio__pg_text(step, document->source);
  aio__pg_text(step, document->title);
  aio__pg_i32(step, document->format);
  aio__pg_text(step, aio__str_z(language_of(document)));
  aio__pg_bytea(step, document->hash);
  aio__pg_i64(step, now_ms);
  aio__pg_i64(step, (int64_t)document->text.n);
  aio__pg_text(step, document->text);
  put_pairs(step, document);
  put_chunks(step, op, arena->al, tenant, document, chunks, count);
  return aio__pg_step_start(step);
}

/* ---- removing ---------------------------------------------------------------------------------------------------------------------- */

typedef struct removed {
  aio__str source;
  aio__arena *arena;
  aio__str **removed;
  size_t *removed_count;
  /* found */
  bool found;
  aio__str *ids;
  size_t count;
} removed;

static aiorch_status read_removed(const aio__pg_rows *rows, aio__op *op, void *ctx) {
  removed *r = ctx;
  r->found = aio__pg_count(rows) > 0;
  return read_ids(rows, 0, op, r->arena, &r->ids, &r->count);
}

static aiorch_status give_removed(aio__op *op, void *ctx) {
  const removed *r = ctx;
  if (!r->found)
    return aio__error_set(&op->error, AIORCH_E_NOT_FOUND, "no document with the source \"%.*s\"",
                          (int)(r->source.n < 200 ? r->source.n : 200), r->source.p);
  *r->removed = r->ids;
  *r->removed_count = r->count;
  return AIORCH_OK;
}

aiorch_status aio__pg_remove(aio__store *store, aio__op *op, aio__str tenant, aio__str source, int64_t now_ms, aio__arena *arena,
                             aio__str **removed_chunks, size_t *removed_count) {
  removed r = {.source = source, .arena = arena, .removed = removed_chunks, .removed_count = removed_count};
  (void)now_ms;
  aio__pg_step *step = aio__pg_step_new(store, op, tenant, AIO__PG_WRITE | AIO__PG_LONG, &r, sizeof r, give_removed);
  aio__pg_sql(step, "SELECT * FROM remove_document($1)", read_removed);
  aio__pg_text(step, source);
  return aio__pg_step_start(step);
}
