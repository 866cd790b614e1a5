/*
 * The orchestrator: what runs share. It is counted: the host's handle is one reference, each run another. The last one to
 * go closes the store, calls each plug-in's destroy, and frees the rest (orch.c).
 */
#ifndef AIO_PIPELINE_ORCH_H
#define AIO_PIPELINE_ORCH_H

#include "core/call.h"
#include "core/map.h"
#include "core/options.h"
#include "core/plugins.h"
#include "cost/prices.h"
#include "generate/health.h"
#include "generate/tier.h"
#include "guard/hit_guard.h"
#include "guard/input_guard.h"
#include "guard/output_guard.h"
#include "net/io_thread.h"
#include "net/transport.h"
#include "pipeline/embed_claims.h"
#include "pipeline/sched.h"
#include "stores/store.h"

enum {
  AIO__TENANT_MAX = 255,
  AIO__SETTLE_GRACE_MS = 10000,     /* how long accounting may take beyond a run's deadline */
  AIO__EXPIRE_EVERY_MS = 60000,     /* how often pending attempts are looked through for leases that ran out */
  AIO__ATTEMPT_LEASE_MS = 600000    /* a pending attempt of a process that died becomes unknown after this */
};

typedef struct aio__shared_calls aio__shared_calls; /* shared_call.h */

struct aiorch {
  uint64_t magic;
  atomic_int refs;
  aio__alloc allocator;             /* the copy that `al` points to */
  const aio__alloc *al;
  const aio__clock *clock;
  unsigned char *alive;             /* a page that fork() wipes: 0 in a child */
  aio__options options;
  aio__plugins plugins;
  bool embedder_is_local;           /* plugins.embedder is the library's own, in this process */
  const char *embedder_name;        /* what its attempts are called by: "embedder" for a plug-in, else the service */
  aio__io_thread *io;               /* what transport and store wait on; NULL while neither needs it */
  aio__transport *transport;        /* the way to the network; NULL while nothing was configured that needs it */
  double retrieve_threshold, cache_threshold; /* of the embedder: as set, else as measured for its model */
  aio__plugin_logger logger;        /* the host's; the log calls it through the orchestrator (orch.c) */
  aio__log *log;
  aio__counters counters;
  aio__calls *calls;
  aio__store *store;
  aio__store *spooled;              /* the same, when cost rows can wait in a spool (stores/spooled.h); else NULL */
  aio__store *local_limiter;        /* a memory store, only with rate_limit.on_store_down = local */
  aio__input_guard *input_guard;
  aio__output_guard *output_guard;
  aio__hit_guard *hit_guard;
  aio__prices *prices;
  aio__sched *sched;
  aio__health *health;              /* breakers and retry budgets of the providers */
  aio__shared_calls *flights;       /* answers that runs share while they are made */
  aio__embed_claims embed_claims;   /* what the callers of aiorch_knowledge_embed have in hand */
  aio__tier_rules *tier_rules;
  uint32_t (*random)(void *ctx);    /* uniform, for jitter and weights: the system's; tests put theirs here */
  void *random_ctx;

  _Atomic int64_t expire_due_ms;    /* when attempts of dead processes are looked for next; 0: with the first settlement */

  pthread_mutex_t mutex;            /* guards what follows */
  pthread_cond_t cond;              /* told when settling, busy or live change while closing */
  aio__map runs;                    /* by id: those that have begun to live and not ended */
  aiorch_run *zombies;              /* freed by the host while a store op was out */
  bool closing;
  int settling;                     /* settlements handed to the store and not yet done */
};

/* AIORCH_OK; AIORCH_E_INVALID for what is no orchestrator, AIORCH_E_FORKED in a child. */
aiorch_status aio__orch_check(const aiorch *orch);
aiorch_status aio__orch_open(const aio__options *options, const aio__alloc *al, const aio__clock *clock,
                             aio__plugins *plugins, aiorch **out, aiorch_error *error);
/* orch_embedder.c: the local embedder where settings and disk say so (*local, else it stays empty), and the thresholds of
 * whichever embedder there is. Then it becomes the orchestrator's. */
aiorch_status aio__orch_open_embedder(aiorch *orch, aio__plugin_embedder *local, aiorch_error *error);
void aio__orch_drop_embedder(const aiorch *orch, aio__plugin_embedder *local);
void aio__orch_take_embedder(aiorch *orch, const aio__plugin_embedder *local);
/* orch_providers.c: the transport, opened once, when something needs it; the providers of the settings, in *made, and the chain that they
 * and the plug-ins make. They become the orchestrator's by aio__orch_take_providers, which cannot fail. */
aiorch_status aio__orch_open_transport(aiorch *orch, aiorch_error *error);
/* Makes orch->io unless it is there; its thread starts with the first that needs it. */
aiorch_status aio__orch_open_io(aiorch *orch, aiorch_error *error);
aiorch_status aio__orch_open_providers(aiorch *orch, aio__plugins *plugins, aio__plugins *made, aiorch_error *error);
void aio__orch_take_providers(aiorch *orch, aio__plugins *made);
/* Does a store call that is made now have company? Others can go on, and each makes calls of its own. */
bool aio__orch_has_company(const aiorch *orch);
/* Goes on with the store calls and requests that waited for company: nothing else can go on, or somebody is about to wait. */
void aio__orch_flush(aiorch *orch);
aiorch *aio__orch_retain(aiorch *orch);
void aio__orch_release(aiorch *orch);
/* For calls that block their caller: AIORCH_E_CLOSED while closing. Tenant per the rules of aiorch_run_new; *tenant is
 * what stores get (tenancy=single: "default" when it is empty). */
aiorch_status aio__orch_enter(aiorch *orch, aio__str tenant_in, aio__str *tenant, aiorch_error *error);
/* A tenant or user name: length, UTF-8, no control characters. */
aiorch_status aio__check_name(aio__str name, const char *what, aiorch_error *error);

/* "rate_limit.on_store_down" = local: the same constraints, counted in this process alone. */
aiorch_status aio__orch_admit_local(aiorch *orch, aio__str tenant, const aio__constraint *constraints, size_t count,
                                    aio__admission *out);

/* Makes a store op synchronous: init, start it in the expression, wait. Usage:
 *   aio__sync sync; aio__sync_begin(&sync, orch, timeout_ms);
 *   st = aio__sync_end(&sync, orch->store->cache->invalidate(orch->store, &sync.op, ...), error);
 * The wait is for as long as the store takes; stores keep to the op's deadline. */
typedef struct aio__sync {
  aio__op op;
  aio__waker *waker;
  aiorch_status started;
  atomic_bool done;
} aio__sync;
aiorch_status aio__sync_begin(aio__sync *sync, aiorch *orch, int64_t timeout_ms, aiorch_error *error);
aiorch_status aio__sync_end(aio__sync *sync, aiorch_status started, aiorch_error *error);  /* may be called again after */
void aio__sync_free(aio__sync *sync);

#endif
