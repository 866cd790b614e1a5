/* See health.h. One list under one mutex: a handle has few providers, and each call looks once or twice. */
#include "generate/health.h"

#include <string.h>

typedef struct line {
  const aio__plugin_provider *provider;
  char *model;
  uint32_t endpoint;
  uint64_t used;           /* the tick of its last use */
  aio__breaker breaker;
} line;

typedef struct budget {
  const aio__plugin_provider *provider;
  int32_t milli;
} budget;

struct aio__health {
  const aio__alloc *al;
  aio__health_limits limits;
  pthread_mutex_t mutex;
  line *lines;
  size_t count, cap;
  uint64_t tick;
  budget budgets[AIO__PROVIDERS_MAX];
  size_t budget_count;
};

aiorch_status aio__health_new(const aio__alloc *al, const aio__health_limits *limits, aio__health **out) {
  aio__health *health = aio__calloc(al, 1, sizeof *health);
  if (!health) return AIORCH_E_NOMEM;
  if (pthread_mutex_init(&health->mutex, NULL) != 0) {
    aio__free(al, health);
    return AIORCH_E_NOMEM;
  }
  health->al = al;
  health->limits = *limits;
  *out = health;
  return AIORCH_OK;
}

void aio__health_free(aio__health *health) {
  if (!health) return;
  for (size_t i = 0; i < health->count; i++) aio__free(health->al, health->lines[i].model);
  aio__free(health->al, health->lines);
  pthread_mutex_destroy(&health->mutex);
  aio__free(health->al, health);
}

/* ---- lines; the mutex is held ---- */

static uint32_t endpoints_of(const aio__plugin_provider *provider) {
  if (provider->endpoint_count == 0) return 1;
  return provider->endpoint_count < AIO__ENDPOINTS_MAX ? provider->endpoint_count : AIO__ENDPOINTS_MAX;
}

static line *find(aio__health *health, aio__health_whom whom, uint32_t endpoint) {
  for (size_t i = 0; i < health->count; i++) {
    line *l = &health->lines[i];
    if (l->provider == whom.provider && l->endpoint == endpoint && strcmp(l->model, whom.model) == 0) return l;
  }
  return NULL;
}

static line *room(aio__health *health) {
  if (health->count < health->cap) return &health->lines[health->count++];
  if (health->cap < AIO__HEALTH_MAX) {
    size_t cap = health->cap ? health->cap * 2 : 16;
    line *more = aio__realloc(health->al, health->lines, cap * sizeof *more);
    if (!more) return NULL;
    health->lines = more;
    health->cap = cap;
    return &health->lines[health->count++];
  }
  line *oldest = &health->lines[0];
  for (size_t i = 1; i < health->count; i++) {
    line *l = &health->lines[i];
    bool closed = l->breaker.state == AIO__BREAKER_CLOSED, best_closed = oldest->breaker.state == AIO__BREAKER_CLOSED;
    if (closed != best_closed ? closed : l->used < oldest->used) oldest = l;
  }
  aio__free(health->al, oldest->model);
  return oldest;
}

/* Found, or made: NULL when out of memory. */
static line *line_of(aio__health *health, aio__health_whom whom, uint32_t endpoint) {
  line *l = find(health, whom, endpoint);
  if (!l) {
    char *model = aio__strndup(health->al, whom.model, strlen(whom.model));
    if (!model) return NULL;
    l = room(health);
    if (!l) {
      aio__free(health->al, model);
      return NULL;
    }
    *l = (line){.provider = whom.provider, .model = model, .endpoint = endpoint};
    l->breaker.failures_most = health->limits.failures;
    l->breaker.open_ms = health->limits.open_ms;
  }
  l->used = ++health->tick;
  return l;
}

static budget *budget_of(aio__health *health, const aio__plugin_provider *provider) {
  for (size_t i = 0; i < health->budget_count; i++) {
    if (health->budgets[i].provider == provider) return &health->budgets[i];
  }
  if (health->budget_count == AIO__PROVIDERS_MAX) return NULL;
  budget *b = &health->budgets[health->budget_count++];
  *b = (budget){.provider = provider, .milli = health->limits.budget_milli};
  return b;
}

/* ---- choosing ---- */

static uint32_t weight_of(const aio__plugin_provider *provider, uint32_t endpoint) {
  return provider->endpoint_weights ? provider->endpoint_weights[endpoint] : 1;
}

static bool in(uint64_t set, uint32_t endpoint) { return (set >> endpoint & 1) != 0; }

static int64_t wait_of(aio__health *health, aio__health_whom whom, uint32_t endpoint, int64_t now_ms) {
  const line *l = find(health, whom, endpoint);
  return l ? aio__breaker_wait_ms(&l->breaker, now_ms) : 0;
}

/* Those that may be asked now, as a set; *wait_ms: see aio__health_choice. */
static uint64_t allowed(aio__health *health, aio__health_whom whom, uint64_t but, int64_t now_ms, int64_t *wait_ms) {
  uint64_t set = 0;
  *wait_ms = -1;
  for (uint32_t i = 0; i < endpoints_of(whom.provider); i++) {
    if (in(but, i)) continue;
    int64_t wait = wait_of(health, whom, i, now_ms);
    if (wait == 0) set |= UINT64_C(1) << i;
    if (*wait_ms < 0 || wait < *wait_ms) *wait_ms = wait;
  }
  return set;
}

/* Where the lot falls among the weights; endpoints without weight only when there are no others. */
static uint32_t draw(const aio__plugin_provider *provider, uint64_t set, uint32_t lot) {
  uint64_t sum = 0, count = 0;
  for (uint32_t i = 0; i < AIO__ENDPOINTS_MAX; i++) {
    if (!in(set, i)) continue;
    sum += weight_of(provider, i);
    count++;
  }
  bool equal = sum == 0;
  /* The high half of lot * sum, in two steps: the sum may have 38 bits. */
  uint64_t all = equal ? count : sum;
  uint64_t at = (lot * (all >> 16) + (lot * (all & 0xffff) >> 16)) >> 16;
  for (uint32_t i = 0; i < AIO__ENDPOINTS_MAX; i++) {
    if (!in(set, i)) continue;
    uint64_t weight = equal ? 1 : weight_of(provider, i);
    if (at < weight) return i;
    at -= weight;
  }
  return 0;
}

static void take(aio__health *health, aio__health_whom whom, uint32_t endpoint, int64_t now_ms, aio__health_choice *out) {
  line *l = line_of(health, whom, endpoint);
  *out = (aio__health_choice){.endpoint = endpoint};
  if (l) (void)aio__breaker_allows(&l->breaker, now_ms, &out->probe);
}

bool aio__health_choose(aio__health *health, aio__health_whom whom, uint64_t but, uint32_t lot, int64_t now_ms,
                        aio__health_choice *out) {
  int64_t wait_ms;
  pthread_mutex_lock(&health->mutex);
  uint64_t set = allowed(health, whom, but, now_ms, &wait_ms);
  if (set) take(health, whom, draw(whom.provider, set, lot), now_ms, out);
  else *out = (aio__health_choice){.wait_ms = wait_ms};
  pthread_mutex_unlock(&health->mutex);
  return set != 0;
}

bool aio__health_take(aio__health *health, aio__health_whom whom, uint32_t endpoint, int64_t now_ms, aio__health_choice *out) {
  pthread_mutex_lock(&health->mutex);
  int64_t wait_ms = wait_of(health, whom, endpoint, now_ms);
  if (wait_ms == 0) take(health, whom, endpoint, now_ms, out);
  else *out = (aio__health_choice){.wait_ms = wait_ms};
  pthread_mutex_unlock(&health->mutex);
  return wait_ms == 0;
}

bool aio__health_any(aio__health *health, aio__health_whom whom, uint64_t but, int64_t now_ms) {
  int64_t wait_ms;
  pthread_mutex_lock(&health->mutex);
  bool any = allowed(health, whom, but, now_ms, &wait_ms) != 0;
  pthread_mutex_unlock(&health->mutex);
  return any;
}

/* ---- what became of it ---- */

void aio__health_alive(aio__health *health, aio__health_whom whom, uint32_t endpoint) {
  pthread_mutex_lock(&health->mutex);
  line *l = find(health, whom, endpoint);
  if (l) aio__breaker_success(&l->breaker);
  pthread_mutex_unlock(&health->mutex);
}

bool aio__health_report(aio__health *health, aio__health_whom whom, uint32_t endpoint, aiorch_status status,
                        int64_t retry_after_ms, int64_t now_ms) {
  bool opened = false;
  pthread_mutex_lock(&health->mutex);
  line *l = line_of(health, whom, endpoint);
  budget *b = status == AIORCH_OK ? budget_of(health, whom.provider) : NULL;
  if (b) b->milli = aio__retry_refund(b->milli, health->limits.budget_milli);
  if (l && status == AIORCH_OK) {
    aio__breaker_success(&l->breaker);
  } else if (l) {
    uint64_t before = l->breaker.opened;
    aio__breaker_failure(&l->breaker, status, retry_after_ms, now_ms);
    opened = l->breaker.opened > before;
  }
  pthread_mutex_unlock(&health->mutex);
  return opened;
}

void aio__health_nothing(aio__health *health, aio__health_whom whom, uint32_t endpoint, bool probe, int64_t now_ms) {
  pthread_mutex_lock(&health->mutex);
  line *l = find(health, whom, endpoint);
  if (l) aio__breaker_nothing(&l->breaker, probe, now_ms);
  pthread_mutex_unlock(&health->mutex);
}

aio__retry_decision aio__health_decide(aio__health *health, const aio__plugin_provider *provider,
                                       const aio__retry_failure *failure, const aio__retry_place *place) {
  aio__retry_place with_budget = *place;
  pthread_mutex_lock(&health->mutex);
  budget *b = budget_of(health, provider);
  with_budget.budget_milli = b ? b->milli : 0;
  aio__retry_decision decision = aio__retry_decide(failure, &with_budget);
  if (b) b->milli = decision.budget_milli;
  pthread_mutex_unlock(&health->mutex);
  return decision;
}

/* ---- statistics ---- */

static const char *state_name(aio__breaker_state state) {
  switch (state) {
    case AIO__BREAKER_OPEN: return "open";
    case AIO__BREAKER_PROBING: return "probing";
    default: return "closed";
  }
}

static void put_line(aio__health *health, const line *l, int64_t now_ms, aio__json_writer *w) {
  const budget *b = budget_of(health, l->provider);
  aio__jw_object(w);
  aio__jw_kz(w, "provider", l->provider->name);
  aio__jw_kz(w, "model", l->model);
  aio__jw_ki64(w, "endpoint", l->endpoint);
  aio__jw_kz(w, "address", l->provider->endpoint_names ? l->provider->endpoint_names[l->endpoint] : NULL);
  aio__jw_kz(w, "state", state_name(l->breaker.state));
  aio__jw_ki64(w, "failures", l->breaker.failures);
  aio__jw_ki64(w, "opened", (int64_t)l->breaker.opened);
  aio__jw_ki64(w, "wait_ms", aio__breaker_wait_ms(&l->breaker, now_ms));
  aio__jw_kf64(w, "retry_budget", b ? (double)b->milli / 1000.0 : 0.0);
  aio__jw_object_end(w);
}

void aio__health_json(aio__health *health, int64_t now_ms, aio__json_writer *w) {
  pthread_mutex_lock(&health->mutex);
  aio__jw_array(w);
  for (size_t i = 0; i < health->count; i++) put_line(health, &health->lines[i], now_ms, w);
  aio__jw_array_end(w);
  pthread_mutex_unlock(&health->mutex);
}
