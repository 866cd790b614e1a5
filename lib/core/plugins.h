/*
 * The plug-ins that were registered: copies of their slots, the `self` of each, and the texts that they named. A
 * configuration holds them until an orchestrator takes them over; whoever holds them last calls each `destroy` once.
 */
#ifndef AIO_CORE_PLUGINS_H
#define AIO_CORE_PLUGINS_H

#include <pthread.h>

#include <aiorch/plugin.h>

#include "core/alloc.h"
#include "core/error.h"

enum {
  AIO__PROVIDERS_MAX = 64,
  AIO__PROVIDER_NAME_MAX = 63,
  AIO__PLUGIN_TEXT_MAX = 255,        /* a model or a fingerprint */
  AIO__PLUGIN_DIMENSIONS_MAX = 65536,
  AIO__ENDPOINTS_MAX = 64,           /* of one provider; those beyond are not asked */
  AIO__PLUGIN_STRUCT_MAX = 4096      /* a larger struct_size is no size */
};

/* `vtbl` is as large as this library knows it: slots that an older plug-in lacks are NULL. `serial` is NULL unless
 * AIORCH_PLUGIN_SERIAL is set. */
typedef struct aio__plugin_embedder {
  aiorch_embedder_vtbl vtbl;         /* vtbl.fingerprint is the record's own copy */
  void *self;
  char *fingerprint;
  pthread_mutex_t *serial;
} aio__plugin_embedder;

typedef struct aio__plugin_vector_store {
  aiorch_vector_store_vtbl vtbl;
  void *self;
  pthread_mutex_t *serial;
} aio__plugin_vector_store;

typedef struct aio__plugin_provider {
  aiorch_provider_vtbl vtbl;         /* vtbl.model is the record's own copy */
  void *self;
  const char *name, *model;          /* owned, but for a record that is no part of an aio__plugins */
  pthread_mutex_t *serial;
  /* Set for built-in providers after registration; all zero for plug-ins. What is pointed at lives until `destroy`. */
  const char *model_simple, *model_complex; /* for those tiers; NULL or empty: `model` */
  int64_t context_tokens;            /* what its model reads; 0: not known */
  uint32_t endpoint_count;           /* keys and addresses among which a call's `endpoint` chooses; 0 is 1 */
  const uint32_t *endpoint_weights;  /* of each its share of the traffic; NULL: all the same; 0: only when no other is left */
  const char *const *endpoint_names; /* what statistics call each, never with its key; NULL: by its number alone */
  const char *api;                   /* the interface it speaks over HTTP; NULL for a plug-in */
  uint32_t key_count;
  const char *base_url;              /* as it was set: one or several; NULL or empty: the service's own */
  const char *options;               /* laid over every request, as JSON; NULL: nothing is */
} aio__plugin_provider;

typedef struct aio__plugin_logger {
  aiorch_logger_vtbl vtbl;
  void *self;
} aio__plugin_logger;

struct aio__transport; /* net/transport.h */

/* All zero is valid and empty. */
typedef struct aio__plugins {
  aio__alloc al;                     /* a copy: plug-ins move from handle to handle */
  bool has_embedder, has_vector_store, has_logger;
  bool taken;                        /* by aio__plugins_move */
  aio__plugin_embedder embedder;
  aio__plugin_vector_store vector_store;
  aio__plugin_logger logger;
  aio__plugin_provider *providers;   /* in the order of registration */
  size_t provider_count, provider_cap;
  struct aio__transport *transport;  /* by which built-in providers reach the network; NULL: the library's own. For tests: it goes where the
                                        plug-ins go, and its owner there closes it */
} aio__plugins;

void aio__plugins_init(aio__plugins *plugins, const aio__alloc *al);
/* Moves all of `from` into `to`, which is raw memory or empty, but for the logger: that belongs to the aio__log that
 * was made of it, which calls its destroy. `from` is left empty and `taken`. */
void aio__plugins_move(aio__plugins *to, aio__plugins *from);
/* Calls each destroy once and forgets them all, the logger last. */
void aio__plugins_destroy(aio__plugins *plugins);
const aio__plugin_provider *aio__plugins_provider(const aio__plugins *plugins, aio__str name); /* NULL when not there */

/* Registration. Each copies the struct, checks it, and on success owns `self`; what it replaces is destroyed
 * afterwards. AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_UNSUPPORTED, AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE (too many
 * providers), AIORCH_E_SYSTEM. On failure nothing has changed. */
aiorch_status aio__plugins_set_embedder(aio__plugins *plugins, const aiorch_embedder_vtbl *vtbl, void *self,
                                        aiorch_error *error);
aiorch_status aio__plugins_set_vector_store(aio__plugins *plugins, const aiorch_vector_store_vtbl *vtbl, void *self,
                                            aiorch_error *error);
aiorch_status aio__plugins_add_provider(aio__plugins *plugins, const char *name, const aiorch_provider_vtbl *vtbl,
                                        void *self, aiorch_error *error);
aiorch_status aio__plugins_set_logger(aio__plugins *plugins, const aiorch_logger_vtbl *vtbl, void *self,
                                      aiorch_error *error);
/* Room for `more` providers, so that an append of them cannot fail. AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE. */
aiorch_status aio__plugins_reserve(aio__plugins *plugins, size_t more, aiorch_error *error);
/* Moves the providers of `from`, which is left empty, behind those of `to`, where room was reserved. Both have the same allocator. */
void aio__plugins_append(aio__plugins *to, aio__plugins *from);

#endif
