/*
 * The pool: who waits gets the next connection that is free, first come, first served; there are never more than
 * "postgres.connections_max". See postgres_engine.h.
 *
 * While the server cannot be reached, connecting is tried again after pauses that grow, with full jitter. Steps wait through the first
 * "postgres.connect_timeout_ms" of it, since most such gaps are restarts; from then on they fail at once, so that runs go on without the
 * store, and the step that comes when a pause is over waits for the one attempt: money as long as it takes, others AIO__PG_PROBE_MS,
 * since a server that hangs answers no attempt.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "stores/postgres_engine.h"

enum { IDLE_MS = 300000, NS_PER_MS = 1000000, SERVERS_CLOCK_MS = 100 };

static int64_t now_of(const aio__pg_pool *pool) {
  return aio__clock_now(aio__io_clock(pool->io));
}

static int64_t after_ms(const aio__pg_pool *pool, int64_t ms) {
  return aio__clock_after_ms(aio__io_clock(pool->io), ms);
}

/* Full jitter: anything up to `base` doubled `times` times, but no more than `most`, and no less than a tenth of the base. */
static int64_t jitter_ms(int64_t base, int64_t most, int times) {
  int64_t top = base;
  for (int i = 0; i < times && top < most; i++) top *= 2;
  if (top > most) top = most;
  uint32_t random = UINT32_MAX / 2;
  (void)aio__random(&random, sizeof random);
  int64_t ms = (int64_t)((double)top * (double)random / (double)UINT32_MAX);
  return ms > base / 10 ? ms : base / 10 + 1;
}

static void pump(aio__pg_pool *pool);

/* ---- ends of steps ------------------------------------------------------------------------------------------------------------ */

static void leave(aio__pg_pool *pool) {
  pthread_mutex_lock(&pool->mutex);
  pool->inside--;
  pthread_mutex_unlock(&pool->mutex);
}

/* op->error has the words already. */
static void end_step(aio__pg_pool *pool, aio__pg_step *step, aiorch_status status) {
  aio__op *op = step->op;
  aio__io_timer_clear(pool->io, &step->timer);
  if (step->ended != NULL) {
    step->status = status;
    step->ended(step);
    return;
  }
  if (status == AIORCH_OK && step->finish != NULL) status = step->finish(op, step->ctx);
  aio__pg_step_free(step);
  leave(pool);
  if (status == AIORCH_PENDING) return; /* another step goes on for this op */
  op->status = status;
  op->done(op, op->ctx);
}

void aio__pg_pool_end(aio__pg_pool *pool, aio__pg_step *step, aiorch_status status) {
  end_step(pool, step, status);
}

static void end_with(aio__pg_pool *pool, aio__pg_step *step, const aiorch_error *error) {
  end_step(pool, step, aio__error_copy(&step->op->error, error));
}

static aiorch_status late(const aio__pg_step *step) {
  aiorch_error *error = &step->op->error;
  const aio__pg_store *store = step->store;
  if (step->capped)
    return aio__error_set(error, AIORCH_E_STORE_DOWN,
                          "%s: no answer within %lld ms (\"postgres.timeout_ms\")",
                          store->target->place, (long long)store->env.options->postgres_timeout_ms);
  return aio__error_set(error, AIORCH_E_DEADLINE, "the deadline passed while waiting for %s", store->target->place);
}

/* ---- the line ----------------------------------------------------------------------------------------------------------------- */

static void line_up(aio__pg_pool *pool, aio__pg_step *step, bool in_front) {
  step->waits = true;
  step->next = in_front ? pool->first : NULL;
  if (pool->first == NULL) {
    pool->first = pool->last = step;
  } else if (in_front) {
    pool->first = step;
  } else {
    pool->last->next = step;
    pool->last = step;
  }
}

static void out_of_line(aio__pg_pool *pool, aio__pg_step *step) {
  aio__pg_step *before = NULL, *at = pool->first;
  while (at != step) {
    before = at;
    at = at->next;
  }
  if (before != NULL)
    before->next = step->next;
  else
    pool->first = step->next;
  if (pool->last == step) pool->last = before;
  step->next = NULL;
  step->waits = false;
}

void aio__pg_pool_line_up(aio__pg_pool *pool, aio__pg_step *step) {
  line_up(pool, step, false);
}

void aio__pg_pool_out_of_line(aio__pg_pool *pool, aio__pg_step *step) {
  out_of_line(pool, step);
}

/* All that wait fail for this reason. Those who come in meanwhile (done() may do that) have their own turn. */
static void fail_line(aio__pg_pool *pool, const aiorch_error *error) {
  aio__pg_step *step = pool->first;
  pool->first = pool->last = NULL;
  while (step != NULL) {
    aio__pg_step *next = step->next;
    step->waits = false;
    end_with(pool, step, error);
    step = next;
  }
}

/* Those that pause before their next try. */
static void unpause(aio__pg_pool *pool, aio__pg_step *step) {
  aio__pg_step **at = &pool->paused;
  while (*at != step) at = &(*at)->next;
  *at = step->next;
  step->next = NULL;
  step->retry_ns = 0;
}

/* ---- connections -------------------------------------------------------------------------------------------------------------- */

static size_t count_in(const aio__pg_pool *pool, unsigned states) {
  size_t n = 0;
  for (const aio__pg_conn *c = pool->conns; c != NULL; c = c->next) n += (states >> c->state) & 1u;
  return n;
}

enum { NEW = 1u << AIO__PG_RESOLVING | 1u << AIO__PG_CONNECTING | 1u << AIO__PG_CHECKING };

static void conn_free(aio__pg_conn *conn) {
  aio__pg_pool *pool = conn->pool;
  aio__pg_conn **at = &pool->conns;
  while (*at != conn) at = &(*at)->next;
  *at = conn->next;
  pool->count--;
  aio__io_timer_clear(pool->io, &conn->timer);
  aio__pg_lookup_drop(conn->lookup);
  aio__pg_check_drop(conn);
  aio__pg_conn_end(conn);
  aio__free(pool->store->env.al, conn);
}

/* When one does not answer, those that nobody uses may be as dead. The end of one is seen at each by itself. */
static void close_idle(aio__pg_pool *pool) {
  aio__pg_conn *next;
  for (aio__pg_conn *c = pool->conns; c != NULL; c = next) {
    next = c->next;
    if (c->state == AIO__PG_IDLE) conn_free(c);
  }
}

static void event(const aio__pg_pool *pool, int32_t level, const char *name, const aiorch_error *error) {
  char members[96];
  int n = error != NULL ? snprintf(members, sizeof members, "\"reason\":\"%s\"", aiorch_status_name(error->status)) : 0;
  if (pool->store->env.log != NULL && n >= 0 && (size_t)n < sizeof members)
    aio__log_event(pool->store->env.log, level, name, aio__str_n(members, (size_t)n));
}

/* When what lasts since the first failure is no restart any more. */
static int64_t down_ns(const aio__pg_pool *pool) {
  return pool->failing_ns + pool->store->env.options->postgres_connect_timeout_ms * NS_PER_MS;
}

static bool is_down(const aio__pg_pool *pool) {
  return pool->failures > 0 && (pool->permanent || now_of(pool) >= down_ns(pool));
}

static void conn_failed(aio__pg_conn *conn, const aiorch_error *error) {
  aio__pg_pool *pool = conn->pool;
  aiorch_error why = *error; /* it may lie in what is freed now */
  int64_t since_ns = conn->since_ns;
  conn_free(conn);
  if (pool->failures++ == 0) {
    pool->failing_ns = since_ns;
    event(pool, AIORCH_LOG_WARN, "store_down", &why);
  }
  pool->permanent = why.status != AIORCH_E_STORE_DOWN;
  pool->why = why;
  pool->next_ns = after_ms(pool, jitter_ms(AIO__PG_BACKOFF_MIN_MS, AIO__PG_BACKOFF_MAX_MS, pool->failures - 1));
  if (count_in(pool, ~(unsigned)NEW) == 0 && is_down(pool)) fail_line(pool, &why);
  pump(pool);
}

static void conn_ready(aio__pg_conn *conn) {
  aio__pg_pool *pool = conn->pool;
  conn->state = AIO__PG_IDLE;
  conn->step = NULL;
  aio__io_timer_set(pool->io, &conn->timer, after_ms(pool, IDLE_MS));
}

void aio__pg_pool_checked(aio__pg_conn *conn, aiorch_status status, const aiorch_error *error) {
  aio__pg_pool *pool = conn->pool;
  if (status != AIORCH_OK) {
    conn_failed(conn, error);
    return;
  }
  aio__pg_check_drop(conn);
  if (pool->failures > 0) event(pool, AIORCH_LOG_INFO, "store_up", NULL);
  pool->failures = 0;
  pool->permanent = false;
  pool->next_ns = 0;
  conn_ready(conn);
  pump(pool);
}

/* ---- making connections ------------------------------------------------------------------------------------------------------- */

static void connect_to(aio__pg_conn *conn) {
  aio__pg_address addresses[AIO__PG_ADDRESSES_MAX];
  aiorch_error error;
  const aio__pg_target *target = conn->pool->store->target;
  aio__error_init(&error);
  size_t n = aio__pg_lookup_addresses(target, conn->lookup, addresses);
  aiorch_status status = AIORCH_OK;
  if (n == 0) status = aio__pg_lookup_error(target, conn->lookup, &error);
  if (n == 0 && status == AIORCH_OK)
    status = aio__error_set(&error, AIORCH_E_STORE_DOWN, "%s: the host has no address", target->place);
  conn->state = AIO__PG_CONNECTING;
  if (status == AIORCH_OK) status = aio__pg_conn_begin(conn, addresses, n, &error);
  if (status != AIORCH_OK) conn_failed(conn, &error);
}

static void on_lookup(void *ctx) {
  connect_to(ctx);
}

/* What has to be in the socket's buffers is there now, or the time is up. */
static void on_conn_timer(aio__io_timer *timer) {
  aio__pg_conn *conn = AIO__PG_OWNER(aio__pg_conn, timer, timer);
  aio__pg_pool *pool = conn->pool;
  aiorch_error error;
  if (conn->state == AIO__PG_IDLE || conn->state == AIO__PG_MENDING) {
    conn_free(conn);
    pump(pool);
    return;
  }
  aio__error_init(&error);
  aio__error_set(&error, AIORCH_E_STORE_DOWN, "%s: no connection within %lld ms (\"postgres.connect_timeout_ms\")",
                 pool->store->target->place, (long long)pool->store->env.options->postgres_connect_timeout_ms);
  pool->first_address++;
  if (conn->step != NULL) { /* its check ends the connection */
    aio__pg_step *step = conn->step;
    conn->step = NULL;
    end_with(pool, step, &error);
    return;
  }
  conn_failed(conn, &error);
}

static void conn_new(aio__pg_pool *pool) {
  aio__pg_conn *conn = aio__calloc(pool->store->env.al, 1, sizeof *conn);
  aiorch_error error;
  aio__error_init(&error);
  if (conn == NULL) {
    (void)aio__pg_nomem(&error);
    if (pool->count == 0) fail_line(pool, &error);
    return;
  }
  conn->pool = pool;
  conn->fd = -1;
  conn->state = AIO__PG_RESOLVING;
  conn->since_ns = now_of(pool);
  aio__io_timer_init(&conn->timer, on_conn_timer);
  conn->next = pool->conns;
  pool->conns = conn;
  pool->count++;
  aio__io_timer_set(pool->io, &conn->timer, after_ms(pool, pool->store->env.options->postgres_connect_timeout_ms));
  if (!aio__pg_target_needs_lookup(pool->store->target)) {
    connect_to(conn);
    return;
  }
  aiorch_status status = aio__pg_lookup_start(pool->store->target, pool->io, on_lookup, conn, &conn->lookup, &error);
  if (status != AIORCH_OK) conn_failed(conn, &error);
}

/* ---- the pump ----------------------------------------------------------------------------------------------------------------- */

static void start_on(aio__pg_conn *conn, aio__pg_step *step);

static aio__pg_conn *idle_one(const aio__pg_pool *pool) {
  aio__pg_conn *c = pool->conns;
  while (c != NULL && c->state != AIO__PG_IDLE) c = c->next;
  return c;
}

/* The first that may go. */
static aio__pg_step *next_one(const aio__pg_pool *pool) {
  aio__pg_step *s = pool->first;
  while (s != NULL && aio__pg_held_back(pool, s)) s = s->next;
  return s;
}

/* After failures one attempt at a time. */
static bool may_connect(const aio__pg_pool *pool) {
  size_t making = count_in(pool, NEW), waiting = 0;
  if (pool->count >= pool->max || pool->unusable) return false;
  if (pool->failures > 0) return making == 0 && now_of(pool) >= pool->next_ns;
  for (const aio__pg_step *s = pool->first; s != NULL && waiting <= making; s = s->next) waiting += aio__pg_held_back(pool, s) ? 0 : 1;
  return waiting > making;
}

static void pump(aio__pg_pool *pool) {
  aio__pg_conn *conn;
  aio__pg_step *step;
  while ((conn = idle_one(pool)) != NULL && (step = next_one(pool)) != NULL) {
    out_of_line(pool, step);
    start_on(conn, aio__pg_together(pool, step));
  }
  while (pool->first != NULL && may_connect(pool)) {
    size_t before = pool->count;
    conn_new(pool);
    if (pool->count <= before) break; /* it failed at once, and pumped */
  }
  bool pause = pool->first != NULL && pool->failures > 0 && pool->count < pool->max && count_in(pool, NEW) == 0;
  int64_t at = pool->next_ns;
  if (pause && !is_down(pool) && down_ns(pool) < at) at = down_ns(pool);
  aio__io_timer_set(pool->io, &pool->again, pause ? at : AIO__NEVER);
}

/* The pause is over, or the time through which steps wait. */
void aio__pg_pool_on_again(aio__io_timer *timer) {
  aio__pg_pool *pool = AIO__PG_OWNER(aio__pg_pool, again, timer);
  aiorch_error why = pool->why;
  if (count_in(pool, ~0u) == 0 && is_down(pool) && now_of(pool) < pool->next_ns) fail_line(pool, &why);
  pump(pool);
}

/* ---- steps that are out ------------------------------------------------------------------------------------------------------- */

static void on_pause_over(aio__pg_pool *pool, aio__pg_step *step) {
  unpause(pool, step);
  aio__io_timer_set(pool->io, &step->timer, step->deadline_ns);
  line_up(pool, step, true);
  pump(pool);
}

static bool knows_it_is_down(const aio__pg_pool *pool) {
  return count_in(pool, ~(unsigned)NEW) == 0 && is_down(pool);
}

/* The deadline, the end of a pause before the next try, or of what a probe waits. */
void aio__pg_pool_on_step_timer(aio__io_timer *timer) {
  aio__pg_step *step = AIO__PG_OWNER(aio__pg_step, timer, timer);
  aio__pg_pool *pool = &step->store->pool;
  aio__pg_conn *conn = step->conn;
  if (step->retry_ns != 0) {
    on_pause_over(pool, step);
    return;
  }
  if (step->waits) out_of_line(pool, step);
  if (step->whole != NULL) {
    aio__pg_part_leaves(step);
    end_step(pool, step, late(step));
    return;
  }
  if (step->probes) {
    end_with(pool, step, &pool->why); /* the attempt goes on */
    return;
  }
  step->conn = NULL;
  if (conn != NULL) conn_free(conn); /* the server is told by the end of the connection, and by statement_timeout */
  if (conn != NULL) close_idle(pool);
  end_step(pool, step, late(step));
  pump(pool);
}

static bool try_again(aio__pg_pool *pool, aio__pg_step *step) {
  if (step->status == AIORCH_OK || step->script || step->tries >= AIO__PG_TRIES_MAX || !aio__pg_may_retry(step->state)) return false;
  int64_t at = after_ms(pool, jitter_ms(AIO__PG_RETRY_MIN_MS, AIO__PG_RETRY_MAX_MS, step->tries - 1));
  if (at >= step->deadline_ns) return false;
  step->retry_ns = at;
  step->next = pool->paused;
  pool->paused = step;
  aio__io_timer_set(pool->io, &step->timer, at);
  return true;
}

/* The server watches the same deadline (statement_timeout), and may be the first to see that it has passed. */
static bool was_too_long(const aio__pg_pool *pool, const aio__pg_step *step) {
  return strcmp(step->state, "57014") == 0 && after_ms(pool, SERVERS_CLOCK_MS) >= step->deadline_ns;
}

/* The step is off its connection. */
static void step_over(aio__pg_pool *pool, aio__pg_step *step) {
  step->conn = NULL;
  if (was_too_long(pool, step)) step->status = late(step);
  if ((step->ended == NULL || step->part_count > 0) && try_again(pool, step)) return;
  end_step(pool, step, step->status);
}

static void conn_lost(aio__pg_conn *conn, const aiorch_error *error) {
  aio__pg_pool *pool = conn->pool;
  aio__pg_step *step = conn->step;
  if (conn->state == AIO__PG_CHECKING) {
    conn->step = NULL;
    if (step != NULL) end_with(pool, step, error);
    return;
  }
  aiorch_error why = *error;
  conn_free(conn);
  if (step != NULL && step->state[0] == '\0') {
    memcpy(step->state, "08006", sizeof "08006");
    step->status = aio__error_copy(&step->op->error, &why);
  }
  if (step != NULL) step_over(pool, step);
  pump(pool);
}

static void start_on(aio__pg_conn *conn, aio__pg_step *step) {
  aiorch_error error;
  aio__error_init(&error);
  if (conn->state == AIO__PG_IDLE) conn->state = AIO__PG_BUSY;
  if (conn->state == AIO__PG_BUSY) aio__io_timer_clear(conn->pool->io, &conn->timer);
  if (step->probes) aio__io_timer_set(conn->pool->io, &step->timer, step->deadline_ns);
  step->probes = false;
  conn->step = step;
  step->conn = conn;
  step->tries++;
  if (aio__pg_send(conn, step, &error) == AIO__PG_LOST) conn_lost(conn, &error);
}

void aio__pg_pool_run_on(aio__pg_conn *conn, aio__pg_step *step) {
  start_on(conn, step);
}

/* All of the step has been read. */
static void step_read(aio__pg_conn *conn) {
  aio__pg_pool *pool = conn->pool;
  aio__pg_step *step = conn->step;
  aiorch_error error;
  aio__error_init(&error);
  conn->step = NULL;
  if (conn->state == AIO__PG_CHECKING) { /* one that failed is closed anyway */
    step->conn = NULL;
    end_step(pool, step, step->status);
    return;
  }
  bool read_only = strcmp(step->state, "25006") == 0;
  if (read_only) {
    conn_free(conn); /* the primary is another host by now */
  } else if (aio__pg_conn_needs_rollback(conn)) {
    conn->state = AIO__PG_MENDING;
    aio__io_timer_set(pool->io, &conn->timer, after_ms(pool, pool->store->env.options->postgres_timeout_ms));
    if (aio__pg_send_rollback(conn, &error) == AIO__PG_LOST) conn_free(conn);
  } else {
    conn_ready(conn);
  }
  step_over(pool, step);
  pump(pool);
}

/* ---- sockets ------------------------------------------------------------------------------------------------------------------ */

static void on_connecting(aio__pg_conn *conn) {
  aiorch_error error;
  aio__error_init(&error);
  aio__pg_progress progress = aio__pg_conn_poll(conn, &error);
  if (progress == AIO__PG_WAIT) return;
  if (progress == AIO__PG_LOST) {
    conn_failed(conn, &error);
    return;
  }
  conn->state = AIO__PG_CHECKING;
  aio__pg_check_start(conn);
}

static void on_ready(void *ctx, int fd, uint32_t events) {
  aio__pg_pool *pool = ctx;
  aio__pg_conn *conn = pool->conns;
  aiorch_error error;
  aio__pg_progress progress;
  (void)events;
  while (conn != NULL && conn->fd != fd) conn = conn->next;
  if (conn == NULL) return;
  aio__error_init(&error);
  switch (conn->state) {
  case AIO__PG_RESOLVING:
    return;
  case AIO__PG_CONNECTING:
    on_connecting(conn);
    return;
  case AIO__PG_IDLE:
    if (!aio__pg_conn_alive(conn)) conn_free(conn);
    return;
  default:
    break;
  }
  progress = aio__pg_receive(conn, &error);
  if (progress == AIO__PG_LOST) {
    conn_lost(conn, &error);
  } else if (progress == AIO__PG_DONE && conn->state == AIO__PG_MENDING) {
    conn_ready(conn);
    pump(pool);
  } else if (progress == AIO__PG_DONE) {
    step_read(conn);
  }
}

/* ---- what came through the door ----------------------------------------------------------------------------------------------------------------- */

void aio__pg_pool_on_put(aio__io_task *task) {
  aio__pg_step *step = AIO__PG_OWNER(aio__pg_step, task, task);
  aio__pg_pool *pool = &step->store->pool;
  if (pool->unusable) {
    end_with(pool, step, &pool->why);
    return;
  }
  bool probe = count_in(pool, NEW) == 0 && now_of(pool) >= pool->next_ns;
  bool down = knows_it_is_down(pool);
  if (down && !probe) {
    end_with(pool, step, &pool->why);
    return;
  }
  int64_t patience = after_ms(pool, AIO__PG_PROBE_MS);
  step->probes = down && !(step->flags & (AIO__PG_MONEY | AIO__PG_OWN)) && patience < step->deadline_ns;
  aio__io_timer_set(pool->io, &step->timer, step->probes ? patience : step->deadline_ns);
  line_up(pool, step, false);
  pump(pool);
}

/* ---- opening and closing ------------------------------------------------------------------------------------------------------ */

void aio__pg_pool_on_open(aio__io_task *task) {
  aio__pg_pool *pool = AIO__PG_OWNER(aio__pg_pool, open_task, task);
  aiorch_status status = aio__io_source_add(pool->io, on_ready, pool, &pool->source);
  pool->has_source = status == AIORCH_OK;
  pool->unusable = !pool->has_source;
  if (pool->unusable) aio__error_set(&pool->why, status, "the store cannot be watched: out of memory, or too many handles");
}

void aio__pg_pool_on_close(aio__io_task *task) {
  aio__pg_pool *pool = AIO__PG_OWNER(aio__pg_pool, close_task, task);
  aiorch_error error;
  aio__error_init(&error);
  aio__error_set(&error, AIORCH_E_CLOSED, "the store was closed");
  aio__io_timer_clear(pool->io, &pool->again);
  fail_line(pool, &error);
  while (pool->paused != NULL) {
    aio__pg_step *step = pool->paused;
    unpause(pool, step);
    end_with(pool, step, &error);
  }
  while (pool->conns != NULL) {
    aio__pg_step *step = pool->conns->step;
    bool checking = pool->conns->state == AIO__PG_CHECKING;
    pool->conns->step = NULL;
    conn_free(pool->conns);
    if (step == NULL) continue;
    step->conn = NULL;
    if (checking)
      aio__pg_step_free(step);
    else
      end_with(pool, step, &error);
  }
  if (pool->has_source) aio__io_source_remove(pool->io, pool->source);
  pthread_mutex_lock(&pool->mutex);
  pool->closed = true;
  pthread_cond_broadcast(&pool->cond);
  pthread_mutex_unlock(&pool->mutex);
}
