/*
 * Steps that travel together: those of one tenant that wait at the same time and say how several of them become one (aio__pg_together).
 * The pool sends a `whole`, a step of its own, in their place; when it has ended, each part ends as if it had been sent itself. While
 * AIO__PG_TOGETHER_OUT of a tenant's are out, more of them wait for each other. See postgres_engine.h.
 */
#include <string.h>

#include "stores/postgres_engine.h"

static bool same_way(const aio__pg_step *a, const aio__pg_step *b) {
  return a->gather != NULL && a->gather == b->gather && a->flags == b->flags && aio__str_eq(a->tenant, b->tenant);
}

bool aio__pg_held_back(const aio__pg_pool *pool, const aio__pg_step *step) {
  size_t out = 0;
  if (step->gather == NULL) return false;
  for (const aio__pg_conn *c = pool->conns; c != NULL; c = c->next) out += c->step != NULL && same_way(c->step, step) ? 1 : 0;
  return out >= AIO__PG_TOGETHER_OUT;
}

static void whole_drop(aio__pg_step *whole) {
  aio__op *op = whole->op;
  const aio__alloc *al = whole->store->env.al;
  aio__pg_step_free(whole);
  aio__free(al, op);
}

/* ---- the parts ---------------------------------------------------------------------------------------------------------------- */

void *aio__pg_step_ctx(const aio__pg_step *step) {
  return step->ctx;
}

void *aio__pg_part_ctx(const aio__pg_rows *rows, int64_t part) {
  const aio__pg_step *whole = rows->step;
  if (part < 0 || (uint64_t)part >= whole->part_count) return NULL;
  const aio__pg_step *step = whole->parts[part];
  return step != NULL ? step->ctx : NULL;
}

size_t aio__pg_parts(const aio__pg_rows *rows) {
  return rows->step->part_count;
}

void aio__pg_part_leaves(aio__pg_step *step) {
  for (size_t i = 0; i < step->whole->part_count; i++)
    if (step->whole->parts[i] == step) step->whole->parts[i] = NULL;
  step->whole = NULL;
}

/* What befell the whole befalls each part, unless the server refused something, which may be one part's alone: then each is asked for by
 * itself. */
static bool is_shared(const aio__pg_step *whole) {
  if (whole->status == AIORCH_E_INTERNAL) return false;
  bool refused = whole->status == AIORCH_E_INVALID || whole->status == AIORCH_E_TOO_LARGE || whole->status == AIORCH_E_STORE;
  return !refused || whole->state[0] == '\0' || aio__pg_may_retry(whole->state);
}

static void whole_ended(aio__pg_step *whole) {
  aio__pg_pool *pool = &whole->store->pool;
  bool shared = is_shared(whole);
  for (size_t i = 0; i < whole->part_count; i++) {
    aio__pg_step *part = whole->parts[i];
    if (part == NULL) continue;
    aio__pg_part_leaves(part);
    if (shared) {
      if (whole->status != AIORCH_OK) aio__error_copy(&part->op->error, &whole->op->error);
      aio__pg_pool_end(pool, part, whole->status);
    } else {
      part->gather = NULL;
      aio__pg_pool_line_up(pool, part);
    }
  }
  whole_drop(whole);
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------------- */

static void no_done(aio__op *op, void *ctx) {
  (void)op;
  (void)ctx;
}

static aio__pg_step *whole_new(const aio__pg_step *first) {
  const aio__pg_store *store = first->store;
  aio__op *op = aio__calloc(store->env.al, 1, sizeof *op);
  if (op == NULL) return NULL;
  aio__op_init(op, AIO__NEVER, no_done, NULL);
  aio__pg_step *whole = aio__pg_step_new(&first->store->head, op, first->tenant, first->flags, NULL, 0, NULL);
  if (whole == NULL) {
    aio__free(store->env.al, op);
    return NULL;
  }
  whole->gather = first->gather;
  whole->copies = true;
  whole->ended = whole_ended;
  whole->parts = aio__pg_step_alloc(whole, AIO__PG_TOGETHER_MAX * sizeof *whole->parts);
  aio__io_timer_init(&whole->timer, aio__pg_pool_on_step_timer);
  return whole;
}

/* `first`, and those in the line that go the same way, which stay there. */
static size_t find_parts(const aio__pg_pool *pool, aio__pg_step *first, aio__pg_step **parts) {
  size_t n = 1;
  parts[0] = first;
  for (aio__pg_step *s = pool->first; s != NULL && n < AIO__PG_TOGETHER_MAX; s = s->next)
    if (s->part_count == 0 && same_way(s, first)) parts[n++] = s;
  return n;
}

/* The tenant's name has to live as long as the whole, which a part need not. */
static bool keep_tenant(aio__pg_step *whole) {
  char *copy = aio__pg_step_alloc(whole, whole->tenant.n);
  if (copy == NULL) return false;
  memcpy(copy, whole->tenant.p, whole->tenant.n);
  whole->tenant = aio__str_n(copy, whole->tenant.n);
  return true;
}

static void join(aio__pg_pool *pool, aio__pg_step *whole, aio__pg_step *part) {
  part->whole = whole;
  if (part->probes) aio__io_timer_set(pool->io, &part->timer, part->deadline_ns);
  part->probes = false;
  if (part->deadline_ns <= whole->deadline_ns) return;
  whole->deadline_ns = part->deadline_ns;
  whole->capped = part->capped;
}

aio__pg_step *aio__pg_together(aio__pg_pool *pool, aio__pg_step *first) {
  aio__pg_step *parts[AIO__PG_TOGETHER_MAX];
  if (first->gather == NULL || first->part_count > 0) return first;
  size_t n = find_parts(pool, first, parts);
  aio__pg_step *whole = n > 1 ? whole_new(first) : NULL;
  if (whole == NULL) return first;
  for (size_t i = 0; i < n; i++) memcpy(parts[i]->ctx, parts[i]->ctx_given, parts[i]->ctx_size);
  if (keep_tenant(whole)) whole->gather(whole, parts, n);
  if (whole->refused != AIORCH_OK || whole->array_left > 0 || whole->parts == NULL) {
    whole_drop(whole);
    return first;
  }
  for (size_t i = 0; i < n; i++) {
    whole->parts[i] = parts[i];
    join(pool, whole, parts[i]);
    if (parts[i] != first) aio__pg_pool_out_of_line(pool, parts[i]);
  }
  whole->part_count = n;
  aio__io_timer_set(pool->io, &whole->timer, whole->deadline_ns);
  return whole;
}
