/*
 * What stands in the windows of limits, as the connection that writes the ledger knows it. To add a window up again for each
 * admission takes the longer the more is in it; here its sum is kept, and only what comes and what leaves is looked at.
 *
 * The ledger's file stays what counts: a sum holds as long as nobody else has written to it, which SQLite tells inside each
 * transaction (PRAGMA data_version), and a transaction that is rolled back takes all sums with it. Of windows that hold money
 * none is kept: what a run has cost changes its admission afterwards.
 */
#include <string.h>

#include "core/map.h"
#include "stores/sqlite_private.h"

enum { WINDOWS_MAX = 4096, NAME_MAX_BYTES = 512 };

static const int64_t SUM_MAX = INT64_MAX / 4; /* what is larger is added up by SQLite, and ends at the largest there is */

typedef struct window {
  aio__str name;
  int64_t window_ms, floor_ms; /* counted is what came later than floor_ms */
  int64_t oldest_ms;           /* nothing that is counted came earlier */
  int64_t used, latest_ms;     /* 0: nothing is counted */
} window; /* followed by the name */

struct aio__sq_windows {
  aio__map by_name;
  int64_t version; /* of the file; -1: not known */
};

/* ---- names ------------------------------------------------------------------------------------------------------ */

typedef struct name {
  char bytes[NAME_MAX_BYTES];
  size_t n;
} name;

static bool name_of(aio__str tenant, aio__str key, name *out) {
  out->n = sizeof tenant.n + tenant.n + key.n;
  if (tenant.n > NAME_MAX_BYTES || key.n > NAME_MAX_BYTES || out->n > NAME_MAX_BYTES) return false;
  memcpy(out->bytes, &tenant.n, sizeof tenant.n);
  if (tenant.n > 0) memcpy(out->bytes + sizeof tenant.n, tenant.p, tenant.n);
  if (key.n > 0) memcpy(out->bytes + sizeof tenant.n + tenant.n, key.p, key.n);
  return true;
}

static window *find(const aio__sq_windows *all, const name *n) {
  return aio__map_get(&all->by_name, (aio__str){n->bytes, n->n});
}

static void drop(aio__sq_conn *conn, window *w) {
  if (w == NULL) return;
  aio__map_remove(&conn->windows->by_name, w->name);
  aio__free(conn->owner->store->env.al, w);
}

static window *window_of(aio__sq_conn *conn, aio__str tenant, aio__str key) {
  name n;
  return conn->windows != NULL && name_of(tenant, key, &n) ? find(conn->windows, &n) : NULL;
}

/* ---- the life of them ------------------------------------------------------------------------------------------- */

void aio__sq_windows_forget(aio__sq_conn *conn) {
  aio__sq_windows *all = conn->windows;
  size_t pos = 0;
  if (all == NULL) return;
  for (window *w; (w = aio__map_next(&all->by_name, &pos)) != NULL;) aio__free(conn->owner->store->env.al, w);
  aio__map_free(&all->by_name);
  aio__map_init(&all->by_name, conn->owner->store->env.al);
  all->version = -1;
}

void aio__sq_windows_free(aio__sq_conn *conn) {
  if (conn->windows == NULL) return;
  aio__sq_windows_forget(conn);
  aio__free(conn->owner->store->env.al, conn->windows);
  conn->windows = NULL;
}

/* Without memory, or an answer of SQLite's, nothing is known. */
void aio__sq_windows_begin(aio__sq_conn *conn) {
  const aio__alloc *al = conn->owner->store->env.al;
  if (conn->windows == NULL) {
    conn->windows = aio__calloc(al, 1, sizeof *conn->windows);
    if (conn->windows == NULL) return;
    aio__map_init(&conn->windows->by_name, al);
    conn->windows->version = -1;
  }
  int64_t version = aio__sq_data_version(conn);
  if (version < 0 || version != conn->windows->version) aio__sq_windows_forget(conn);
  conn->windows->version = version;
}

/* ---- sums ------------------------------------------------------------------------------------------------------- */

static aiorch_status add_up(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__constraint *c,
                            window *out) {
  sqlite3_stmt *stmt = NULL;
  aiorch_status status = aio__sq_query(conn, error, AIO__SQ_ADMISSION_SUM, &stmt, "szi", tenant, c->key, out->floor_ms);
  if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
  if (status != AIORCH_OK) return status;
  out->used = aio__sq_money(stmt, 0);
  out->latest_ms = sqlite3_column_int64(stmt, 2);
  out->oldest_ms = out->latest_ms > 0 ? sqlite3_column_int64(stmt, 3) : INT64_MAX;
  aio__sq_reset(stmt);
  return AIORCH_OK;
}

/* What came at or before floor_ms is not counted any more. */
static aiorch_status advance(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__constraint *c,
                             window *w, int64_t floor_ms) {
  sqlite3_stmt *stmt = NULL;
  int64_t left = 0;
  if (floor_ms >= w->oldest_ms) {
    aiorch_status status =
      aio__sq_query(conn, error, AIO__SQ_ADMISSIONS_LEAVE, &stmt, "szii", tenant, c->key, w->floor_ms, floor_ms);
    if (status == AIORCH_OK) status = aio__sq_step(conn, error, stmt);
    if (status != AIORCH_OK) return status;
    left = aio__sq_money(stmt, 0);
    w->oldest_ms = sqlite3_column_type(stmt, 2) == SQLITE_NULL ? INT64_MAX : sqlite3_column_int64(stmt, 2);
    if (w->oldest_ms == INT64_MAX) w->latest_ms = 0;
    aio__sq_reset(stmt);
  }
  w->floor_ms = floor_ms;
  if (left < 0 || left > w->used) return add_up(conn, error, tenant, c, w);
  w->used -= left;
  return AIORCH_OK;
}

static void keep(aio__sq_conn *conn, const name *n, const window *sum) {
  aio__sq_windows *all = conn->windows;
  if (sum->used < 0 || sum->used > SUM_MAX || all->by_name.n >= WINDOWS_MAX) return;
  window *w = aio__malloc(conn->owner->store->env.al, sizeof *w + n->n);
  if (w == NULL) return;
  char *copy = (char *)(w + 1);
  memcpy(copy, n->bytes, n->n);
  *w = *sum;
  w->name = (aio__str){copy, n->n};
  if (aio__map_put(&all->by_name, w->name, w) != AIORCH_OK) aio__free(conn->owner->store->env.al, w);
}

/* A clock that went back asks for what is not counted any more, a window of another length for what never was. */
static bool may_use(const window *w, const aio__constraint *c, int64_t floor_ms) {
  return w->window_ms == c->window_ms && floor_ms >= w->floor_ms;
}

aiorch_status aio__sq_windows_sum(aio__sq_conn *conn, aiorch_error *error, aio__str tenant, const aio__constraint *c,
                                  int64_t now_ms, int64_t *used, int64_t *latest_ms) {
  name n;
  window sum = {.window_ms = c->window_ms, .floor_ms = now_ms - c->window_ms};
  aiorch_status status = AIORCH_OK;
  bool kept = conn->windows != NULL && conn->windows->version >= 0 && c->kind == AIO__LIMIT_RUNS &&
              name_of(tenant, aio__str_z(c->key), &n);
  window *w = kept ? find(conn->windows, &n) : NULL;
  if (w != NULL && !may_use(w, c, sum.floor_ms)) {
    drop(conn, w);
    w = NULL;
  }
  if (w != NULL) {
    status = advance(conn, error, tenant, c, w, sum.floor_ms);
    if (status == AIORCH_OK) sum = *w;
  } else {
    status = add_up(conn, error, tenant, c, &sum);
    if (status == AIORCH_OK && kept) keep(conn, &n, &sum);
  }
  if (status != AIORCH_OK) return status;
  *used = sum.used;
  *latest_ms = sum.latest_ms;
  return AIORCH_OK;
}

/* ---- changes ---------------------------------------------------------------------------------------------------- */

void aio__sq_windows_drop(aio__sq_conn *conn, aio__str tenant, aio__str key) {
  drop(conn, window_of(conn, tenant, key));
}

void aio__sq_windows_add(aio__sq_conn *conn, aio__str tenant, const aio__constraint *c, int64_t at_ms) {
  window *w = window_of(conn, tenant, aio__str_z(c->key));
  if (w == NULL || at_ms <= w->floor_ms) return;
  if (c->kind != AIO__LIMIT_RUNS || c->amount < 0 || c->amount > SUM_MAX - w->used) {
    drop(conn, w);
    return;
  }
  w->used += c->amount;
  if (at_ms > w->latest_ms) w->latest_ms = at_ms;
  if (at_ms < w->oldest_ms) w->oldest_ms = at_ms;
}

void aio__sq_windows_take(aio__sq_conn *conn, aio__str tenant, aio__str key, int64_t at_ms, int64_t amount) {
  window *w = window_of(conn, tenant, key);
  if (w == NULL || at_ms <= w->floor_ms) return;
  if (at_ms >= w->latest_ms || amount < 0 || amount > w->used)
    drop(conn, w);
  else
    w->used -= amount;
}
