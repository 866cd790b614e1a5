/* The ledger in memory. */
#include <stdlib.h>
#include <string.h>

#include "stores/memory_private.h"

enum { SWEEP_LOGS = 2, DAY_MS = 86400000, DAY_TEXT = 11, TEXT_SHOWN_MAX = 64 };

static int64_t add_capped(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* ---- the sliding log -------------------------------------------------------------------------------------------- */

/* An item has no more than the sum of its log takes. */
static void set_amount(aio__mem_item *item, int64_t amount) {
  item->amount = amount <= INT64_MAX - item->log->sum ? amount : INT64_MAX - item->log->sum;
  item->log->sum += item->amount;
}

static void item_free(aio__mem_tenant *tenant, aio__mem_item *item) {
  aio__mem_grant *grant = item->grant;
  item->log->sum -= item->amount;
  item->log = NULL;
  if (--grant->live > 0) return;
  aio__str key = aio__str_z(grant->run_id);
  aio__mem_grant *first = aio__map_remove(&tenant->grants, key);
  if (first == grant) {
    first = grant->next;
  } else {
    aio__mem_grant *before = first;
    while (before->next != grant) before = before->next;
    before->next = grant->next;
  }
  /* Takes the room that was just left, so it cannot fail. */
  if (first != NULL) (void)aio__map_put(&tenant->grants, aio__str_z(first->run_id), first);
  aio__free(tenant->al, grant);
}

/* Drops what has left its window; what is ahead of now counts as now from here on. Times never fall from one item to the
 * next, so only the ends are looked at. */
static void prune(aio__mem_tenant *tenant, aio__mem_log *log, int64_t now_ms, int64_t window_ms) {
  for (size_t i = log->n; i > log->first && log->items[i - 1]->at_ms > now_ms; i--) log->items[i - 1]->at_ms = now_ms;
  while (log->first < log->n) {
    aio__mem_item *item = log->items[log->first];
    int64_t window = item->window_ms > window_ms ? item->window_ms : window_ms;
    if (item->at_ms > now_ms - window) break;
    item_free(tenant, item);
    log->first++;
  }
  if (log->first == log->n) log->first = log->n = 0;
}

static void log_free(aio__mem_tenant *tenant, aio__mem_log *log) {
  aio__free(tenant->al, log->items);
  aio__free(tenant->al, log);
}

/* Looks at a few logs of users who may never come again. */
static void sweep(aio__mem_tenant *tenant, int64_t now_ms) {
  for (int i = 0; i < SWEEP_LOGS; i++) {
    aio__mem_log *log = aio__map_next(&tenant->logs, &tenant->sweep);
    if (log == NULL) {
      tenant->sweep = 0;
      return;
    }
    prune(tenant, log, now_ms, 0);
    if (log->n > 0) continue;
    aio__map_remove(&tenant->logs, aio__str_z(log->key));
    log_free(tenant, log);
  }
}

static aio__mem_log *log_make(aio__mem_tenant *tenant, const char *key) {
  aio__mem_log *log = aio__map_get(&tenant->logs, aio__str_z(key));
  if (log == NULL) {
    log = aio__calloc(tenant->al, 1, sizeof *log);
    if (log == NULL) return NULL;
    memcpy(log->key, key, strlen(key) + 1);
    if (aio__map_put(&tenant->logs, aio__str_z(log->key), log) != AIORCH_OK) {
      log_free(tenant, log);
      return NULL;
    }
  }
  if (log->first > log->n / 2) {
    log->n -= log->first;
    memmove(log->items, log->items + log->first, log->n * sizeof(aio__mem_item *));
    log->first = 0;
  }
  void *items = log->items;
  bool ok = aio__mem_reserve(tenant->al, &items, &log->cap, log->n + AIO__CONSTRAINTS_MAX, sizeof(aio__mem_item *));
  log->items = items;
  return ok ? log : NULL;
}

/* ---- admit ------------------------------------------------------------------------------------------------------ */

typedef struct asked {
  bool counted; /* this run stands under the key already */
  int64_t used;
} asked;

static bool stands_in(const aio__mem_tenant *tenant, aio__str run_id, const aio__mem_log *log) {
  for (const aio__mem_grant *grant = aio__map_get(&tenant->grants, run_id); grant != NULL; grant = grant->next)
    for (size_t i = 0; i < grant->n; i++)
      if (grant->item[i].log == log) return true;
  return false;
}

static asked look(aio__mem_tenant *tenant, const aio__constraint *c, aio__str run_id, int64_t now_ms) {
  asked out = {false, 0};
  aio__mem_log *log = aio__map_get(&tenant->logs, aio__str_z(c->key));
  if (log == NULL) return out;
  prune(tenant, log, now_ms, c->window_ms);
  out.used = log->sum;
  for (size_t i = log->first; i < log->n && log->items[i]->at_ms <= now_ms - c->window_ms; i++)
    out.used -= log->items[i]->amount; /* a longer window keeps it */
  out.counted = stands_in(tenant, run_id, log);
  return out;
}

static bool holds(const aio__constraint *c, int64_t used) {
  int64_t sum;
  return !__builtin_add_overflow(used, c->amount, &sum) && sum <= c->limit;
}

static int64_t retry_after(const aio__mem_tenant *tenant, const aio__constraint *c, int64_t used, int64_t now_ms) {
  int64_t wait = -1;
  const aio__mem_log *log = aio__map_get(&tenant->logs, aio__str_z(c->key));
  if (!holds(c, 0) || log == NULL) return -1;
  for (size_t i = log->first; i < log->n && !holds(c, used); i++) {
    if (log->items[i]->at_ms <= now_ms - c->window_ms) continue;
    used -= log->items[i]->amount;
    wait = log->items[i]->at_ms + c->window_ms - now_ms;
  }
  return wait;
}

static aiorch_status write_grant(aio__mem_tenant *tenant, aio__op *op, aio__str run_id, const aio__constraint *c,
                                 size_t count, const asked *all, int64_t now_ms) {
  aio__mem_log *logs[AIO__CONSTRAINTS_MAX] = {NULL};
  aio__mem_grant *grant = aio__calloc(tenant->al, 1, sizeof *grant);
  bool ok = grant != NULL;
  for (size_t i = 0; i < count && ok; i++)
    if (!all[i].counted) ok = (logs[i] = log_make(tenant, c[i].key)) != NULL;
  if (ok) {
    memcpy(grant->run_id, run_id.p, run_id.n < AIO__UUID_LEN ? run_id.n : AIO__UUID_LEN);
    grant->next = aio__map_get(&tenant->grants, run_id);
    ok = aio__map_put(&tenant->grants, aio__str_z(grant->run_id), grant) == AIORCH_OK;
  }
  if (!ok) {
    aio__free(tenant->al, grant);
    return aio__mem_nomem(op);
  }
  for (size_t i = 0; i < count; i++) {
    if (logs[i] == NULL) continue;
    aio__mem_item *item = &grant->item[grant->n++];
    *item = (aio__mem_item){now_ms, 0, c[i].window_ms, c[i].kind, grant, logs[i]};
    logs[i]->items[logs[i]->n++] = item;
    set_amount(item, c[i].amount);
    grant->live++;
  }
  return AIORCH_OK;
}

static aiorch_status admit_in(aio__mem_tenant *tenant, aio__op *op, aio__str run_id, const aio__constraint *c,
                              size_t count, int64_t now_ms, aio__admission *out) {
  asked all[AIO__CONSTRAINTS_MAX];
  bool any_new = false;
  *out = (aio__admission){.violated = -1};
  for (size_t i = 0; i < count; i++) {
    all[i] = look(tenant, &c[i], run_id, now_ms);
    any_new |= !all[i].counted;
  }
  for (size_t i = 0; i < count; i++) {
    if (all[i].counted || holds(&c[i], all[i].used)) continue;
    int64_t wait = retry_after(tenant, &c[i], all[i].used, now_ms);
    bool longer = out->violated < 0 || (out->retry_after_ms >= 0 && (wait < 0 || wait > out->retry_after_ms));
    if (longer) *out = (aio__admission){false, (int)i, all[i].used, wait};
  }
  if (out->violated >= 0) return AIORCH_OK;
  out->admitted = true;
  if (count > 0) out->used = all[0].used + (all[0].counted ? 0 : c[0].amount);
  if (!any_new) return AIORCH_OK;
  aiorch_status status = write_grant(tenant, op, run_id, c, count, all, now_ms);
  if (status == AIORCH_OK) sweep(tenant, now_ms);
  return status;
}

static aiorch_status admit(aio__store *base, aio__op *op, aio__str tenant_name, aio__str run_id,
                           const aio__constraint *constraints, size_t count, int64_t now_ms, aio__admission *out) {
  aio__mem_store *store = (aio__mem_store *)base;
  aio__admission result;
  if (count > AIO__CONSTRAINTS_MAX)
    return aio__error_set(&op->error, AIORCH_E_TOO_LARGE, "%zu constraints: at most %d", count, AIO__CONSTRAINTS_MAX);
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_make(store, tenant_name);
  if (tenant == NULL)
    status = aio__mem_nomem(op);
  else
    status = admit_in(tenant, op, run_id, constraints, count, now_ms, &result);
  if (status == AIORCH_OK) *out = result;
  return aio__mem_leave(store, status);
}

/* ---- attempts and runs ------------------------------------------------------------------------------------------ */

static aio__str append(char **at, aio__str text) {
  char *p = *at;
  if (text.n > 0) memcpy(p, text.p, text.n);
  p[text.n] = '\0';
  *at += text.n + 1;
  return (aio__str){p, text.n};
}

static aio__mem_attempt *attempt_new(const aio__alloc *al, const aio__attempt_row *row) {
  aio__mem_attempt *a = aio__calloc(al, 1, sizeof *a + row->provider.n + row->model.n + row->request_id.n + 3);
  if (a == NULL) return NULL;
  char *at = (char *)(a + 1);
  a->row = *row;
  a->row.provider = append(&at, row->provider);
  a->row.model = append(&at, row->model);
  a->row.request_id = append(&at, row->request_id);
  return a;
}

static aio__mem_attempts *attempts_make(aio__mem_tenant *tenant, const char *run_id) {
  aio__mem_attempts *all = aio__map_get(&tenant->attempts, aio__str_z(run_id));
  if (all != NULL) return all;
  all = aio__calloc(tenant->al, 1, sizeof *all);
  if (all == NULL) return NULL;
  memcpy(all->run_id, run_id, sizeof all->run_id);
  if (aio__map_put(&tenant->attempts, aio__str_z(all->run_id), all) == AIORCH_OK) return all;
  aio__free(tenant->al, all);
  return NULL;
}

/* What is settled stays; pending becomes settled or unknown, unknown may still be settled. */
static bool may_replace(const aio__attempt_row *old, const aio__attempt_row *new_row) {
  if (new_row->state == AIO__ATTEMPT_SETTLED) return old->state != AIO__ATTEMPT_SETTLED;
  return new_row->state == AIO__ATTEMPT_UNKNOWN && old->state == AIO__ATTEMPT_PENDING;
}

/* Where the attempt is or would be put. */
static aio__mem_attempt **find_attempt(aio__mem_attempts *all, const char *id) {
  aio__mem_attempt **at = &all->first;
  while (*at != NULL && strcmp((*at)->row.id, id) != 0) at = &(*at)->next;
  return at;
}

/* Puts a copy that is already made in its place, or frees it. */
static void link_attempt(aio__mem_tenant *tenant, aio__mem_attempts *all, aio__mem_attempt *a) {
  aio__mem_attempt **at = find_attempt(all, a->row.id), *old = *at;
  if (old != NULL && !may_replace(&old->row, &a->row)) {
    aio__free(tenant->al, a);
    return;
  }
  if (old != NULL) {
    a->row.created_ms = old->row.created_ms;
    a->next = old->next;
    if (old->row.state == AIO__ATTEMPT_PENDING) tenant->pending--;
    aio__free(tenant->al, old);
  } else {
    all->n++;
  }
  if (a->row.state == AIO__ATTEMPT_PENDING) tenant->pending++;
  *at = a;
}

/* Copies of all rows, and a place for each, in a list; nothing is linked in yet. */
static aiorch_status make_attempts(aio__mem_tenant *tenant, aio__op *op, const aio__attempt_row *rows, size_t count,
                                   aio__mem_attempt **made) {
  for (size_t i = 0; i < count; i++) {
    aio__mem_attempt *a = attempt_new(tenant->al, &rows[i]);
    if (a == NULL) return aio__mem_nomem(op);
    a->next = *made;
    *made = a;
    if (attempts_make(tenant, rows[i].run_id) == NULL) return aio__mem_nomem(op);
  }
  return AIORCH_OK;
}

/* Links the list in, or frees it. */
static void end_attempts(aio__mem_tenant *tenant, aio__mem_attempt *made, bool link) {
  while (made != NULL) {
    aio__mem_attempt *a = made;
    made = made->next;
    a->next = NULL;
    if (link)
      link_attempt(tenant, aio__map_get(&tenant->attempts, aio__str_z(a->row.run_id)), a);
    else
      aio__free(tenant->al, a);
  }
}

static aiorch_status attempt(aio__store *base, aio__op *op, aio__str tenant_name, const aio__attempt_row *row) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  aio__mem_tenant *tenant = aio__mem_tenant_make(store, tenant_name);
  aio__mem_attempt *made = NULL;
  status = tenant != NULL ? make_attempts(tenant, op, row, 1, &made) : aio__mem_nomem(op);
  if (tenant != NULL) end_attempts(tenant, made, status == AIORCH_OK);
  return aio__mem_leave(store, status);
}

static aio__run_row *run_new(const aio__alloc *al, const aio__run_row *row) {
  aio__run_row *run = aio__calloc(al, 1, sizeof *run + row->user.n + row->provider.n + row->model.n + 3);
  if (run == NULL) return NULL;
  char *at = (char *)(run + 1);
  *run = *row;
  run->user = append(&at, row->user);
  run->provider = append(&at, row->provider);
  run->model = append(&at, row->model);
  return run;
}

/* What a run was thought to cost becomes what it has cost; `at_least`: when that is more. */
static void correct(aio__mem_item *item, int64_t amount, bool at_least) {
  if (item->log == NULL || (at_least && item->amount >= amount)) return;
  item->log->sum -= item->amount;
  set_amount(item, amount);
}

static aiorch_status put_run(aio__mem_tenant *tenant, aio__op *op, const aio__run_row *row, bool at_least) {
  if (aio__map_get(&tenant->runs, aio__str_z(row->id)) != NULL) return AIORCH_OK;
  if (tenant->run_count == AIO__MEM_RUNS_MAX)
    return aio__error_set(&op->error, AIORCH_E_STORE_FULL,
                          "the memory store keeps %d runs a tenant: use a folder as store", AIO__MEM_RUNS_MAX);
  void *rows = tenant->run_rows;
  bool ok = aio__mem_reserve(tenant->al, &rows, &tenant->run_cap, tenant->run_count + 1, sizeof(aio__run_row *));
  tenant->run_rows = rows;
  aio__run_row *run = ok ? run_new(tenant->al, row) : NULL;
  if (run == NULL || aio__map_put(&tenant->runs, aio__str_z(run->id), run) != AIORCH_OK) {
    aio__free(tenant->al, run);
    return aio__mem_nomem(op);
  }
  tenant->run_rows[tenant->run_count++] = run;
  if (!row->cost_known) return AIORCH_OK;
  tenant->cost_nano_usd = add_capped(tenant->cost_nano_usd, row->cost_nano_usd);
  for (aio__mem_grant *grant = aio__map_get(&tenant->grants, aio__str_z(row->id)); grant != NULL; grant = grant->next)
    for (size_t i = 0; i < grant->n; i++)
      if (grant->item[i].kind == AIO__LIMIT_MONEY) correct(&grant->item[i], row->cost_nano_usd, at_least);
  return AIORCH_OK;
}

/* Whatever the deadline: money that was spent is written down. */
static aiorch_status settle(aio__store *base, aio__op *op, aio__str tenant_name, const aio__run_row *run,
                            const aio__attempt_row *attempts, size_t count) {
  aio__mem_store *store = (aio__mem_store *)base;
  pthread_mutex_lock(&store->mutex);
  aio__mem_tenant *tenant = aio__mem_tenant_make(store, tenant_name);
  aio__mem_attempt *made = NULL;
  aiorch_status status = tenant != NULL ? make_attempts(tenant, op, attempts, count, &made) : aio__mem_nomem(op);
  if (status == AIORCH_OK) status = put_run(tenant, op, run, aio__settles_at_least(attempts, count));
  if (tenant != NULL) end_attempts(tenant, made, status == AIORCH_OK);
  return aio__mem_leave(store, status);
}

static uint64_t expire_in(aio__mem_tenant *tenant, int64_t now_ms) {
  uint64_t n = 0;
  size_t pos = 0;
  if (tenant->pending == 0) return 0;
  for (aio__mem_attempts *all; (all = aio__map_next(&tenant->attempts, &pos)) != NULL;) {
    for (aio__mem_attempt *a = all->first; a != NULL; a = a->next) {
      if (a->row.state != AIO__ATTEMPT_PENDING || a->row.lease_until_ms > now_ms) continue;
      a->row.state = AIO__ATTEMPT_UNKNOWN;
      tenant->pending--;
      n++;
    }
  }
  return n;
}

static aiorch_status expire(aio__store *base, aio__op *op, int64_t now_ms, uint64_t *expired) {
  aio__mem_store *store = (aio__mem_store *)base;
  size_t pos = 0;
  uint64_t n = 0;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  for (aio__mem_tenant *tenant; (tenant = aio__map_next(&store->tenants, &pos)) != NULL;)
    n += expire_in(tenant, now_ms);
  *expired = n;
  return aio__mem_leave(store, AIORCH_OK);
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

/* "2026-11-24" of milliseconds since 1970, in the Gregorian calendar (years 0 to 9999). */
static aio__str day_text(int64_t ms, char out[DAY_TEXT]) {
  int64_t days = ms / DAY_MS - (ms % DAY_MS < 0 ? 1 : 0) + 719468; /* since 0000-03-01 */
  int64_t era = days / 146097, of_era = days % 146097;
  int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * of_year + 2) / 153, day = of_year - (153 * shifted + 2) / 5 + 1;
  int64_t month = shifted < 10 ? shifted + 3 : shifted - 9, year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
  const int64_t digits[] = {year / 1000, year / 100, year / 10, year, -1, month / 10, month, -1, day / 10, day};
  for (size_t i = 0; i < 10; i++) out[i] = digits[i] < 0 ? '-' : (char)('0' + digits[i] % 10);
  out[10] = '\0';
  return (aio__str){out, 10};
}

typedef enum group_by { BY_DAY, BY_PROVIDER, BY_MODEL, BY_USER, BY_NONE } group_by;

static group_by parse_by(aio__str by) {
  static const char *const names[] = {"day", "provider", "model", "user"};
  for (int i = 0; i < 4; i++)
    if (aio__str_eqz(by, names[i])) return (group_by)i;
  return BY_NONE;
}

static void add_run(aio__cost_row *row, const aio__run_row *run) {
  row->runs++;
  row->hits += run->cache >= AIORCH_CACHE_EXACT;
  row->failures += run->status < 0;
  row->unknown_price += !run->cost_known;
  if (run->cost_known) row->cost_nano_usd = add_capped(row->cost_nano_usd, run->cost_nano_usd);
  aio__usage_add(&row->usage, &run->usage);
}

static int by_group(const void *a, const void *b) {
  return aio__str_cmp(((const aio__cost_row *)a)->group, ((const aio__cost_row *)b)->group);
}

static aio__cost_row *group_make(aio__map *groups, aio__arena *arena, aio__str name) {
  aio__cost_row *row = aio__map_get(groups, name);
  if (row != NULL) return row;
  row = aio__arena_alloc(arena, sizeof *row);
  if (row == NULL || (row->group = aio__arena_str(arena, name)).p == NULL) return NULL;
  return aio__map_put(groups, row->group, row) == AIORCH_OK ? row : NULL;
}

static bool group_runs(const aio__mem_tenant *tenant, int64_t since_ms, int64_t until_ms, group_by by,
                       aio__arena *arena, aio__map *groups) {
  char day[DAY_TEXT];
  for (size_t i = 0; i < tenant->run_count; i++) {
    const aio__run_row *run = tenant->run_rows[i];
    if (run->created_ms < since_ms || run->created_ms >= until_ms) continue;
    aio__str name = by == BY_DAY        ? day_text(run->created_ms, day)
                    : by == BY_PROVIDER ? run->provider
                    : by == BY_MODEL    ? run->model
                                        : run->user;
    aio__cost_row *row = group_make(groups, arena, name);
    if (row == NULL) return false;
    add_run(row, run);
  }
  return true;
}

static aiorch_status costs(aio__store *base, aio__op *op, aio__str tenant_name, int64_t since_ms, int64_t until_ms,
                           aio__str by, aio__arena *arena, aio__cost_row **rows, size_t *count) {
  aio__mem_store *store = (aio__mem_store *)base;
  group_by group = parse_by(by);
  if (group == BY_NONE)
    return aio__error_set(&op->error, AIORCH_E_INVALID, "costs by \"%.*s\": use day, provider, model or user",
                          (int)(by.n < TEXT_SHOWN_MAX ? by.n : TEXT_SHOWN_MAX), by.p != NULL ? by.p : "");
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  aio__map groups;
  aio__map_init(&groups, store->env.al);
  bool ok = tenant == NULL || group_runs(tenant, since_ms, until_ms, group, arena, &groups);
  aio__cost_row *out = aio__arena_alloc(arena, (groups.n + 1) * sizeof *out);
  ok = ok && out != NULL;
  size_t pos = 0, n = 0;
  for (aio__cost_row *row; ok && (row = aio__map_next(&groups, &pos)) != NULL;) out[n++] = *row;
  if (n > 1) qsort(out, n, sizeof *out, by_group);
  aio__map_free(&groups);
  if (ok) {
    *rows = out;
    *count = n;
  }
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

static int oldest_first(const void *a, const void *b) {
  const aio__attempt_row *x = a, *y = b;
  if (x->created_ms != y->created_ms) return x->created_ms < y->created_ms ? -1 : 1;
  return strcmp(x->id, y->id);
}

static aiorch_status attempts(aio__store *base, aio__op *op, aio__str tenant_name, aio__str run_id, aio__arena *arena,
                              aio__attempt_row **rows, size_t *count) {
  aio__mem_store *store = (aio__mem_store *)base;
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  const aio__mem_attempts *all = tenant != NULL ? aio__map_get(&tenant->attempts, run_id) : NULL;
  size_t n = 0, most = all != NULL ? all->n : 0;
  aio__attempt_row *out = aio__arena_alloc(arena, (most + 1) * sizeof *out);
  bool ok = out != NULL;
  for (const aio__mem_attempt *a = all != NULL ? all->first : NULL; a != NULL && ok; a = a->next) {
    out[n] = a->row;
    out[n].provider = aio__arena_str(arena, a->row.provider);
    out[n].model = aio__arena_str(arena, a->row.model);
    out[n].request_id = aio__arena_str(arena, a->row.request_id);
    ok = out[n].provider.p != NULL && out[n].model.p != NULL && out[n].request_id.p != NULL;
    n++;
  }
  if (ok && n > 1) qsort(out, n, sizeof *out, oldest_first);
  if (ok) {
    *rows = out;
    *count = n;
  }
  return aio__mem_leave(store, ok ? AIORCH_OK : aio__mem_nomem(op));
}

static aiorch_status stats(aio__store *base, aio__op *op, aio__str tenant_name, int64_t now_ms, aio__store_stats *out) {
  aio__mem_store *store = (aio__mem_store *)base;
  aio__store_stats all = {0};
  aiorch_status status = aio__mem_enter(store, op);
  if (status != AIORCH_OK) return status;
  const aio__mem_tenant *tenant = aio__mem_tenant_get(store, tenant_name);
  if (tenant != NULL) {
    all.documents = (int64_t)tenant->document_count;
    all.chunks = tenant->chunks;
    all.text_bytes = tenant->text_bytes;
    aio__mem_cache_live(tenant, now_ms, &all.cache_entries, &all.cache_bytes);
    all.runs = (int64_t)tenant->run_count;
    all.cost_nano_usd = tenant->cost_nano_usd;
  }
  *out = all;
  return aio__mem_leave(store, AIORCH_OK);
}

void aio__mem_ledger_free(aio__mem_tenant *tenant) {
  size_t pos = 0;
  for (aio__mem_log *log; (log = aio__map_next(&tenant->logs, &pos)) != NULL;) log_free(tenant, log);
  pos = 0;
  for (aio__mem_grant *grant; (grant = aio__map_next(&tenant->grants, &pos)) != NULL;)
    for (aio__mem_grant *next; grant != NULL; grant = next) {
      next = grant->next;
      aio__free(tenant->al, grant);
    }
  pos = 0;
  for (aio__mem_attempts *all; (all = aio__map_next(&tenant->attempts, &pos)) != NULL;) {
    for (aio__mem_attempt *a = all->first, *next; a != NULL; a = next) {
      next = a->next;
      aio__free(tenant->al, a);
    }
    aio__free(tenant->al, all);
  }
  for (size_t i = 0; i < tenant->run_count; i++) aio__free(tenant->al, tenant->run_rows[i]);
  aio__free(tenant->al, tenant->run_rows);
  aio__map_free(&tenant->logs);
  aio__map_free(&tenant->grants);
  aio__map_free(&tenant->runs);
  aio__map_free(&tenant->attempts);
}

const aio__ledger_ops aio__mem_ledger_ops = {.admit = admit,
                                             .attempt = attempt,
                                             .settle = settle,
                                             .expire = expire,
                                             .costs = costs,
                                             .attempts = attempts,
                                             .stats = stats};
