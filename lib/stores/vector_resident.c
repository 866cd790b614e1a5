/* See vector_resident.h. */
#include "stores/vector_resident.h"

#include <string.h>

/* What a vector of an index takes: a byte for each dimension, in steps, and some more. For what an index will take. */
enum { CODE_STEP = 32, VECTOR_OVERHEAD = 36 };

aiorch_status aio__residents_init(aio__residents *set, const aio__store_env *env, aiorch_error *error) {
  memset(set, 0, sizeof *set);
  aiorch_status status = aio__cpu_from_setting(env->options->cpu, &set->cpu, error);
  if (status != AIORCH_OK) return status;
  set->al = env->al;
  set->clock = env->clock;
  set->bytes_max = (size_t)env->options->vector_memory_max;
  aio__map_init(&set->by_model, env->al);
  if (pthread_mutex_init(&set->mutex, NULL) != 0) return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
  set->synced = aio__cond_init(&set->cond) == 0;
  if (set->synced) return AIORCH_OK;
  pthread_mutex_destroy(&set->mutex);
  return aio__error_set(error, AIORCH_E_NOMEM, "out of memory");
}

static void resident_free(const aio__residents *set, aio__resident *r) {
  aio__index_free(r->index);
  aio__free(set->al, r);
}

void aio__residents_free(aio__residents *set) {
  if (!set->synced) return;
  while (set->oldest != NULL) {
    aio__resident *next = set->oldest->newer;
    resident_free(set, set->oldest);
    set->oldest = next;
  }
  aio__map_free(&set->by_model);
  pthread_cond_destroy(&set->cond);
  pthread_mutex_destroy(&set->mutex);
  set->synced = false;
}

/* ---- with the mutex held ----------------------------------------------------------------------------------------- */

static aio__str key_of(const uint64_t *model) {
  return (aio__str){(const char *)model, sizeof *model};
}

static void unlink_use(aio__residents *set, aio__resident *r) {
  if (r->older != NULL)
    r->older->newer = r->newer;
  else
    set->oldest = r->newer;
  if (r->newer != NULL)
    r->newer->older = r->older;
  else
    set->newest = r->older;
}

static void link_use(aio__residents *set, aio__resident *r) {
  r->older = set->newest;
  r->newer = NULL;
  if (set->newest != NULL)
    set->newest->newer = r;
  else
    set->oldest = r;
  set->newest = r;
}

static void set_bytes(aio__residents *set, aio__resident *r, size_t bytes) {
  set->bytes += bytes - r->bytes;
  r->bytes = bytes;
}

static void take_out(aio__residents *set, aio__resident *r) {
  if (r->left) return;
  r->left = true;
  aio__map_remove(&set->by_model, key_of(&r->model));
  unlink_use(set, r);
}

/* Frees what has left and is in use no more. */
static void settle(aio__residents *set, aio__resident *r) {
  if (!r->left || r->uses > 0) return;
  set_bytes(set, r, 0);
  resident_free(set, r);
}

static void make_room(aio__residents *set) {
  for (aio__resident *r = set->oldest, *next; r != NULL && set->bytes > set->bytes_max; r = next) {
    next = r->newer;
    if (r->uses > 0) continue;
    take_out(set, r);
    settle(set, r);
  }
}

/* ---- the calls --------------------------------------------------------------------------------------------------- */

static aio__resident *resident_new(aio__residents *set, uint64_t model, size_t dimensions) {
  aio__resident *r = aio__calloc(set->al, 1, sizeof *r);
  if (r == NULL) return NULL;
  *r = (aio__resident){.model = model, .dimensions = dimensions, .filled = -1, .ready_for = -1};
  if (aio__index_new(set->al, dimensions, set->cpu, &r->index) == AIORCH_OK &&
      aio__map_put(&set->by_model, key_of(&r->model), r) == AIORCH_OK) {
    link_use(set, r);
    set_bytes(set, r, sizeof *r + aio__index_bytes(r->index));
    return r;
  }
  resident_free(set, r);
  return NULL;
}

aiorch_status aio__resident_take(aio__residents *set, uint64_t model, size_t dimensions, aio__resident **out) {
  pthread_mutex_lock(&set->mutex);
  aio__resident *r = aio__map_get(&set->by_model, key_of(&model));
  if (r != NULL && r->dimensions != dimensions) { /* its vectors have all gone since, and others have come */
    take_out(set, r);
    settle(set, r);
    r = NULL;
  }
  if (r == NULL) {
    r = resident_new(set, model, dimensions);
  } else {
    unlink_use(set, r);
    link_use(set, r);
  }
  if (r != NULL) r->uses++;
  pthread_mutex_unlock(&set->mutex);
  *out = r;
  return r != NULL ? AIORCH_OK : AIORCH_E_NOMEM;
}

void aio__resident_give(aio__residents *set, aio__resident *r) {
  if (r == NULL) return;
  pthread_mutex_lock(&set->mutex);
  r->uses--;
  settle(set, r);
  make_room(set);
  pthread_mutex_unlock(&set->mutex);
}

aiorch_status aio__resident_claim(aio__residents *set, aio__resident *r, int64_t changed) {
  aiorch_status status = AIORCH_OK;
  pthread_mutex_lock(&set->mutex);
  if (r->ready_for < changed) {
    status = r->busy || r->left ? AIORCH_AGAIN : AIORCH_PENDING;
    if (status == AIORCH_PENDING) r->busy = true;
  }
  pthread_mutex_unlock(&set->mutex);
  return status;
}

static aiorch_status too_large(const aio__residents *set, double bytes, aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_TOO_LARGE,
                        "the vectors of a tenant take %.0f MiB in memory, more than vector.memory_max (%.0f MiB): raise"
                        " it, or use a vector store plug-in",
                        bytes / 1048576.0, (double)set->bytes_max / 1048576.0);
}

aiorch_status aio__resident_reserve(aio__residents *set, aio__resident *r, int64_t vectors, aiorch_error *error) {
  size_t each = (r->dimensions + CODE_STEP - 1) / CODE_STEP * CODE_STEP + VECTOR_OVERHEAD;
  double bytes = (double)vectors * (double)each + (double)sizeof *r;
  if (bytes > (double)set->bytes_max) return too_large(set, bytes, error);
  pthread_mutex_lock(&set->mutex);
  if ((size_t)bytes > r->bytes) set_bytes(set, r, (size_t)bytes);
  make_room(set);
  pthread_mutex_unlock(&set->mutex);
  return AIORCH_OK;
}

aiorch_status aio__resident_done(aio__residents *set, aio__resident *r, aiorch_error *error) {
  size_t bytes = sizeof *r + aio__index_bytes(r->index);
  bool fits = bytes <= set->bytes_max;
  pthread_mutex_lock(&set->mutex);
  r->busy = false;
  if (r->filled == AIO__RESIDENT_FULL) r->ready_for = r->seen;
  set_bytes(set, r, bytes);
  if (!fits) take_out(set, r);
  make_room(set);
  pthread_cond_broadcast(&set->cond);
  pthread_mutex_unlock(&set->mutex);
  return fits ? AIORCH_OK : too_large(set, (double)bytes, error);
}

bool aio__resident_wait(aio__residents *set, const aio__resident *r, int64_t deadline_ns) {
  pthread_mutex_lock(&set->mutex);
  while (r->busy && aio__clock_wait(set->clock, &set->cond, &set->mutex, deadline_ns)) continue;
  bool over = !r->busy;
  pthread_mutex_unlock(&set->mutex);
  return over;
}

void aio__resident_leave(aio__residents *set, aio__resident *r) {
  pthread_mutex_lock(&set->mutex);
  take_out(set, r);
  pthread_mutex_unlock(&set->mutex);
}

void aio__residents_forget(aio__residents *set, uint64_t model) {
  pthread_mutex_lock(&set->mutex);
  aio__resident *r = aio__map_get(&set->by_model, key_of(&model));
  if (r != NULL) {
    take_out(set, r);
    settle(set, r);
  }
  pthread_mutex_unlock(&set->mutex);
}

size_t aio__residents_bytes(aio__residents *set) {
  pthread_mutex_lock(&set->mutex);
  size_t bytes = set->bytes;
  pthread_mutex_unlock(&set->mutex);
  return bytes;
}
