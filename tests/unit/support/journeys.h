/*
 * Counts the calls that runs make to a store, by name and in their order: each is a journey where the store is behind a socket. Replaces the
 * tables of an open store, one at a time; it is not to be in use meanwhile.
 */
#ifndef AIO_TESTS_JOURNEYS_H
#define AIO_TESTS_JOURNEYS_H

#include <stdatomic.h>

#include "stores/store.h"

enum { JOURNEYS_MAX = 64 };

static struct {
  aio__ledger_ops ledger, ledger_was;
  aio__cache_ops cache, cache_was;
  aio__knowledge_ops knowledge, knowledge_was;
  const char *names[JOURNEYS_MAX];
  atomic_int count;
} journeys;

static void journey(const char *name) {
  int at = atomic_fetch_add(&journeys.count, 1);
  if (at < JOURNEYS_MAX) journeys.names[at] = name;
}

#define JOURNEY_LIST(...) __VA_ARGS__
#define JOURNEY(table, name, parameters, arguments)                                     \
  static aiorch_status journey_##name(aio__store *store, aio__op *op, parameters) {     \
    journey(#name);                                                                     \
    return journeys.table##_was.name(store, op, arguments);                             \
  }

JOURNEY(ledger, admit,
        JOURNEY_LIST(aio__str tenant, aio__str run, const aio__constraint *c, size_t n, int64_t now_ms, aio__admission *out),
        JOURNEY_LIST(tenant, run, c, n, now_ms, out))
JOURNEY(ledger, enter,
        JOURNEY_LIST(aio__str tenant, aio__str run, const aio__constraint *c, size_t n, const aio__cache_ask *ask, int64_t now_ms,
                     aio__admission *out),
        JOURNEY_LIST(tenant, run, c, n, ask, now_ms, out))
JOURNEY(ledger, attempt, JOURNEY_LIST(aio__str tenant, const aio__attempt_row *row), JOURNEY_LIST(tenant, row))
JOURNEY(ledger, settle,
        JOURNEY_LIST(aio__str tenant, const aio__run_row *run, const aio__attempt_row *attempts, size_t n),
        JOURNEY_LIST(tenant, run, attempts, n))
JOURNEY(cache, lookup,
        JOURNEY_LIST(aio__str tenant, aio__str scope, aio__str key, int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found),
        JOURNEY_LIST(tenant, scope, key, now_ms, arena, entry, found))
JOURNEY(cache, put,
        JOURNEY_LIST(aio__str tenant, const aio__cache_entry *entry, const aio__cache_limits *limits, int64_t now_ms, bool *stored),
        JOURNEY_LIST(tenant, entry, limits, now_ms, stored))
JOURNEY(cache, near,
        JOURNEY_LIST(aio__str tenant, aio__str scope, const aio__nearest_args *args, int64_t now_ms, aio__arena *arena,
                     aio__cache_near **entries, size_t *n),
        JOURNEY_LIST(tenant, scope, args, now_ms, arena, entries, n))
JOURNEY(cache, read,
        JOURNEY_LIST(aio__str tenant, aio__str scope, aio__str id, int64_t now_ms, aio__arena *arena, aio__cache_entry *entry, bool *found),
        JOURNEY_LIST(tenant, scope, id, now_ms, arena, entry, found))
JOURNEY(knowledge, search,
        JOURNEY_LIST(aio__str tenant, const aio__search_args *args, aio__arena *arena, aio__found_chunk **chunks, size_t *n),
        JOURNEY_LIST(tenant, args, arena, chunks, n))
JOURNEY(knowledge, nearest,
        JOURNEY_LIST(aio__str tenant, const aio__nearest_args *args, const aio__filter *filters, size_t filter_count, aio__arena *arena,
                     aio__found_chunk **chunks, size_t *n),
        JOURNEY_LIST(tenant, args, filters, filter_count, arena, chunks, n))
JOURNEY(knowledge, both, JOURNEY_LIST(aio__str tenant, aio__both_args *args, aio__arena *arena), JOURNEY_LIST(tenant, args, arena))
JOURNEY(knowledge, fetch,
        JOURNEY_LIST(aio__str tenant, const aio__str *ids, size_t n, const aio__filter *filters, size_t filter_count, aio__arena *arena,
                     aio__found_chunk *chunks),
        JOURNEY_LIST(tenant, ids, n, filters, filter_count, arena, chunks))

static void journeys_begin(aio__store *store) {
  journeys.ledger = journeys.ledger_was = *store->ledger;
  journeys.cache = journeys.cache_was = *store->cache;
  journeys.knowledge = journeys.knowledge_was = *store->knowledge;
  journeys.ledger.admit = journey_admit;
  if (journeys.ledger.enter != NULL) journeys.ledger.enter = journey_enter;
  journeys.ledger.attempt = journey_attempt;
  journeys.ledger.settle = journey_settle;
  journeys.cache.lookup = journey_lookup;
  journeys.cache.put = journey_put;
  journeys.cache.near = journey_near;
  journeys.cache.read = journey_read;
  journeys.knowledge.search = journey_search;
  journeys.knowledge.nearest = journey_nearest;
  if (journeys.knowledge.both != NULL) journeys.knowledge.both = journey_both;
  journeys.knowledge.fetch = journey_fetch;
  atomic_store(&journeys.count, 0);
  store->ledger = &journeys.ledger;
  store->cache = &journeys.cache;
  store->knowledge = &journeys.knowledge;
}

#endif
