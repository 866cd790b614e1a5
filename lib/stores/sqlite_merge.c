/*
 * Full text in one piece. FTS5 writes what documents bring as segments, a dozen of them when they came one by one, and a word
 * is looked for in each. Merging all of them is worth it where more is searched than is added: it begins when there were as
 * many searches since the last change of a document as there are chunks, so that it never takes longer than they
 * did. The writer's thread does it in steps of a millisecond, between which the connection is free.
 */
#include "stores/sqlite_private.h"

enum { SEARCHES_MIN = 200, STEP_PAGES = 16, CHANGES_LEAST = 2 /* fewer: there is nothing left to merge */ };

void aio__sq_merge_searched(aio__sq_store *store, int64_t chunks) {
  aio__sq_merge *merge = &store->merge;
  int64_t searches = atomic_fetch_add_explicit(&merge->searches, 1, memory_order_relaxed);
  if (searches > SEARCHES_MIN && searches > chunks && atomic_load(&merge->state) == AIO__SQ_MERGE_NONE)
    atomic_store(&merge->state, AIO__SQ_MERGE_BEGIN);
}

void aio__sq_merge_changed(aio__sq_store *store) {
  atomic_store(&store->merge.searches, 0);
  atomic_store(&store->merge.state, AIO__SQ_MERGE_NONE);
}

bool aio__sq_merge_is_due(aio__sq_store *store) {
  return atomic_load_explicit(&store->merge.state, memory_order_relaxed) != AIO__SQ_MERGE_NONE;
}

/* The first step brings all segments together, whatever their size; the next ones go on with it. */
static aiorch_status step(aio__sq_conn *conn, aiorch_error *error, bool first, bool *more) {
  int before = sqlite3_total_changes(conn->db);
  aiorch_status status = aio__sq_run(conn, error, AIO__SQ_WORDS_MERGE, "d", first ? -STEP_PAGES : STEP_PAGES);
  *more = sqlite3_total_changes(conn->db) - before >= CHANGES_LEAST;
  return status;
}

/* What fails is tried again after as many searches. */
void aio__sq_merge_step(aio__sq_store *store) {
  aio__sq_db *db = &store->knowledge;
  aio__sq_conn *conn = NULL;
  aiorch_error error;
  int state = atomic_load(&store->merge.state);
  bool more = false, first = state == AIO__SQ_MERGE_BEGIN;
  aio__error_init(&error);
  if (state == AIO__SQ_MERGE_NONE || aio__sq_take_writer(db, AIO__NEVER, &conn, &error) != AIORCH_OK) return;
  aiorch_status status = aio__sq_try_begin(conn, &error);
  bool begun = status == AIORCH_OK;
  if (begun) status = step(conn, &error, first, &more);
  if (begun && status == AIORCH_OK)
    status = aio__sq_commit(conn, &error);
  else if (begun)
    aio__sq_rollback(conn);
  if (status == AIORCH_OK) aio__sq_checkpoint_if_due(conn);
  aio__sq_give_writer(conn);
  if (status == AIORCH_AGAIN) return; /* another process writes */
  bool go_on = status == AIORCH_OK && (more || first);
  if (!go_on) atomic_store(&store->merge.searches, 0);
  atomic_compare_exchange_strong(&store->merge.state, &state, go_on ? AIO__SQ_MERGE_GO_ON : AIO__SQ_MERGE_NONE);
}
