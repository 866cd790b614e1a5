/*
 * Names of hosts into addresses, on a thread that is there for this alone and that nobody waits for: the resolver of the C library may
 * take as long as it likes. So what it works on is its own, counted: one reference is the thread's, one the asker's, one the posted task's.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "core/thread.h"
#include "stores/postgres_engine.h"

typedef struct found {
  char *name;
  int code; /* EAI_* */
  size_t count;
  char address[AIO__PG_ADDRESSES_MAX][INET6_ADDRSTRLEN + 24]; /* with "%interface" */
} found;

struct aio__pg_lookup {
  atomic_int refs;
  pthread_mutex_t mutex;
  bool dropped;
  aio__io_thread *io;
  aio__io_task task;
  void (*done)(void *ctx);
  void *ctx;
  size_t count;
  found host[AIO__PG_HOSTS_MAX]; /* by the number of the host; name NULL: needs none */
};

static void release(aio__pg_lookup *lookup) {
  if (atomic_fetch_sub_explicit(&lookup->refs, 1, memory_order_acq_rel) != 1) return;
  const aio__alloc *al = aio__alloc_default();
  for (size_t i = 0; i < lookup->count; i++) aio__free(al, lookup->host[i].name);
  pthread_mutex_destroy(&lookup->mutex);
  aio__free(al, lookup);
}

static void look_up(found *host) {
  struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
  host->code = getaddrinfo(host->name, NULL, &hints, &list);
  if (host->code != 0) return;
  for (const struct addrinfo *a = list; a != NULL && host->count < AIO__PG_ADDRESSES_MAX; a = a->ai_next)
    if (getnameinfo(a->ai_addr, a->ai_addrlen, host->address[host->count], sizeof host->address[0], NULL, 0, NI_NUMERICHOST) == 0)
      host->count++;
  freeaddrinfo(list);
}

static void on_task(aio__io_task *task) {
  aio__pg_lookup *lookup = AIO__PG_OWNER(aio__pg_lookup, task, task);
  pthread_mutex_lock(&lookup->mutex);
  bool dropped = lookup->dropped;
  pthread_mutex_unlock(&lookup->mutex);
  if (!dropped) lookup->done(lookup->ctx); /* drops happen on this thread, too, so none can come in between */
  release(lookup);
}

static void *run(void *ctx) {
  aio__pg_lookup *lookup = ctx;
  for (size_t i = 0; i < lookup->count; i++)
    if (lookup->host[i].name != NULL) look_up(&lookup->host[i]);
  pthread_mutex_lock(&lookup->mutex);
  if (!lookup->dropped) { /* under the mutex the I/O thread is still there */
    atomic_fetch_add_explicit(&lookup->refs, 1, memory_order_relaxed);
    aio__io_post(lookup->io, &lookup->task);
  }
  pthread_mutex_unlock(&lookup->mutex);
  release(lookup);
  return NULL;
}

static int start_thread(aio__pg_lookup *lookup) {
  pthread_t thread;
  int code = aio__thread_start(&thread, AIO__PG_STACK_BYTES, run, lookup);
  if (code == 0) pthread_detach(thread);
  return code;
}

aiorch_status aio__pg_lookup_start(const aio__pg_target *target, aio__io_thread *io, void (*done)(void *ctx), void *ctx,
                                   aio__pg_lookup **out, aiorch_error *error) {
  const aio__alloc *al = aio__alloc_default(); /* it may outlive the handle, and its allocator */
  aio__pg_lookup *lookup = aio__calloc(al, 1, sizeof *lookup);
  if (lookup == NULL) return aio__pg_nomem(error);
  if (pthread_mutex_init(&lookup->mutex, NULL) != 0) {
    aio__free(al, lookup);
    return aio__pg_nomem(error);
  }
  atomic_init(&lookup->refs, 1);
  lookup->io = io;
  lookup->done = done;
  lookup->ctx = ctx;
  lookup->task.run = on_task;
  lookup->count = target->host_count;
  bool ok = true;
  for (size_t i = 0; i < target->host_count && ok; i++) {
    const aio__pg_host *host = &target->hosts[i];
    if (!host->lookup) continue;
    lookup->host[i].name = aio__strndup(al, host->name, strlen(host->name));
    ok = lookup->host[i].name != NULL;
  }
  if (!ok) {
    release(lookup);
    return aio__pg_nomem(error);
  }
  atomic_fetch_add_explicit(&lookup->refs, 1, memory_order_relaxed);
  int code = start_thread(lookup);
  if (code == 0) {
    *out = lookup;
    return AIORCH_OK;
  }
  release(lookup);
  release(lookup);
  return aio__error_set(error, AIORCH_E_SYSTEM, "no thread to look up the host of the store: %s", strerror(code));
}

void aio__pg_lookup_drop(aio__pg_lookup *lookup) {
  if (lookup == NULL) return;
  pthread_mutex_lock(&lookup->mutex);
  lookup->dropped = true;
  pthread_mutex_unlock(&lookup->mutex);
  release(lookup);
}

size_t aio__pg_lookup_addresses(const aio__pg_target *target, const aio__pg_lookup *lookup, aio__pg_address out[AIO__PG_ADDRESSES_MAX]) {
  size_t n = 0;
  for (size_t i = 0; i < target->host_count; i++) {
    const aio__pg_host *host = &target->hosts[i];
    if (!host->lookup) {
      if (n < AIO__PG_ADDRESSES_MAX) out[n++] = (aio__pg_address){host->name, host->address != NULL ? host->address : "", host->port};
      continue;
    }
    if (lookup == NULL) continue;
    for (size_t k = 0; k < lookup->host[i].count && n < AIO__PG_ADDRESSES_MAX; k++)
      out[n++] = (aio__pg_address){host->name, lookup->host[i].address[k], host->port};
  }
  return n;
}

aiorch_status aio__pg_lookup_error(const aio__pg_target *target, const aio__pg_lookup *lookup, aiorch_error *error) {
  for (size_t i = 0; i < target->host_count && lookup != NULL; i++) {
    if (!target->hosts[i].lookup || lookup->host[i].code == 0) continue;
    return aio__error_set(error, AIORCH_E_STORE_DOWN, "%s: the host %s is not found (%s): check the name in \"store\"", target->place,
                          target->hosts[i].name, gai_strerror(lookup->host[i].code));
  }
  return AIORCH_OK;
}
