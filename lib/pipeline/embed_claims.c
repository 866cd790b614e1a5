/* See embed_claims.h. */
#include "pipeline/embed_claims.h"

#include <string.h>

aiorch_status aio__embed_claims_init(aio__embed_claims *claims) {
  claims->first = NULL;
  if (pthread_mutex_init(&claims->mutex, NULL) != 0) return AIORCH_E_NOMEM;
  if (aio__cond_init(&claims->released) == 0) return AIORCH_OK;
  pthread_mutex_destroy(&claims->mutex);
  return AIORCH_E_NOMEM;
}

void aio__embed_claims_destroy(aio__embed_claims *claims) {
  pthread_cond_destroy(&claims->released);
  pthread_mutex_destroy(&claims->mutex);
}

void aio__embed_claims_lock(aio__embed_claims *claims) {
  pthread_mutex_lock(&claims->mutex);
}

void aio__embed_claims_unlock(aio__embed_claims *claims) {
  pthread_mutex_unlock(&claims->mutex);
}

static bool is_of(const aio__embed_claim *claim, aio__str tenant, bool questions) {
  return claim->questions == questions && aio__str_eq(claim->tenant, tenant);
}

size_t aio__embed_claims_held(const aio__embed_claims *claims, aio__str tenant, bool questions) {
  size_t count = 0;
  for (const aio__embed_claim *c = claims->first; c; c = c->next)
    if (is_of(c, tenant, questions)) count += c->count;
  return count;
}

static bool is_held(const aio__embed_claims *claims, aio__str tenant, bool questions, const char *id) {
  for (const aio__embed_claim *c = claims->first; c; c = c->next) {
    for (size_t i = 0; is_of(c, tenant, questions) && i < c->count; i++)
      if (strcmp(c->items[i].chunk_id, id) == 0) return true;
  }
  return false;
}

size_t aio__embed_claims_free_of(const aio__embed_claims *claims, aio__str tenant, bool questions, aio__unembedded *items,
                                 size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count; i++)
    if (!is_held(claims, tenant, questions, items[i].chunk_id)) items[n++] = items[i];
  return n;
}

bool aio__embed_claims_wait(aio__embed_claims *claims, const aio__clock *clock, int64_t deadline_ns) {
  return aio__clock_wait(clock, &claims->released, &claims->mutex, deadline_ns);
}

void aio__embed_claims_take(aio__embed_claims *claims, aio__embed_claim *claim) {
  claim->next = claims->first;
  claims->first = claim;
}

void aio__embed_claims_release(aio__embed_claims *claims, aio__embed_claim *claim) {
  pthread_mutex_lock(&claims->mutex);
  for (aio__embed_claim **at = &claims->first; *at; at = &(*at)->next) {
    if (*at != claim) continue;
    *at = claim->next;
    pthread_cond_broadcast(&claims->released);
    break;
  }
  pthread_mutex_unlock(&claims->mutex);
}
