/*
 * Replay: a cycle goes through all files that nobody writes, the oldest first, and through each from its beginning. Rows are read as
 * batches; of a batch those go to the store together that do not wait for an earlier row of the same run. What the store refuses is
 * tried again when nothing else is under way, and then set aside. When the store is away the cycle ends, its file stays
 * whole, and the next cycle begins after a pause.
 */
#include <string.h>

#include "stores/spooled_private.h"

enum { ARENA = 1 << 14 };

static const int64_t NS_PER_S = 1000000000;

static int64_t now_ns(const aio__spooled *s) { return aio__clock_now(s->env.clock); }

/* ---- the end of a cycle --------------------------------------------------------------------------------------------- */

static void drop_batch(aio__replay *r) {
  r->n = 0;
  aio__arena_free(&r->arena);
}

static void close_file(aio__replay *r) {
  if (r->open) aio__spool_reader_close(&r->reader);
  r->open = false;
}

static int64_t jittered(int64_t pause_ms) {
  uint32_t random = 0;
  (void)aio__random(&random, sizeof random);
  return pause_ms / 2 + (int64_t)(random % (uint64_t)(pause_ms / 2 + 1));
}

static void end_cycle(aio__spooled *s, aiorch_status status, const aiorch_error *error) {
  aio__replay *r = &s->replay;
  r->probes = r->open && r->doubts == 0; /* this file is the one to try the store with */
  drop_batch(r);
  close_file(r);
  aio__spool_end_aside(s->spool);
  aio__spool_files_free(&r->files);
  if (r->replayed > 0)
    aio__spooled_tell(s, AIORCH_LOG_INFO, "spool_replayed", NULL, (aio__str){0}, "rows", r->replayed);
  r->pause_ms = status == AIORCH_OK ? 0 : r->pause_ms == 0 ? AIO__REPLAY_PAUSE_MIN_MS : r->pause_ms * 2;
  if (r->pause_ms > AIO__REPLAY_PAUSE_MAX_MS) r->pause_ms = AIO__REPLAY_PAUSE_MAX_MS;
  int64_t pause_ms = r->pause_ms > 0 ? jittered(r->pause_ms) : 0;
  r->running = false;
  bool again = r->doubts > 0; /* by now the store has taken something */
  if (r->doubts == 0) r->in_doubt = false;
  pthread_mutex_lock(&s->mutex);
  bool more = again || aio__spool_pending(s->spool) > 0;
  s->ended++;
  s->outcome.status = status;
  aio__error_clear(&s->outcome.error);
  if (status != AIORCH_OK) aio__error_copy(&s->outcome.error, error);
  if (s->asked == 0) s->due_ns = status != AIORCH_OK ? aio__clock_after_ms(s->env.clock, pause_ms) : more ? 0 : AIO__NEVER;
  pthread_cond_broadcast(&s->cond);
  pthread_mutex_unlock(&s->mutex);
}

static void begin_cycle(aio__spooled *s, int what) {
  aio__replay *r = &s->replay;
  aiorch_error error;
  aio__error_init(&error);
  r->running = true;
  r->what = what;
  r->next_file = r->n = 0;
  r->next_ns = 0;
  r->replayed = r->doubts = 0;
  atomic_store(&s->held, 0);
  aio__arena_init(&r->arena, s->env.al, ARENA);
  if (!r->probes || (what & AIO__REPLAY_ASKED)) aio__spool_seal(s->spool);
  r->probes = false;
  aiorch_status status = aio__spool_list(s->env.al, aio__spool_path(s->spool), &r->files, &error);
  if (status != AIORCH_OK) end_cycle(s, status, &error);
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static bool is_wanted(const aio__spooled *s, const aio__spool_file *file) {
  const aio__replay *r = &s->replay;
  if (!aio__spool_is_for(s->spool, file->name) && !(r->what & AIO__REPLAY_ANY_STORE)) return false;
  return file->state == AIO__SPOOL_ROWS || file->state == AIO__SPOOL_MAKING ||
         (file->state == AIO__SPOOL_POISON && (r->what & AIO__REPLAY_POISON));
}

/* False when there is none any more. */
static bool open_file(aio__spooled *s, aiorch_error *error) {
  aio__replay *r = &s->replay;
  while (r->next_file < r->files.n) {
    const aio__spool_file *file = &r->files.file[r->next_file++];
    if (!is_wanted(s, file)) continue;
    aio__error_clear(error);
    aiorch_status status =
      aio__spool_reader_open(s->env.al, aio__spool_path(s->spool), file->name, true, &r->reader, error);
    if (status == AIORCH_OK) {
      r->open = true;
      r->keep = false;
      return true;
    }
    if (status == AIORCH_AGAIN)
      atomic_fetch_add(&s->held, 1);
    else
      aio__spooled_tell(s, AIORCH_LOG_ERROR, "spool_unreadable", "file", aio__str_z(file->name), NULL, 0);
  }
  return false;
}

static void end_file(aio__spooled *s, aiorch_error *error) {
  aio__replay *r = &s->replay;
  const char *name = r->files.file[r->next_file - 1].name;
  uint64_t damaged = r->reader.damaged, torn = r->reader.torn;
  r->open = false;
  if (r->keep) {
    aio__spool_reader_close(&r->reader);
    return;
  }
  if (aio__spool_reader_finish(&r->reader, error) != AIORCH_OK)
    aio__spooled_tell(s, AIORCH_LOG_ERROR, "spool_unreadable", "file", aio__str_z(name), NULL, 0);
  if (damaged > 0) {
    atomic_fetch_add(&s->damaged, damaged);
    aio__spooled_count(s, AIO__N_SPOOL_DAMAGED);
    aio__spooled_tell(s, AIORCH_LOG_ERROR, "spool_damaged", "file", aio__str_z(name), "bytes", damaged);
  }
  if (torn > 0) aio__spooled_tell(s, AIORCH_LOG_WARN, "spool_torn", "file", aio__str_z(name), "bytes", torn);
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

static const char *run_of(const aio__spool_row *row) {
  return row->kind == AIO__SPOOL_SETTLE ? row->run->id : row->attempts->run_id;
}

/* A record becomes a row of the batch; what no libaiorch has written counts as damaged. */
static aiorch_status add_row(aio__spooled *s, aio__str record, aiorch_error *error) {
  aio__replay *r = &s->replay;
  aio__replay_row *row = &r->row[r->n];
  row->record = aio__arena_str(&r->arena, record);
  if (row->record.p == NULL) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory to replay the spool");
  aiorch_status status = aio__spool_record_read(row->record, &r->arena, &row->row, error);
  if (status == AIORCH_OK && row->row.kind == AIO__SPOOL_REFUSED) {
    row->record = row->row.record;
    status = aio__spool_record_read(row->record, &r->arena, &row->row, error);
    if (status == AIORCH_OK && row->row.kind == AIO__SPOOL_REFUSED) status = AIORCH_E_STORE_CORRUPT;
  }
  if (status == AIORCH_E_NOMEM) return status;
  if (status == AIORCH_E_STORE_CORRUPT) r->reader.damaged += record.n;
  if (status == AIORCH_E_STORE_NEWER) r->keep = true;
  if (status != AIORCH_OK) return AIORCH_OK;
  row->store = s;
  row->state = AIO__ROW_TODO;
  row->alone = false;
  r->n++;
  return AIORCH_OK;
}

/* AIORCH_DONE at the end of the file. */
static aiorch_status read_batch(aio__spooled *s, aiorch_error *error) {
  aio__replay *r = &s->replay;
  size_t most = atomic_load(&s->down) || (r->pause_ms > 0 && !r->in_doubt) ? 1 : AIO__REPLAY_BATCH;
  aiorch_status status = AIORCH_OK;
  aio__str record;
  r->begun_ns = now_ns(s);
  while (r->n < most) {
    status = aio__spool_reader_next(&r->reader, &record, error);
    if (status == AIORCH_OK) status = add_row(s, record, error);
    if (status != AIORCH_OK) break;
  }
  return status == AIORCH_DONE && r->n > 0 ? AIORCH_OK : status;
}

static void row_ended(aio__replay_row *row) {
  aio__spooled *s = row->store;
  pthread_mutex_lock(&s->mutex);
  row->state = AIO__ROW_ENDED;
  if (--s->out == 0) pthread_cond_broadcast(&s->cond);
  pthread_mutex_unlock(&s->mutex);
}

static void row_done(aio__op *op, void *ctx) {
  (void)op;
  row_ended(ctx);
}

static void start_row(aio__spooled *s, aio__replay_row *row) {
  const aio__ledger_ops *ledger = s->inner->ledger;
  const aio__spool_row *r = &row->row;
  aio__op_init(&row->op, aio__clock_after_ms(s->env.clock, AIO__REPLAY_CALL_MS), row_done, row);
  pthread_mutex_lock(&s->mutex);
  row->state = AIO__ROW_OUT;
  s->out++;
  pthread_mutex_unlock(&s->mutex);
  aiorch_status status = r->kind == AIO__SPOOL_SETTLE
                           ? ledger->settle(s->inner, &row->op, r->tenant, r->run, r->attempts, r->count)
                           : ledger->attempt(s->inner, &row->op, r->tenant, r->attempts);
  if (status == AIORCH_PENDING) return;
  row->op.status = status;
  row_ended(row);
}

static bool must_wait(const aio__replay *r, size_t i) {
  for (size_t j = 0; j < i; j++)
    if (r->row[j].state != AIO__ROW_DONE && strcmp(run_of(&r->row[j].row), run_of(&r->row[i].row)) == 0) return true;
  return false;
}

/* All that may go together; when nothing may, one of the refused rows by itself. Which may is settled before the first goes. */
static void start_rows(aio__spooled *s) {
  aio__replay *r = &s->replay;
  size_t chosen[AIO__REPLAY_BATCH], n = 0;
  for (size_t i = 0; i < r->n; i++)
    if (r->row[i].state == AIO__ROW_TODO && !must_wait(r, i)) chosen[n++] = i;
  for (size_t i = 0; i < r->n && n == 0; i++) {
    if (r->row[i].state != AIO__ROW_REFUSED) continue;
    r->row[i].alone = true;
    chosen[n++] = i;
  }
  for (size_t i = 0; i < n; i++) start_row(s, &r->row[chosen[i]]);
}

/* Whether it may be the store that is wrong, and not this row: nothing was taken since a row was refused like this. Its file stays. */
static bool is_doubtful(aio__spooled *s, const aio__replay_row *row) {
  aio__replay *r = &s->replay;
  uint64_t taken = atomic_load(&s->taken);
  if (row->op.status != AIORCH_E_STORE || r->replayed > 0) return false;
  if (!r->in_doubt) r->taken = taken;
  r->in_doubt = true;
  return taken == r->taken;
}

static void set_aside(aio__spooled *s, aio__replay_row *row) {
  aio__replay *r = &s->replay;
  aiorch_error error;
  if (is_doubtful(s, row)) {
    row->state = AIO__ROW_DONE;
    r->keep = true;
    r->doubts++;
    r->doubt = row->op.error;
    return;
  }
  aio__error_init(&error);
  const aio__spool_row refused = {.kind = AIO__SPOOL_REFUSED,
                                  .status = row->op.status,
                                  .reason = aio__str_z(row->op.error.message),
                                  .record = row->record};
  row->state = AIO__ROW_DONE;
  if (aio__spool_set_aside(s->spool, &refused, &error) != AIORCH_OK) r->keep = true; /* it is tried again, some day */
  atomic_fetch_add(&s->poison, 1);
  aio__spooled_count(s, AIO__N_SPOOL_POISON);
  aio__spooled_tell(s, AIORCH_LOG_ERROR, "spool_poison", "reason", aio__str_z(aiorch_status_name(row->op.status)), NULL, 0);
}

/* What has come of the rows that were under way. False when the store is away. */
static bool collect(aio__spooled *s, const aio__replay_row **away) {
  aio__replay *r = &s->replay;
  for (size_t i = 0; i < r->n; i++) {
    aio__replay_row *row = &r->row[i];
    if (row->state != AIO__ROW_ENDED) continue;
    if (row->op.status >= 0) {
      row->state = AIO__ROW_DONE;
      r->replayed++;
      r->pause_ms = 0;
      atomic_store(&s->down, false);
      atomic_fetch_add(&s->replayed, 1);
      atomic_fetch_add(&s->taken, 1);
      aio__spooled_count(s, AIO__N_SPOOL_REPLAYED);
    } else if (row->op.status != AIORCH_E_STORE && aio__spooled_may_keep(row->op.status)) {
      *away = row;
    } else if (row->alone) {
      set_aside(s, row);
    } else {
      row->state = AIO__ROW_REFUSED;
    }
  }
  return *away == NULL;
}

static bool all_done(const aio__replay *r) {
  for (size_t i = 0; i < r->n; i++)
    if (r->row[i].state != AIO__ROW_DONE) return false;
  return true;
}

/* ---- one step ------------------------------------------------------------------------------------------------------- */

static void next_batch(aio__spooled *s) {
  aio__replay *r = &s->replay;
  aiorch_error error;
  aio__error_init(&error);
  if (r->doubts >= AIO__REPLAY_DOUBTS_MAX || (!r->open && !open_file(s, &error))) {
    atomic_store(&s->down, false); /* whether it is there the next row will tell */
    bool doubtful = r->doubts > 0 && atomic_load(&s->taken) == r->taken;
    error = r->doubt;
    end_cycle(s, doubtful ? error.status : AIORCH_OK, &error);
    return;
  }
  aiorch_status status = read_batch(s, &error);
  if (status == AIORCH_DONE) {
    end_file(s, &error);
  } else if (status == AIORCH_E_NOMEM) {
    end_cycle(s, status, &error);
  } else if (status != AIORCH_OK && r->n == 0) { /* the disk does not give it */
    aio__spooled_tell(s, AIORCH_LOG_ERROR, "spool_unreadable", "file",
                      aio__str_z(r->files.file[r->next_file - 1].name), NULL, 0);
    close_file(r);
  }
}

static void step(aio__spooled *s) {
  aio__replay *r = &s->replay;
  const aio__replay_row *away = NULL;
  if (r->n == 0) next_batch(s);
  if (r->n == 0) return;
  if (!collect(s, &away)) {
    aiorch_error error = away->op.error;
    atomic_store(&s->down, true);
    end_cycle(s, away->op.status, &error);
    return;
  }
  if (all_done(r)) {
    r->next_ns = r->begun_ns + (int64_t)r->n * NS_PER_S / s->env.options->spool_replay_rate;
    drop_batch(r);
    return;
  }
  start_rows(s);
}

int64_t aio__replay_turn(aio__spooled *s) {
  aio__replay *r = &s->replay;
  int what = 0;
  if (s->out > 0) return AIO__NEVER;
  bool begins = !r->running;
  int64_t when = begins ? s->due_ns : r->next_ns;
  if (when == AIO__NEVER || now_ns(s) < when) return when;
  if (begins) {
    what = s->asked;
    s->asked = 0;
    s->due_ns = AIO__NEVER;
    s->tried_ns = now_ns(s);
    s->cycles++;
  }
  s->starting = true;
  pthread_mutex_unlock(&s->mutex);
  if (begins)
    begin_cycle(s, what);
  else
    step(s);
  pthread_mutex_lock(&s->mutex);
  s->starting = false;
  pthread_cond_broadcast(&s->cond);
  return 0;
}

void aio__replay_end(aio__spooled *s) {
  aio__replay *r = &s->replay;
  if (!r->running) return;
  drop_batch(r);
  close_file(r);
  aio__spool_end_aside(s->spool);
  aio__spool_files_free(&r->files);
  r->running = false;
}

void aio__replay_want(aio__spooled *s) {
  if (s->due_ns == AIO__NEVER) s->due_ns = aio__clock_after_ms(s->env.clock, AIO__REPLAY_PAUSE_MIN_MS);
}

void aio__replay_soon(aio__spooled *s) {
  pthread_mutex_lock(&s->mutex);
  int64_t soon = s->tried_ns + (int64_t)AIO__REPLAY_PAUSE_MIN_MS * 1000000;
  if (s->due_ns > soon) {
    s->due_ns = soon;
    pthread_cond_broadcast(&s->cond);
  }
  pthread_mutex_unlock(&s->mutex);
}
