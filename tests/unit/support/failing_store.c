#include "support/failing_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static failing_store *self_of(aio__store *store) { return (failing_store *)store; }

/* Below 0 when the call fails at once. */
static aiorch_status before(failing_store *s, failing_call which, aio__op *op) {
  s->calls[which]++;
  if (s->fails[which] >= 0) return AIORCH_OK;
  return aio__error_set(&op->error, s->fails[which], "the disk is gone");
}

static aiorch_status after(failing_store *s, failing_call which, aio__op *op, aiorch_status status) {
  if (s->fails[which] != AIORCH_PENDING) return status;
  assert_null(s->late);
  op->status = status;
  s->late = op;
  return AIORCH_PENDING;
}

void failing_store_answer(failing_store *s, aiorch_status status) {
  aio__op *op = s->late;
  assert_non_null(op);
  s->late = NULL;
  if (status != AIORCH_OK) op->status = aio__error_set(&op->error, status, "the disk is gone");
  op->done(op, op->ctx);
}

static aiorch_status admit(aio__store *store, aio__op *op, aio__str tenant, aio__str run_id,
                           const aio__constraint *constraints, size_t count, int64_t now_ms, aio__admission *out) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_ADMIT, op);
  if (st) return st;
  return after(s, FAILING_ADMIT, op,
               s->inner->ledger->admit(s->inner, op, tenant, run_id, constraints, count, now_ms, out));
}

static aiorch_status attempt(aio__store *store, aio__op *op, aio__str tenant, const aio__attempt_row *row) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_ATTEMPT, op);
  return st ? st : after(s, FAILING_ATTEMPT, op, s->inner->ledger->attempt(s->inner, op, tenant, row));
}

static aiorch_status settle(aio__store *store, aio__op *op, aio__str tenant, const aio__run_row *run,
                            const aio__attempt_row *attempts, size_t count) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_SETTLE, op);
  return st ? st : after(s, FAILING_SETTLE, op, s->inner->ledger->settle(s->inner, op, tenant, run, attempts, count));
}

static aiorch_status lookup(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, aio__str key,
                            int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_LOOKUP, op);
  if (st) return st;
  return after(s, FAILING_LOOKUP, op,
               s->inner->cache->lookup(s->inner, op, tenant, scope, key, now_ms, arena, entry, found));
}

static aiorch_status put(aio__store *store, aio__op *op, aio__str tenant, const aio__cache_entry *entry,
                         const aio__cache_limits *limits, int64_t now_ms, bool *stored) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_PUT, op);
  return st ? st : after(s, FAILING_PUT, op, s->inner->cache->put(s->inner, op, tenant, entry, limits, now_ms, stored));
}

static aiorch_status revalidated(aio__store *store, aio__op *op, aio__str tenant, aio__str id, int64_t checked_ms) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_REVALIDATED, op);
  if (st) return st;
  return after(s, FAILING_REVALIDATED, op, s->inner->cache->revalidated(s->inner, op, tenant, id, checked_ms));
}

static aiorch_status search(aio__store *store, aio__op *op, aio__str tenant, const aio__search_args *args,
                            aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_SEARCH, op);
  if (st) return st;
  return after(s, FAILING_SEARCH, op, s->inner->knowledge->search(s->inner, op, tenant, args, arena, chunks, count));
}

/* The rest of the calls goes straight through, but needs the store that they belong to. */
static aiorch_status add(aio__store *store, aio__op *op, aio__str tenant, aio__store_document *document,
                         const aio__store_chunk *chunks, size_t count, int64_t now_ms, aio__arena *arena, int *what,
                         aio__str **removed_chunks, size_t *removed_count) {
  aio__store *inner = self_of(store)->inner;
  return inner->knowledge->add(inner, op, tenant, document, chunks, count, now_ms, arena, what, removed_chunks,
                               removed_count);
}

static aiorch_status check(aio__store *store, aio__op *op, aio__str tenant, aio__store_document *document,
                           bool *unchanged) {
  aio__store *inner = self_of(store)->inner;
  return inner->knowledge->check(inner, op, tenant, document, unchanged);
}

static void close_both(aio__store *store) {
  failing_store *s = self_of(store);
  s->inner->close(s->inner);
}

void failing_store_stand_before(failing_store *s, aiorch *orch) {
  memset(s, 0, sizeof *s);
  s->inner = orch->store;
  s->knowledge = (aio__knowledge_ops){.add = add, .check = check, .search = search};
  s->cache = (aio__cache_ops){.lookup = lookup, .put = put, .revalidated = revalidated};
  s->ledger = (aio__ledger_ops){.admit = admit, .attempt = attempt, .settle = settle};
  s->store = (aio__store){.kind = s->inner->kind, .place = s->inner->place, .knowledge = &s->knowledge,
                          .cache = &s->cache, .ledger = &s->ledger, .close = close_both};
  orch->store = &s->store;
}
