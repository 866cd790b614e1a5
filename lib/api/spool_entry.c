/* The spool for operators: aiorch_spool_list, aiorch_spool_replay. */
#include <string.h>

#include <aiorch/spool.h>

#include "api/config.h"
#include "core/text_handle.h"
#include "pipeline/orch.h"
#include "pipeline/store_place.h"
#include "stores/spool.h"
#include "stores/spooled.h"

enum { REPORT_MAX = 64 << 20, REFUSED_SHOWN = 100, ARENA = 1 << 14 };

_Static_assert((int)AIORCH_SPOOL_ANY_STORE == (int)AIO__REPLAY_ANY_STORE, "the same bits");
_Static_assert((int)AIORCH_SPOOL_POISON == (int)AIO__REPLAY_POISON, "the same bits");

/* ---- list ----------------------------------------------------------------------------------------------------------- */

typedef struct listing {
  const aio__alloc *al;
  const char *path;
  aio__json_writer w;
  uint64_t rows, poison;
} listing;

static void put_refused(listing *l, const aio__spool_row *row, aio__arena *arena) {
  aio__spool_row inner;
  bool known = aio__spool_record_read(row->record, arena, &inner, NULL) == AIORCH_OK && inner.kind != AIO__SPOOL_REFUSED;
  aio__jw_object(&l->w);
  aio__jw_kz(&l->w, "run_id", !known ? NULL : inner.run != NULL ? inner.run->id : inner.attempts->run_id);
  aio__jw_kz(&l->w, "status", aiorch_status_name(row->status));
  aio__jw_kstr(&l->w, "reason", row->reason);
  aio__jw_object_end(&l->w);
}

/* All records; of those that were refused what the store has said. */
static aiorch_status put_records(listing *l, aio__spool_reader *reader, bool poison, aiorch_error *error) {
  aio__arena arena;
  aio__str record;
  aiorch_status status;
  aio__arena_init(&arena, l->al, ARENA);
  if (poison) {
    aio__jw_key(&l->w, "refused");
    aio__jw_array(&l->w);
  }
  while ((status = aio__spool_reader_next(reader, &record, error)) == AIORCH_OK) {
    aio__spool_row row;
    if (!poison || reader->records > REFUSED_SHOWN) continue;
    if (aio__spool_record_read(record, &arena, &row, error) == AIORCH_OK && row.kind == AIO__SPOOL_REFUSED)
      put_refused(l, &row, &arena);
    aio__arena_free(&arena);
  }
  if (poison) aio__jw_array_end(&l->w);
  return status == AIORCH_DONE ? AIORCH_OK : status;
}

static aiorch_status put_file(listing *l, const aio__spool_file *file, aiorch_error *error) {
  static const char *const states[] = {"rows", "making", "poison", "damaged"};
  aio__spool_reader reader;
  aiorch_status status = aio__spool_reader_open(l->al, l->path, file->name, false, &reader, error);
  if (status == AIORCH_AGAIN) return AIORCH_OK; /* it has just gone */
  aio__jw_object(&l->w);
  aio__jw_kz(&l->w, "name", file->name);
  aio__jw_kz(&l->w, "state", states[file->state]);
  aio__jw_kbool(&l->w, "writing", file->state == AIO__SPOOL_ROWS && !aio__spool_is_left(l->path, file->name));
  aio__jw_ki64(&l->w, "bytes", file->bytes);
  if (status == AIORCH_OK) {
    aio__jw_kz(&l->w, "store", reader.store[0] != '\0' ? reader.store : NULL);
    aio__jw_ki64(&l->w, "created_ms", reader.created_ms);
    status = put_records(l, &reader, file->state == AIO__SPOOL_POISON, error);
    aio__jw_ki64(&l->w, "rows", (int64_t)reader.records);
    aio__jw_ki64(&l->w, "damaged_bytes", (int64_t)reader.damaged);
    aio__jw_ki64(&l->w, "torn_bytes", (int64_t)reader.torn);
    if (file->state == AIO__SPOOL_ROWS) l->rows += reader.records;
    if (file->state == AIO__SPOOL_POISON) l->poison += reader.records;
    aio__spool_reader_close(&reader);
  } else if (status == AIORCH_E_STORE_NEWER) {
    aio__jw_kz(&l->w, "error", aiorch_status_name(status)); /* told, and the others are listed */
    aio__error_clear(error);
    status = AIORCH_OK;
  }
  aio__jw_object_end(&l->w);
  return status;
}

static aiorch_status put_folder(listing *l, int64_t max_bytes, aiorch_error *error) {
  aio__spool_files files;
  int64_t bytes = 0;
  aiorch_status status = aio__spool_list(l->al, l->path, &files, error);
  if (status != AIORCH_OK) return status;
  aio__jw_object(&l->w);
  aio__jw_kz(&l->w, "path", l->path);
  aio__jw_key(&l->w, "files");
  aio__jw_array(&l->w);
  for (size_t i = 0; i < files.n && status == AIORCH_OK; i++) {
    bytes += files.file[i].bytes;
    status = put_file(l, &files.file[i], error);
  }
  aio__jw_array_end(&l->w);
  aio__jw_ki64(&l->w, "bytes", bytes);
  aio__jw_ki64(&l->w, "max_bytes", max_bytes);
  aio__jw_ki64(&l->w, "rows", (int64_t)l->rows);
  aio__jw_ki64(&l->w, "poison", (int64_t)l->poison);
  aio__jw_object_end(&l->w);
  aio__spool_files_free(&files);
  return status;
}

aiorch_status aiorch_spool_list(const aiorch_config *config, aiorch_text **out, aiorch_error *error) {
  aio__error_clear(error);
  if (aio__config_check(config) != AIORCH_OK || !out) {
    return aio__error_set(error, AIORCH_E_INVALID, "a configuration and a place for the result are needed");
  }
  aio__buf folder, buf;
  listing l = {.al = &config->al};
  aio__buf_init(&folder, l.al, AIO__STORE_PLACE_MAX);
  aio__buf_init(&buf, l.al, REPORT_MAX);
  aio__jw_init(&l.w, &buf);
  aiorch_status st = aio__spool_place(config->options.spool_path, &folder, error);
  l.path = aio__buf_cstr(&folder);
  if (st == AIORCH_OK) st = put_folder(&l, config->options.spool_max_bytes, error);
  if (st == AIORCH_OK) {
    st = aio__text_from_buf(&buf, out);
    if (st) aio__error_set(error, st, "the list of the spool could not be written: %s", aiorch_strerror(st));
  }
  aio__buf_free(&buf);
  aio__buf_free(&folder);
  return st;
}

/* ---- replay --------------------------------------------------------------------------------------------------------- */

static aiorch_status put_report(const aiorch *orch, const aio__spool_report *report, aiorch_text **out) {
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, orch->al, REPORT_MAX);
  aio__jw_init(&w, &buf);
  aio__jw_object(&w);
  aio__jw_ki64(&w, "replayed", (int64_t)report->replayed);
  aio__jw_ki64(&w, "poison", (int64_t)report->poison);
  aio__jw_ki64(&w, "damaged_bytes", (int64_t)report->damaged);
  aio__jw_ki64(&w, "held", (int64_t)report->held);
  aio__jw_object_end(&w);
  aiorch_status st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  return st;
}

aiorch_status aiorch_spool_replay(aiorch *orch, int32_t what, int64_t timeout_ms, aiorch_text **out,
                                  aiorch_error *error) {
  aio__str tenant;
  aio__spool_report report;
  if (!out || what < 0 || what > (AIORCH_SPOOL_ANY_STORE | AIORCH_SPOOL_POISON)) {
    aio__error_clear(error);
    return aio__error_set(error, AIORCH_E_INVALID, "a place for the result and AIORCH_SPOOL_* are needed");
  }
  aiorch_status st = aio__orch_enter(orch, AIO__LIT("any"), &tenant, error);
  if (st) return st;
  if (aio__calls_inside(orch->calls)) {
    return aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  }
  if (!orch->spooled) {
    return aio__error_set(error, AIORCH_E_UNSUPPORTED,
                          "this store has no spool: its rows go to it at once (\"spool.mode\" is \"%s\")",
                          orch->options.spool_mode);
  }
  st = aio__spooled_replay(orch->spooled, what, aio__clock_after_ms(orch->clock, timeout_ms), &report, error);
  aio__log_flush(orch->log);
  if (st < 0) return st;
  aiorch_status written = put_report(orch, &report, out);
  return written ? aio__error_set(error, written, "the report could not be written: %s", aiorch_strerror(written)) : st;
}
