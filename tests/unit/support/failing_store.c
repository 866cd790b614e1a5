#include "support/failing_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The store's own calls get the store itself, so that the one that stands before it is found here. One at a time. */
static failing_store *standing;

static failing_store *self_of(aio__store *store) {
  assert_ptr_equal(store, standing->inner);
  return standing;
}

/* Below 0 when the call fails at once. */
static aiorch_status before(failing_store *s, failing_call which, aio__op *op) {
  aiorch_status status = s->fails[which];
  s->calls[which]++;
  return status >= 0 ? AIORCH_OK : aio__error_set(&op->error, status, "the disk is gone");
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
               s->was.ledger->admit(s->inner, op, tenant, run_id, constraints, count, now_ms, out));
}

static aiorch_status attempt(aio__store *store, aio__op *op, aio__str tenant, const aio__attempt_row *row) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_ATTEMPT, op);
  return st ? st : after(s, FAILING_ATTEMPT, op, s->was.ledger->attempt(s->inner, op, tenant, row));
}

static aiorch_status settle(aio__store *store, aio__op *op, aio__str tenant, const aio__run_row *run,
                            const aio__attempt_row *attempts, size_t count) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_SETTLE, op);
  return st ? st : after(s, FAILING_SETTLE, op, s->was.ledger->settle(s->inner, op, tenant, run, attempts, count));
}

static aiorch_status lookup(aio__store *store, aio__op *op, aio__str tenant, aio__str scope, aio__str key,
                            int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_LOOKUP, op);
  if (st) return st;
  return after(s, FAILING_LOOKUP, op,
               s->was.cache->lookup(s->inner, op, tenant, scope, key, now_ms, arena, entry, found));
}

static aiorch_status put(aio__store *store, aio__op *op, aio__str tenant, const aio__cache_entry *entry,
                         const aio__cache_limits *limits, int64_t now_ms, bool *stored) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_PUT, op);
  return st ? st : after(s, FAILING_PUT, op, s->was.cache->put(s->inner, op, tenant, entry, limits, now_ms, stored));
}

static aiorch_status revalidated(aio__store *store, aio__op *op, aio__str tenant, aio__str id, int64_t knowledge) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_REVALIDATED, op);
  if (st) return st;
  return after(s, FAILING_REVALIDATED, op, s->was.cache->revalidated(s->inner, op, tenant, id, knowledge));
}

static aiorch_status search(aio__store *store, aio__op *op, aio__str tenant, const aio__search_args *args,
                            aio__arena *arena, aio__found_chunk **chunks, size_t *count) {
  failing_store *s = self_of(store);
  aiorch_status st = before(s, FAILING_SEARCH, op);
  if (st) return st;
  return after(s, FAILING_SEARCH, op, s->was.knowledge->search(s->inner, op, tenant, args, arena, chunks, count));
}

void failing_store_stand_before(failing_store *s, aiorch *orch) {
  failing_store_stand_before_store(s, orch->store);
}

void failing_store_stand_before_store(failing_store *s, aio__store *store) {
  memset(s, 0, sizeof *s);
  standing = s;
  s->inner = store;
  s->was = *store;
  s->knowledge = *s->was.knowledge;
  s->cache = *s->was.cache;
  s->ledger = *s->was.ledger;
  s->knowledge.search = search;
  s->cache.lookup = lookup;
  s->cache.put = put;
  s->cache.revalidated = revalidated;
  s->ledger.admit = admit;
  s->ledger.attempt = attempt;
  s->ledger.settle = settle;
  s->inner->knowledge = &s->knowledge;
  s->inner->cache = &s->cache;
  s->inner->ledger = &s->ledger;
}
