/*
 * Inside the memory store: one mutex, and everything under its tenant, so that no search can meet another's rows.
 *
 * A call that changes something first allocates all that it needs and then links it in with steps that cannot fail;
 * running out of memory therefore leaves things as they were.
 */
#ifndef AIO_STORES_MEMORY_PRIVATE_H
#define AIO_STORES_MEMORY_PRIVATE_H

#include <pthread.h>

#include "core/map.h"
#include "stores/fts_rank.h"
#include "stores/store.h"
#include "vector/index.h"

enum {
  AIO__MEM_MODELS_MAX = 64,    /* embedding models a tenant */
  AIO__MEM_RUNS_MAX = 4000000,    /* run rows a tenant; a host that keeps more wants a store on disk */
  AIO__MEM_BLOCK = 1024           /* bytes of an arena block of a document or an answer */
};

typedef struct aio__mem_document aio__mem_document;
typedef struct aio__mem_chunk aio__mem_chunk;
typedef struct aio__mem_tenant aio__mem_tenant;

/* Which models a chunk or an answer is embedded by, and the vectors that are here: the others are in a plug-in. */
typedef struct aio__mem_vector {
  struct aio__mem_vector *next; /* of the same owner */
  void *owner;                  /* aio__mem_chunk or aio__mem_entry */
  uint64_t key;                 /* in the index */
  int model;
  float row[];
} aio__mem_vector;

typedef struct aio__mem_marks {
  uint64_t bits;
  aio__mem_vector *vectors;
} aio__mem_marks;

typedef enum aio__mem_kind { AIO__MEM_CHUNKS, AIO__MEM_ENTRIES, AIO__MEM_KINDS } aio__mem_kind;

/* The vectors of one kind under one model. */
typedef struct aio__mem_set {
  aio__index *index;
  aio__map by_key;
  size_t dimensions; /* 0: none is here */
  int64_t marks;
} aio__mem_set;

typedef struct aio__mem_model {
  char *fingerprint;
  size_t fingerprint_len;
  aio__mem_set set[AIO__MEM_KINDS];
} aio__mem_model;

typedef struct aio__mem_posting {
  aio__mem_chunk *chunk;
  uint32_t n[AIO__FTS_FIELDS];
} aio__mem_posting;

/* A word of the index, and the chunks that have it in the order of their numbers. */
typedef struct aio__mem_word {
  aio__str text;
  struct aio__mem_word *alike; /* the next of those with the same first AIO__FTS_PREFIX_MIN bytes; of single words only */
  aio__mem_posting *postings;
  size_t n, cap, reserved;
  char bytes[];
} aio__mem_word;

/* A word of one chunk on its way into the index. */
typedef struct aio__mem_count {
  aio__str text;
  aio__mem_word *word;
  uint32_t n[AIO__FTS_FIELDS];
  struct aio__mem_count *next;
} aio__mem_count;

struct aio__mem_chunk {
  aio__store_chunk row;
  aio__mem_document *document;
  aio__mem_count *words;
  aio__str anchor;
  int64_t no;
  uint64_t word_count;
  aio__mem_marks marks;
  bool kept;            /* lives on in the next version of its document */
  aio__mem_chunk *same; /* links of a moment: chunks with one hash, chunks just marked; what one that lives on was */
  const uint32_t *often; /* while a search copies its hits */
};

struct aio__mem_document {
  aio__store_document row;
  aio__arena arena; /* holds everything of it */
  aio__mem_chunk *chunks;
  size_t count;
  uint64_t words;
};

typedef struct aio__mem_entry aio__mem_entry;

/* The kept answers of one scope. */
typedef struct aio__mem_scope {
  aio__str name;
  aio__mem_entry *newest;
  char bytes[];
} aio__mem_scope;

struct aio__mem_entry {
  aio__cache_entry row;
  aio__arena arena;
  aio__str place; /* scope and key */
  aio__mem_marks marks;
  int64_t bytes, stood;
  aio__mem_entry *older, *newer; /* by use */
  aio__mem_scope *scope;
  aio__mem_entry *scope_older, *scope_newer;
  aio__mem_entry *marked_before; /* a link of a moment */
};

/* What one call of admit wrote. It is freed when none of its items stands in a log any more. */
typedef struct aio__mem_grant aio__mem_grant;
typedef struct aio__mem_log aio__mem_log;
typedef struct aio__mem_item {
  int64_t at_ms, amount, window_ms;
  aio__limit_kind kind;
  aio__mem_grant *grant;
  aio__mem_log *log; /* that it stands in; NULL once it has left its window */
} aio__mem_item;

struct aio__mem_grant {
  char run_id[AIO__UUID_LEN + 1];
  aio__mem_item item[AIO__CONSTRAINTS_MAX];
  size_t n, live;
  aio__mem_grant *next; /* of the same run */
};

/* The sliding log of one key: items[first] to items[n - 1], oldest first, and the sum of their amounts. */
struct aio__mem_log {
  char key[96];
  aio__mem_item **items;
  size_t first, n, cap;
  int64_t sum;
};

typedef struct aio__mem_attempt {
  aio__attempt_row row; /* its texts follow in memory */
  struct aio__mem_attempt *next;
} aio__mem_attempt;

typedef struct aio__mem_attempts {
  char run_id[AIO__UUID_LEN + 1];
  aio__mem_attempt *first;
  size_t n;
} aio__mem_attempts;

struct aio__mem_tenant {
  aio__str name;
  const aio__alloc *al;
  aio__cpu cpu;
  /* knowledge */
  aio__mem_document **documents; /* by source */
  size_t document_count, document_cap;
  aio__map documents_by_id, chunks_by_id, words;
  aio__map starts; /* of single words: the first of those that are alike, by the bytes in which they are */
  int64_t next_chunk, chunks, word_total, text_bytes, knowledge, knowledge_ms;
  /* vectors */
  aio__mem_model *models;
  size_t model_count, model_cap;
  uint64_t next_vector;
  /* cache */
  aio__map entries_by_place, entries_by_id, scopes;
  aio__mem_entry *oldest, *newest;
  int64_t entry_count, entry_bytes, first_expiry;
  /* ledger */
  aio__map logs, grants, runs, attempts;
  aio__run_row **run_rows;
  size_t run_count, run_cap, sweep, pending;
  int64_t cost_nano_usd;
};

typedef struct aio__mem_store {
  aio__store head;
  aio__store_env env;
  pthread_mutex_t mutex;
  aio__cpu cpu;
  aio__map tenants;
} aio__mem_store;

extern const aio__knowledge_ops aio__mem_knowledge_ops;
extern const aio__cache_ops aio__mem_cache_ops;
extern const aio__ledger_ops aio__mem_ledger_ops;

/* ---- memory.c --------------------------------------------------------------------------------------------------- */

aiorch_status aio__mem_nomem(aio__op *op);
/* Locks, unless the deadline has passed. */
aiorch_status aio__mem_enter(aio__mem_store *store, aio__op *op);
aiorch_status aio__mem_leave(aio__mem_store *store, aiorch_status status);
aio__mem_tenant *aio__mem_tenant_get(const aio__mem_store *store, aio__str name); /* NULL: has nothing */
aio__mem_tenant *aio__mem_tenant_make(aio__mem_store *store, aio__str name);      /* NULL: out of memory */
/* Room for `want` elements; false when out of memory. */
bool aio__mem_reserve(const aio__alloc *al, void **items, size_t *cap, size_t want, size_t size);

/* ---- memory_index.c --------------------------------------------------------------------------------------------- */

/* Cuts the document's chunks into words, in its own arena. */
bool aio__mem_words_prepare(const aio__alloc *al, aio__mem_document *document);
/* Makes room for them in the index; after it aio__mem_words_link cannot fail. False: nothing was changed. */
bool aio__mem_words_reserve(aio__mem_tenant *tenant, aio__mem_document *document);
void aio__mem_words_unreserve(aio__mem_tenant *tenant, aio__mem_document *document);
void aio__mem_words_link(aio__mem_document *document);
void aio__mem_words_unlink(aio__mem_tenant *tenant, aio__mem_document *document);
void aio__mem_words_free(aio__mem_tenant *tenant);

aiorch_status aio__mem_search(aio__store *store, aio__op *op, aio__str tenant, const aio__search_args *args,
                              aio__arena *arena, aio__found_chunk **chunks, size_t *count);
aiorch_status aio__mem_fetch(aio__store *store, aio__op *op, aio__str tenant, const aio__str *ids, size_t count,
                             const aio__filter *filters, size_t filter_count, aio__arena *arena,
                             aio__found_chunk *chunks);

bool aio__mem_passes(const aio__mem_chunk *chunk, const aio__filter *filters, size_t count);
bool aio__mem_copy_chunk(const aio__mem_chunk *chunk, aio__arena *arena, aio__found_chunk *out);

/* ---- memory_vectors.c ------------------------------------------------------------------------------------------- */

int aio__mem_model_find(const aio__mem_tenant *tenant, aio__str fingerprint); /* -1: not known */
uint64_t aio__mem_model_bit(const aio__mem_tenant *tenant, aio__str fingerprint);
/* The model of vectors that are to be kept. AIORCH_E_INVALID for other dimensions than it has, AIORCH_E_EMBEDDER_MISMATCH
 * for another place, AIORCH_E_TOO_LARGE. */
aiorch_status aio__mem_model_for(aio__mem_tenant *tenant, aio__op *op, aio__mem_kind kind, const aio__vectors *vectors,
                                 int *which);
/* AIORCH_E_NOMEM, with nothing changed. */
aiorch_status aio__mem_mark(aio__mem_tenant *tenant, aio__op *op, aio__mem_kind kind, int which, aio__mem_marks *marks,
                            void *owner, uint64_t scope, const float *row);
void aio__mem_unmark(aio__mem_tenant *tenant, aio__mem_kind kind, int which, aio__mem_marks *marks);
void aio__mem_unmark_all(aio__mem_tenant *tenant, aio__mem_kind kind, aio__mem_marks *marks);
void aio__mem_marks_move(aio__mem_marks *to, aio__mem_marks *from, void *owner);
int64_t aio__mem_vector_bytes(const aio__mem_tenant *tenant, aio__mem_kind kind, int which);
void aio__mem_models_free(aio__mem_tenant *tenant); /* no vector is left */

typedef struct aio__mem_found {
  void *owner;
  double similarity;
} aio__mem_found;

typedef struct aio__mem_near aio__mem_near;
struct aio__mem_near {
  const aio__mem_tenant *tenant;
  const aio__mem_set *set;
  bool (*fits)(const aio__mem_near *near, const void *owner); /* NULL: all do */
  const void *ctx;
  aio__mem_found *found; /* a result, to be freed */
  size_t n;
};
aiorch_status aio__mem_near_search(aio__mem_near *near, aio__op *op, const aio__nearest_args *args,
                                   const uint64_t *scope);
void aio__mem_near_free(aio__mem_near *near);
/* AIORCH_E_EMBEDDER_MISMATCH that names other models of the kind, when there are any. */
aiorch_status aio__mem_others(const aio__mem_tenant *tenant, aio__op *op, aio__mem_kind kind, aio__str wanted);

aiorch_status aio__mem_models(aio__store *store, aio__op *op, aio__str tenant, aio__arena *arena,
                              aio__vector_model **models, size_t *count);
aiorch_status aio__mem_forget_model(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint, size_t limit,
                                    size_t *removed);

/* ---- memory_cache_near.c ---------------------------------------------------------------------------------------- */

/* May other questions of its scope be given this answer? */
bool aio__mem_serves_others(const aio__mem_entry *entry, int64_t now_ms);
aiorch_status aio__mem_cache_near(aio__store *store, aio__op *op, aio__str tenant, aio__str scope,
                                  const aio__nearest_args *args, int64_t now_ms, aio__arena *arena,
                                  aio__cache_near **entries, size_t *count);
aiorch_status aio__mem_cache_unembedded(aio__store *store, aio__op *op, aio__str tenant, aio__str fingerprint,
                                        size_t limit, aio__arena *arena, aio__unembedded **entries, size_t *count,
                                        uint64_t *left);
aiorch_status aio__mem_cache_mark_embedded(aio__store *store, aio__op *op, aio__str tenant, const aio__vectors *vectors,
                                           const aio__str *ids, size_t count);
aiorch_status aio__mem_cache_exact_only(aio__store *store, aio__op *op, aio__str tenant, aio__str id);

/* ---- memory_knowledge.c, memory_cache.c, memory_ledger.c -------------------------------------------------------- */

/* Where the source stands, or would. */
bool aio__mem_find_source(const aio__mem_tenant *tenant, aio__str source, size_t *at);
void aio__mem_knowledge_free(aio__mem_tenant *tenant);
void aio__mem_cache_drop_for_document(aio__mem_tenant *tenant, aio__str document_id);
void aio__mem_cache_free(aio__mem_tenant *tenant);
/* Of two aio__mem_entry *, for qsort. */
int aio__mem_newest_first(const void *a, const void *b);
void aio__mem_ledger_free(aio__mem_tenant *tenant);
/* Entries that have not expired, and their bytes. */
void aio__mem_cache_live(const aio__mem_tenant *tenant, int64_t now_ms, int64_t *entries, int64_t *bytes);

#endif
