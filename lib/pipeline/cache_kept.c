/* See cache_kept.h. A list of sources, as long as no stop sequence ended the answer; else {"sources": [...], "stop_sequence": "END"}. A
 * source without "text" is the piece from "start" to "end" of its document. */
#include "pipeline/cache_kept.h"

#include <math.h>
#include <string.h>

#include "pipeline/run_extras.h"
#include "text/json_tape.h"

enum { KEPT_BYTES_MAX = 16 << 20, SOURCE_FRAME = 320, STOP_FRAME = 320 };

/* ---- writing ---- */

/* What the host gave may say of itself what it likes; what retrieve found is a piece of a document. */
static bool lies_in_document(const aiorch_run *run, const aio__source *s) {
  return run->orch->store->cache->texts && !run->host_sources && s->document_id[0] != '\0' && s->text.n > 0 &&
         s->end > s->start && s->end - s->start == s->text.n;
}

static void write_source(aio__json_writer *w, const aiorch_run *run, const aio__source *s) {
  aio__jw_object(w);
  aio__jw_kz(w, "document_id", s->document_id);
  aio__jw_ki64(w, "version", s->document_version);
  aio__jw_kstr(w, "title", s->title);
  aio__jw_kstr(w, "uri", s->uri);
  if (!lies_in_document(run, s)) aio__jw_kstr(w, "text", s->text);
  aio__jw_ki64(w, "start", (int64_t)s->start);
  aio__jw_ki64(w, "end", (int64_t)s->end);
  aio__jw_kf64(w, "score", s->score);
  aio__jw_kf64(w, "similarity", s->similarity);
  aio__jw_object_end(w);
}

aiorch_status aio__cache_kept_write(aiorch_run *run, aio__str *out) {
  aio__buf *buf = &run->kept_json;
  aio__json_writer w;
  size_t expected = STOP_FRAME;
  for (size_t i = 0; i < run->source_count; i++) {
    const aio__source *s = &run->sources[i];
    expected += SOURCE_FRAME + s->title.n + s->uri.n + (lies_in_document(run, s) ? 0 : s->text.n + s->text.n / 16);
  }
  aio__buf_free(buf);
  aio__buf_init(buf, run->al, KEPT_BYTES_MAX);
  if (expected < KEPT_BYTES_MAX) (void)aio__buf_reserve(buf, expected);
  aio__jw_init(&w, buf);
  bool stopped = run->stopped_by.n > 0;
  if (stopped) {
    aio__jw_object(&w);
    aio__jw_kstr(&w, "stop_sequence", run->stopped_by);
    aio__jw_key(&w, "sources");
  }
  aio__jw_array(&w);
  for (size_t i = 0; i < run->source_count; i++) write_source(&w, run, &run->sources[i]);
  aio__jw_array_end(&w);
  if (stopped) aio__jw_object_end(&w);
  *out = aio__buf_view(buf);
  return buf->failed;
}

/* ---- reading ---- */

/* The run keeps copies. */
typedef struct reading {
  aiorch_run *run;
  aio__tape tape;
  aio__buf scratch; /* for strings with escapes */
  aio__cache_text away[AIO__SOURCES_MAX];
  size_t of[AIO__SOURCES_MAX], away_count; /* of: which source it is the text of */
} reading;

static aiorch_status read_text(reading *r, aio__tape_value value, aio__str *out) {
  aiorch_status st = aio__tape_str(&r->tape, value, NULL, &r->scratch, out);
  if (st || out->n == 0) return st;
  *out = aio__arena_str(&r->run->arena, *out);
  return out->p ? AIORCH_OK : AIORCH_E_NOMEM;
}

static aiorch_status read_source(reading *r, aio__tape_value value, aio__source *source) {
  const aio__tape *t = &r->tape;
  int64_t start = 0, end = 0, version = 0;
  aio__str id;
  aiorch_status st = read_text(r, AIO__TAPE_GET(t, value, "title"), &source->title);
  if (st == AIORCH_OK) st = read_text(r, AIO__TAPE_GET(t, value, "uri"), &source->uri);
  if (st == AIORCH_OK) st = read_text(r, AIO__TAPE_GET(t, value, "text"), &source->text);
  if (st == AIORCH_OK) st = aio__tape_str(t, AIO__TAPE_GET(t, value, "document_id"), NULL, &r->scratch, &id);
  if (st) return st;
  if (id.n == AIO__UUID_LEN) memcpy(source->document_id, id.p, id.n);
  (void)aio__tape_i64(t, AIO__TAPE_GET(t, value, "start"), &start);
  (void)aio__tape_i64(t, AIO__TAPE_GET(t, value, "end"), &end);
  (void)aio__tape_i64(t, AIO__TAPE_GET(t, value, "version"), &version);
  bool given = aio__tape_typeof(t, AIO__TAPE_GET(t, value, "text")) != AIO__JSON_NULL;
  bool is_away = !given && id.n == AIO__UUID_LEN && start < end;
  if (is_away) {
    aio__cache_text *away = &r->away[r->away_count];
    *away = (aio__cache_text){.version = version, .start = (uint64_t)start, .end = (uint64_t)end};
    memcpy(away->document_id, source->document_id, sizeof away->document_id);
    r->of[r->away_count++] = (size_t)(source - r->run->sources);
  }
  source->start = (uint64_t)start;
  source->end = (uint64_t)end;
  source->document_version = version;
  if (!aio__tape_f64(t, AIO__TAPE_GET(t, value, "score"), &source->score)) source->score = 0;
  if (!aio__tape_f64(t, AIO__TAPE_GET(t, value, "similarity"), &source->similarity)) source->similarity = (double)NAN;
  return AIORCH_OK;
}

static aiorch_status read_sources(reading *r, aio__tape_value list) {
  aiorch_run *run = r->run;
  size_t count = aio__tape_size(&r->tape, list);
  if (count > AIO__SOURCES_MAX) count = AIO__SOURCES_MAX;
  run->sources = aio__arena_alloc(&run->arena, (count ? count : 1) * sizeof *run->sources);
  if (!run->sources) return AIORCH_E_NOMEM;
  aiorch_status st = AIORCH_OK;
  aio__tape_value value = aio__tape_first(&r->tape, list);
  for (size_t i = 0; st == AIORCH_OK && i < count; i++, value = aio__tape_next(&r->tape, list, value)) {
    st = read_source(r, value, &run->sources[i]);
    run->source_count = i + 1;
  }
  return st;
}

/* AIORCH_E_STORE_CORRUPT: the store has one of them no more, or cannot be asked. */
static aiorch_status bring_texts(reading *r) {
  aiorch_run *run = r->run;
  aio__store *store = run->orch->store;
  bool found = false;
  if (r->away_count == 0) return AIORCH_OK;
  if (!store->cache->texts) return AIORCH_E_STORE_CORRUPT;
  aio__op op;
  aio__op_init(&op, run->deadline_ns, NULL, NULL);
  aiorch_status st = store->cache->texts(store, &op, run->tenant, r->away, r->away_count, &run->arena, &found);
  if (st == AIORCH_E_NOMEM) return st;
  if (st || !found) return AIORCH_E_STORE_CORRUPT;
  for (size_t i = 0; i < r->away_count; i++) run->sources[r->of[i]].text = r->away[i].text;
  return AIORCH_OK;
}

static aiorch_status read_all(reading *r) {
  const aio__tape *t = &r->tape;
  aiorch_status st = aio__tape_read(&r->tape, r->run->entry.sources);
  if (st) return st == AIORCH_E_NOMEM ? st : AIORCH_E_STORE_CORRUPT;
  if (aio__tape_typeof(t, AIO__TAPE_ROOT) != AIO__JSON_OBJECT) return read_sources(r, AIO__TAPE_ROOT);
  aio__str stop = AIO__LIT("");
  st = read_sources(r, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "sources"));
  if (st == AIORCH_OK) st = aio__tape_str(t, AIO__TAPE_GET(t, AIO__TAPE_ROOT, "stop_sequence"), NULL, &r->scratch, &stop);
  if (st == AIORCH_OK) aio__run_stopped_by(r->run, stop);
  return st;
}

aiorch_status aio__cache_kept_read(aiorch_run *run) {
  run->sources = NULL;
  run->source_count = 0;
  aio__run_stopped_by(run, AIO__LIT(""));
  if (run->entry.sources.n == 0) return AIORCH_OK;
  reading r = {.run = run, .away_count = 0};
  aio__tape_init(&r.tape, run->al);
  aio__buf_init(&r.scratch, run->al, run->entry.sources.n);
  aiorch_status st = read_all(&r);
  if (st == AIORCH_OK) st = bring_texts(&r);
  aio__buf_free(&r.scratch);
  aio__tape_free(&r.tape);
  if (st == AIORCH_OK) return st;
  run->sources = NULL;
  run->source_count = 0;
  return st;
}
