/* The orchestrator's life: opened, held, closed, freed. See orch.h for who holds what. */
#include "pipeline/orch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/shared_call.h"
#include "pipeline/store_place.h"
#include "stores/spooled.h"

#define ORCH_MAGIC UINT64_C(0x61696f7263686573)

aiorch_status aio__orch_check(const aiorch *orch) {
  if (!orch || orch->magic != ORCH_MAGIC) return AIORCH_E_INVALID;
  return *orch->alive ? AIORCH_OK : AIORCH_E_FORKED;
}

/* ---- fork: a page that the kernel wipes in the child, so that a look at one byte tells where we are ---- */

static unsigned char *map_alive(void) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  unsigned char *alive = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (alive == MAP_FAILED) return NULL;
  if (madvise(alive, page, MADV_WIPEONFORK) != 0) {
    (void)munmap(alive, page);
    return NULL;
  }
  *alive = 1;
  return alive;
}

static void unmap_alive(unsigned char *alive) {
  if (alive) (void)munmap(alive, (size_t)sysconf(_SC_PAGESIZE));
}

/* ---- open ---- */

static aiorch_status check_together(const aiorch *orch, aiorch_error *error) {
  const aio__options *o = &orch->options;
  if (!strstr(o->prompt_context_template, "{sources}")) {
    return aio__error_set(error, AIORCH_E_CONFIG, "prompt.context_template has no {sources}: the model would see none");
  }
  if (!strstr(o->prompt_context_template, "{fence}")) {
    return aio__error_set(error, AIORCH_E_CONFIG,
                          "prompt.context_template has no {fence}: documents could pass for instructions");
  }
  if (o->chunk_target_tokens > o->chunk_max_tokens) {
    return aio__error_set(error, AIORCH_E_CONFIG, "chunk.target_tokens (%lld) is above chunk.max_tokens (%lld)",
                          (long long)o->chunk_target_tokens, (long long)o->chunk_max_tokens);
  }
  return AIORCH_OK;
}

static aiorch_status open_postgres(aiorch *orch, aio__store_env *env, aiorch_error *error) {
  aiorch_status st = aio__orch_open_io(orch, error);
  env->io = orch->io;
  if (st == AIORCH_OK) st = aio__store_postgres_open(env, orch->options.store, &orch->store, error);
  aio__url_hide_password(orch->options.store); /* the store has its own copy; runs, which copy the settings, need none */
  return st;
}

static aiorch_status open_kind(aiorch *orch, aio__store_env *env, aiorch_error *error) {
  if (strcmp(orch->options.store, "memory") == 0) return aio__store_memory_open(env, &orch->store, error);
  if (aio__store_is_postgres(orch->options.store)) return open_postgres(orch, env, error);
  aio__buf folder;
  aio__buf_init(&folder, orch->al, AIO__STORE_PLACE_MAX);
  aiorch_status st = aio__store_place(orch->options.store, &folder, error);
  if (st == AIORCH_OK) st = aio__store_sqlite_open(env, aio__buf_cstr(&folder), &orch->store, error);
  aio__buf_free(&folder);
  return st;
}

/* Cost rows that the store cannot take wait on this machine. */
static aiorch_status open_spool(aiorch *orch, const aio__store_env *env, aiorch_error *error) {
  const char *mode = orch->options.spool_mode;
  if (strcmp(mode, "off") == 0 || (strcmp(mode, "auto") == 0 && !orch->store->is_remote)) return AIORCH_OK;
  aio__buf folder;
  aio__buf_init(&folder, orch->al, AIO__STORE_PLACE_MAX);
  aiorch_status st = aio__spool_place(orch->options.spool_path, &folder, error);
  if (st == AIORCH_OK) st = aio__store_spooled_open(env, aio__buf_cstr(&folder), orch->store, &orch->spooled, error);
  if (st == AIORCH_OK) orch->store = orch->spooled;
  aio__buf_free(&folder);
  return st;
}

static aiorch_status open_store(aiorch *orch, aiorch_error *error) {
  aio__store_env env = {.al = orch->al, .clock = orch->clock, .log = orch->log, .options = &orch->options,
                        .counters = &orch->counters};
  aiorch_status st = AIORCH_OK;
  if (strcmp(orch->options.rate_on_store_down, "local") == 0) st = aio__store_memory_open(&env, &orch->local_limiter, error);
  if (st == AIORCH_OK) st = open_kind(orch, &env, error);
  return st ? st : open_spool(orch, &env, error);
}

static aiorch_status read_extra(const char *path, aio__buf *out, const char *setting, aiorch_error *error) {
  if (path[0] == '\0') return AIORCH_OK;
  return aio__read_file(path, out, setting, error);
}

static aiorch_status open_rules(aiorch *orch, aiorch_error *error) {
  aio__buf rules, prices, tiers;
  aio__buf_init(&rules, orch->al, AIO__DATA_FILE_MAX);
  aio__buf_init(&tiers, orch->al, AIO__DATA_FILE_MAX);
  aio__buf_init(&prices, orch->al, AIO__DATA_FILE_MAX);
  aiorch_status st = read_extra(orch->options.validate_rules_file, &rules, "validate.rules_file", error);
  if (st == AIORCH_OK) st = aio__input_guard_new(orch->al, aio__buf_view(&rules), &orch->input_guard, error);
  if (st == AIORCH_OK) st = aio__output_guard_new(orch->al, &orch->output_guard, error);
  if (st == AIORCH_OK) st = aio__hit_guard_new(orch->al, &orch->hit_guard, error);
  if (st == AIORCH_OK) st = read_extra(orch->options.prices_file, &prices, "cost.prices_file", error);
  if (st == AIORCH_OK) st = aio__prices_new(orch->al, aio__buf_view(&prices), &orch->prices, error);
  if (st == AIORCH_OK) st = read_extra(orch->options.tier_rules_file, &tiers, "generate.tier_rules_file", error);
  if (st == AIORCH_OK) st = aio__tier_rules_new(orch->al, aio__buf_view(&tiers), &orch->tier_rules, error);
  aio__buf_free(&rules);
  aio__buf_free(&prices);
  aio__buf_free(&tiers);
  return st;
}

/* The order of freeing is the reverse of who uses whom: the store's thread first, then the plug-ins, then the transport that built-in ones
 * use, then their calls. */
static void free_parts(aiorch *orch) {
  if (orch->store) orch->store->close(orch->store);
  if (orch->local_limiter) orch->local_limiter->close(orch->local_limiter);
  for (aiorch_run *run = orch->zombies, *next; run; run = next) {
    next = run->next_zombie;
    aio__run_destroy(run);
  }
  aio__calls_quiesce(orch->calls);
  aio__plugins_destroy(&orch->plugins);
  if (orch->transport) orch->transport->close(orch->transport);
  orch->transport = NULL;
  aio__io_free(orch->io);
  aio__calls_free(orch->calls);
  orch->calls = NULL; /* the log goes later */
  aio__input_guard_free(orch->input_guard);
  aio__output_guard_free(orch->output_guard);
  aio__hit_guard_free(orch->hit_guard);
  aio__prices_free(orch->prices);
  aio__sched_free(orch->sched);
  aio__health_free(orch->health);
  aio__shared_calls_free(orch->flights);
  aio__tier_rules_free(orch->tier_rules);
  aio__map_free(&orch->runs);
  aio__options_free(&orch->options);
  aio__embed_claims_destroy(&orch->embed_claims);
  pthread_cond_destroy(&orch->cond);
  pthread_mutex_destroy(&orch->mutex);
  unmap_alive(orch->alive);
}

static void free_orch(aiorch *orch) {
  orch->magic = 0;
  free_parts(orch);
  aio__log_free(orch->log); /* last but one: everything above may log; the logger's destroy is here */
  aio__alloc allocator = orch->allocator;
  aio__free(&allocator, orch);
}

/* ---- the logger: a callback like any other, so that one which comes back in is told so ---- */

static void log_through(void *self, int32_t level, const char *json, size_t len) {
  aiorch *orch = self;
  aio__inside frame;
  if (orch->calls) aio__calls_enter(orch->calls, &frame);
  orch->logger.vtbl.log(orch->logger.self, level, json, len);
  if (orch->calls) aio__calls_leave(orch->calls, &frame);
}

static void destroy_logger(void *self) {
  const aiorch *orch = self;
  if (orch->logger.vtbl.destroy) orch->logger.vtbl.destroy(orch->logger.self);
}

static aiorch_status open_log(aiorch *orch, const aio__plugins *plugins) {
  if (!plugins->has_logger) return aio__log_new(orch->al, orch->clock, NULL, NULL, &orch->log);
  orch->logger = plugins->logger;
  aiorch_logger_vtbl vtbl = orch->logger.vtbl;
  vtbl.log = log_through;
  vtbl.destroy = destroy_logger;
  return aio__log_new(orch->al, orch->clock, &vtbl, orch, &orch->log);
}

static uint32_t system_random(void *ctx) {
  uint32_t value = UINT32_MAX / 2; /* without random bytes: the middle of the jitter */
  (void)ctx;
  (void)aio__random(&value, sizeof value);
  return value;
}

static aiorch_status open_parts(aiorch *orch, aio__plugins *plugins, aio__plugin_embedder *local, aio__plugins *made,
                                aiorch_error *error) {
  const aio__health_limits limits = {.budget_milli = (int32_t)(orch->options.generate_retry_budget * AIO__RETRY_COST_MILLI),
                                     .failures = (int)orch->options.breaker_failures,
                                     .open_ms = orch->options.breaker_open_ms};
  aiorch_status st = open_log(orch, plugins);
  if (st == AIORCH_OK) st = aio__calls_new(orch->al, orch->clock, orch->log, &orch->counters, &orch->calls);
  if (st == AIORCH_OK) st = aio__sched_new(orch->al, orch->clock, &orch->sched);
  if (st == AIORCH_OK) st = aio__health_new(orch->al, &limits, &orch->health);
  if (st == AIORCH_OK) st = aio__shared_calls_new(orch->al, &orch->flights);
  if (st) return aio__error_set(error, st, "out of memory for an orchestrator");
  aio__log_count_drops(orch->log, &orch->counters);
  st = open_rules(orch, error);
  if (st == AIORCH_OK) st = aio__orch_open_providers(orch, plugins, made, error);
  if (st == AIORCH_OK) st = aio__orch_open_embedder(orch, local, error);
  return st ? st : open_store(orch, error);
}

aiorch_status aio__orch_open(const aio__options *options, const aio__alloc *al, const aio__clock *clock,
                             aio__plugins *plugins, aiorch **out, aiorch_error *error) {
  aiorch *orch = aio__calloc(al, 1, sizeof *orch);
  if (!orch) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for an orchestrator");
  orch->allocator = *al;
  orch->al = &orch->allocator;
  orch->clock = clock;
  atomic_init(&orch->refs, 1);
  aio__counters_init(&orch->counters);
  orch->random = system_random;
  aio__map_init(&orch->runs, orch->al);
  if (pthread_mutex_init(&orch->mutex, NULL) != 0 || aio__cond_init(&orch->cond) != 0 ||
      aio__embed_claims_init(&orch->embed_claims) != AIORCH_OK || aio__options_copy(&orch->options, options) != AIORCH_OK) {
    aio__free(al, orch);
    return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for an orchestrator");
  }
  orch->options.al = orch->al;
  orch->alive = map_alive();
  aiorch_status st = orch->alive ? AIORCH_OK
                                 : aio__error_set(error, AIORCH_E_SYSTEM, "the system gave no page that fork() wipes: %s",
                                                  strerror(errno));
  /* The plug-ins are only looked at until all else has succeeded: after an error they are still the caller's. */
  orch->plugins = *plugins;
  aio__plugin_embedder local = {0};
  aio__plugins made;
  aio__plugins_init(&made, orch->al);
  if (st == AIORCH_OK) st = check_together(orch, error);
  if (st == AIORCH_OK) st = open_parts(orch, plugins, &local, &made, error);
  aio__plugins_init(&orch->plugins, orch->al);
  if (st) {
    aio__orch_drop_embedder(orch, &local);
    aio__plugins_destroy(&made);
    if (orch->transport == plugins->transport) orch->transport = NULL;
    if (orch->log) aio__log_disown(orch->log);
    free_orch(orch);
    return st;
  }
  aio__plugins_move(&orch->plugins, plugins);
  orch->transport = orch->transport ? orch->transport : orch->plugins.transport;
  aio__orch_take_providers(orch, &made);
  aio__orch_take_embedder(orch, &local);
  orch->magic = ORCH_MAGIC;
  *out = orch;
  return AIORCH_OK;
}

/* ---- hold and let go ---- */

aiorch *aio__orch_retain(aiorch *orch) {
  atomic_fetch_add_explicit(&orch->refs, 1, memory_order_relaxed);
  return orch;
}

void aio__orch_release(aiorch *orch) {
  if (atomic_fetch_sub_explicit(&orch->refs, 1, memory_order_acq_rel) != 1) return;
  aio__log_flush(orch->log);
  free_orch(orch);
}

/* ---- what the api shares ---- */

aiorch_status aio__check_name(aio__str name, const char *what, aiorch_error *error) {
  if (name.n > AIO__TENANT_MAX) {
    return aio__error_set(error, AIORCH_E_INVALID, "%s is %zu bytes long; at most %d are allowed", what, name.n,
                          AIO__TENANT_MAX);
  }
  size_t bad = aio__utf8_check(name, NULL);
  for (size_t i = 0; i < bad; i++) {
    if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f) bad = i;
  }
  if (bad == name.n) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_INVALID, "%s has a control character or a byte that is not UTF-8 at byte %zu",
                        what, bad);
}

aiorch_status aio__orch_enter(aiorch *orch, aio__str tenant_in, aio__str *tenant, aiorch_error *error) {
  aio__error_clear(error);
  aiorch_status st = aio__orch_check(orch);
  if (st) {
    return aio__error_set(error, st, st == AIORCH_E_FORKED ? "the orchestrator was opened before fork(): open one here"
                                                           : "this is no open orchestrator");
  }
  pthread_mutex_lock(&orch->mutex);
  bool closing = orch->closing;
  pthread_mutex_unlock(&orch->mutex);
  if (closing) return aio__error_set(error, AIORCH_E_CLOSED, "the orchestrator is closing");
  if (tenant_in.n == 0) {
    if (strcmp(orch->options.tenancy, "single") != 0) {
      return aio__error_set(error, AIORCH_E_INVALID, "a tenant is needed unless \"tenancy\" is \"single\"");
    }
    *tenant = AIO__LIT("default");
    return AIORCH_OK;
  }
  *tenant = tenant_in;
  return aio__check_name(tenant_in, "the tenant", error);
}

bool aio__orch_has_company(const aiorch *orch) {
  return aio__sched_has_ready(orch->sched);
}

void aio__orch_flush(aiorch *orch) {
  aio__io_wake(orch->io);
  if (orch->store->flush) orch->store->flush(orch->store);
}

static void sync_done(aio__op *op, void *ctx) {
  (void)op;
  aio__sync *sync = ctx;
  aio__waker *waker = aio__waker_retain(sync->waker);
  atomic_store_explicit(&sync->done, true, memory_order_release);
  aio__waker_signal(waker);
  aio__waker_release(waker);
}

aiorch_status aio__sync_begin(aio__sync *sync, aiorch *orch, int64_t timeout_ms, aiorch_error *error) {
  memset(sync, 0, sizeof *sync);
  aiorch_status st = aio__waker_new(orch->al, orch->clock, &sync->waker);
  if (st) return aio__error_set(error, st, "out of memory for a store call");
  aio__op_init(&sync->op, aio__clock_after_ms(orch->clock, timeout_ms), sync_done, sync);
  return AIORCH_OK;
}

aiorch_status aio__sync_end(aio__sync *sync, aiorch_status started, aiorch_error *error) {
  if (started != AIORCH_PENDING) {
    sync->op.status = started;
  } else {
    while (!atomic_load_explicit(&sync->done, memory_order_acquire)) {
      (void)aio__waker_wait(sync->waker, AIO__NEVER);
      aio__waker_clear(sync->waker);
    }
  }
  atomic_store_explicit(&sync->done, false, memory_order_relaxed);
  if (sync->op.status < 0) {
    aio__error_copy(error, &sync->op.error);
    if (error && error->status >= 0) aio__error_set(error, sync->op.status, "%s", aiorch_strerror(sync->op.status));
  }
  return sync->op.status;
}

void aio__sync_free(aio__sync *sync) {
  aio__waker_release(sync->waker);
  sync->waker = NULL;
}

aiorch_status aio__orch_admit_local(aiorch *orch, aio__str tenant, const aio__constraint *constraints, size_t count,
                                    aio__admission *out) {
  char id[AIO__UUID_LEN + 1];
  int64_t now_ms = aio__clock_wall_ms(orch->clock);
  aio__op op;
  aio__op_init(&op, AIO__NEVER, NULL, NULL);
  aiorch_status st = aio__uuid_v7(now_ms, id);
  if (st) return st;
  aio__store *store = orch->local_limiter; /* a memory store: it never waits */
  return store->ledger->admit(store, &op, tenant, aio__str_n(id, AIO__UUID_LEN), constraints, count, now_ms, out);
}
