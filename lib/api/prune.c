/* aiorch_prune: what is old goes, a part a call. */
#include <aiorch/operate.h>

#include "core/text_handle.h"
#include "pipeline/orch.h"

enum { REPORT_MAX = 4096, PART_ROWS = 1000 };

static aiorch_status enter(aiorch *orch, int64_t runs_before_ms, int32_t mode, aiorch_error *error) {
  aio__str tenant;
  aio__error_clear(error);
  if (runs_before_ms < 0 || mode < AIORCH_PRUNE_REMOVE || mode > AIORCH_PRUNE_COUNT)
    return aio__error_set(error, AIORCH_E_INVALID, "aiorch_prune: a time from 0 on, and a mode of AIORCH_PRUNE_*");
  aiorch_status st = aio__orch_enter(orch, AIO__LIT("any"), &tenant, error);
  if (st == AIORCH_OK && aio__calls_inside(orch->calls))
    st = aio__error_set(error, AIORCH_E_REENTRANT, "a plug-in's slot must not call this");
  return st;
}

static aiorch_status carry_out(aiorch *orch, const aio__prune_args *args, int64_t timeout_ms, aio__pruned *pruned, aiorch_error *error) {
  aio__sync sync;
  aio__store *store = orch->store;
  if (store->ledger->prune == NULL) {
    if (args->runs_before_ms == 0) return AIORCH_OK; /* it forgets by itself */
    return aio__error_set(error, AIORCH_E_UNSUPPORTED, "a store in memory keeps its runs as long as the process lives");
  }
  aiorch_status st = aio__sync_begin(&sync, orch, timeout_ms, error);
  if (st) return st;
  st = aio__sync_end(&sync, store->ledger->prune(store, &sync.op, args, pruned), error);
  aio__sync_free(&sync);
  aio__log_flush(orch->log);
  return st;
}

static aiorch_status put_report(const aiorch *orch, const aio__pruned *pruned, aiorch_text **out) {
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, orch->al, REPORT_MAX);
  aio__jw_init(&w, &buf);
  aio__jw_object(&w);
  aio__jw_ki64(&w, "admissions", pruned->admissions);
  aio__jw_ki64(&w, "answers", pruned->answers);
  aio__jw_ki64(&w, "runs", pruned->runs);
  aio__jw_object_end(&w);
  aiorch_status st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  return st;
}

aiorch_status aiorch_prune(aiorch *orch, int64_t runs_before_ms, int32_t mode, int64_t timeout_ms, aiorch_text **out, aiorch_error *error) {
  aio__pruned pruned = {0};
  aiorch_status st = enter(orch, runs_before_ms, mode, error);
  if (st) return st;
  const aio__prune_args args = {.now_ms = aio__clock_wall_ms(orch->clock),
                                .runs_before_ms = runs_before_ms,
                                .limit = PART_ROWS,
                                .count_only = mode == AIORCH_PRUNE_COUNT};
  st = carry_out(orch, &args, timeout_ms, &pruned, error);
  if (st == AIORCH_OK && out != NULL && (st = put_report(orch, &pruned, out)) != AIORCH_OK)
    return aio__error_set(error, st, "the report could not be written: %s", aiorch_strerror(st));
  return st == AIORCH_OK && pruned.more ? AIORCH_AGAIN : st;
}
