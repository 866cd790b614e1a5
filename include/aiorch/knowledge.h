/*
 * libaiorch - knowledge: the documents that answers rest on; and the answers that are kept.
 *
 * These calls take a timeout in milliseconds and block their caller; a server calls them from a pool of workers.
 * Common errors: AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_CLOSED, AIORCH_E_FORKED, AIORCH_E_DEADLINE (the timeout
 * passed; nothing was changed), AIORCH_E_STORE and its kind. Each lists only what comes on top.
 *
 * A tenant is 1 to 255 bytes as in aiorch_run_new; nothing of another tenant is ever seen, counted or touched.
 */
#ifndef AIORCH_KNOWLEDGE_H
#define AIORCH_KNOWLEDGE_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How a document's text is written. */
enum {
  AIORCH_FORMAT_PLAIN = 1,
  AIORCH_FORMAT_MARKDOWN = 2 /**< headings, fenced code, tables and lists are kept together when it is cut */
};

/** What aiorch_knowledge_add did. */
enum { AIORCH_DOCUMENT_ADDED = 1, AIORCH_DOCUMENT_UPDATED = 2, AIORCH_DOCUMENT_UNCHANGED = 3 };

/**
 * Makes an empty document.
 *
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM.
 * Ownership: the caller frees it with aiorch_document_free.  Threads: one at a time.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_document_new(aiorch_document **out);
/** Frees a document. Since: 0.1 */
AIORCH_API void aiorch_document_free(aiorch_document *document);

/**
 * Names where the document comes from: a path or URI. A tenant has one document a source; adding it again replaces it.
 * 1 to 4,096 bytes of UTF-8. AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM. Since: 0.1
 */
AIORCH_API aiorch_status aiorch_document_set_source(aiorch_document *document, const char *source, size_t len);
/** Sets the title, at most 4,096 bytes; without one the first heading or the source serves. As above. Since: 0.1 */
AIORCH_API aiorch_status aiorch_document_set_title(aiorch_document *document, const char *title, size_t len);
/**
 * Sets the text. Bytes that are not UTF-8 and NUL bytes become U+FFFD when at most 1 in 1,000 characters is so; above
 * that the document counts as binary and aiorch_knowledge_add refuses it. At most 256 MiB.
 *
 * @param format  AIORCH_FORMAT_*.
 * @return AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE.
 * Since: 0.1
 */
AIORCH_API aiorch_status aiorch_document_set_text(aiorch_document *document, int32_t format, const char *text,
                                                  size_t len);
/** Adds metadata for filters: a name of 1 to 63 bytes, a value of at most 1,024; at most 64 pairs. As above, and
 *  AIORCH_E_TOO_LARGE. Since: 0.1 */
AIORCH_API aiorch_status aiorch_document_add_metadata(aiorch_document *document, const char *name, size_t name_len,
                                                      const char *value, size_t value_len);
/**
 * Says that from byte `offset` of the text on, "#name" is the nearest anchor. Offsets must not go down.
 * AIORCH_OK, AIORCH_E_INVALID, AIORCH_E_NOMEM, AIORCH_E_TOO_LARGE (more than 1,000,000). Since: 0.1
 */
AIORCH_API aiorch_status aiorch_document_add_anchor(aiorch_document *document, uint64_t offset, const char *name,
                                                    size_t len);

/** Its id (36 characters), "" before it was added. Borrowed until the document changes. AIORCH_OK, _E_INVALID. */
AIORCH_API aiorch_status aiorch_document_id(const aiorch_document *document, const char **out, size_t *out_len);
/** Its source. */
AIORCH_API aiorch_status aiorch_document_source(const aiorch_document *document, const char **out, size_t *out_len);
/** Its title. */
AIORCH_API aiorch_status aiorch_document_title(const aiorch_document *document, const char **out, size_t *out_len);
/** Its text; for an element of a list it is empty. */
AIORCH_API aiorch_status aiorch_document_text(const aiorch_document *document, const char **out, size_t *out_len);
/** AIORCH_DOCUMENT_*: what the last aiorch_knowledge_add did; 0 before it. */
AIORCH_API int32_t aiorch_document_outcome(const aiorch_document *document);
/** The number of chunks that it was cut into. */
AIORCH_API size_t aiorch_document_chunks(const aiorch_document *document);
/** The size of its text in bytes. */
AIORCH_API uint64_t aiorch_document_bytes(const aiorch_document *document);
/** When it was last changed, in milliseconds since 1970. */
AIORCH_API int64_t aiorch_document_updated_ms(const aiorch_document *document);

/**
 * Adds a document, or replaces the one of the same source; one whose text, title, metadata and anchors are unchanged is
 * left alone. It is cut into chunks and found by full text when this returns. Answers that rested on the old text leave
 * the cache in the same transaction.
 *
 * @param document  must have a source and a text; gets its id, outcome and number of chunks.
 * @return AIORCH_OK; AIORCH_E_DOCUMENT (no source, empty, binary).
 * Threads: any; one at a time a document.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_knowledge_add(aiorch *orch, const char *tenant, size_t tenant_len,
                                              aiorch_document *document, int64_t timeout_ms, aiorch_error *error);

/**
 * Removes the document of a source, and with it the cached answers that rested on it.
 *
 * @return AIORCH_OK; AIORCH_E_NOT_FOUND.
 * Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_knowledge_remove(aiorch *orch, const char *tenant, size_t tenant_len,
                                                 const char *source, size_t source_len, int64_t timeout_ms,
                                                 aiorch_error *error);

/**
 * Lists documents in the order of their sources, without texts.
 *
 * @param after  the source after which to begin, NULL for the first page.
 * @param limit  1 to 10,000.
 * Ownership: the caller frees `*out` with aiorch_documents_free.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_knowledge_list(aiorch *orch, const char *tenant, size_t tenant_len, const char *after,
                                               size_t after_len, size_t limit, int64_t timeout_ms,
                                               aiorch_documents **out, aiorch_error *error);

/** The number of documents in a list; 0 for NULL. */
AIORCH_API size_t aiorch_documents_count(const aiorch_documents *documents);
/** Document number `index`, borrowed until aiorch_documents_free; NULL when there is none. */
AIORCH_API const aiorch_document *aiorch_documents_get(const aiorch_documents *documents, size_t index);
/** Frees a list. */
AIORCH_API void aiorch_documents_free(aiorch_documents *documents);

/**
 * Fetches a document with its text, by source or by id.
 *
 * @return AIORCH_OK; AIORCH_E_NOT_FOUND.
 * Ownership: the caller frees `*out` with aiorch_document_free.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_knowledge_show(aiorch *orch, const char *tenant, size_t tenant_len,
                                               const char *source_or_id, size_t len, int64_t timeout_ms,
                                               aiorch_document **out, aiorch_error *error);

/**
 * Searches as the retrieve stage does, without a run.
 *
 * @param filters_json  {"name": "value", "other": ["one", "two"], "path": {"prefix": "docs/"}, "year": {"from": "2020",
 *                      "to": "2024"}}, or NULL; a list may mix these forms (see aiorch_run_add_filter and its kin).
 * @param limit  1 to 100.
 * @return AIORCH_OK (also with no hit); AIORCH_E_INVALID for filters that are none.
 * Ownership: the caller frees `*out` with aiorch_hits_free.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_knowledge_search(aiorch *orch, const char *tenant, size_t tenant_len,
                                                 const char *query, size_t query_len, const char *filters_json,
                                                 size_t limit, int64_t timeout_ms, aiorch_hits **out,
                                                 aiorch_error *error);

/** The number of hits; 0 for NULL. */
AIORCH_API size_t aiorch_hits_count(const aiorch_hits *hits);
/** Hits as a JSON array with the fields of a run's sources; borrowed until aiorch_hits_free. */
AIORCH_API aiorch_status aiorch_hits_json(const aiorch_hits *hits, const char **out, size_t *out_len);
/** The id of the document of hit `index`; borrowed until aiorch_hits_free. AIORCH_OK, AIORCH_E_INVALID. */
AIORCH_API aiorch_status aiorch_hits_document_id(const aiorch_hits *hits, size_t index, const char **out,
                                                 size_t *out_len);
/** The title of hit `index`. */
AIORCH_API aiorch_status aiorch_hits_title(const aiorch_hits *hits, size_t index, const char **out, size_t *out_len);
/** The URI of hit `index`, with the nearest #anchor. */
AIORCH_API aiorch_status aiorch_hits_uri(const aiorch_hits *hits, size_t index, const char **out, size_t *out_len);
/** The text of hit `index`. */
AIORCH_API aiorch_status aiorch_hits_text(const aiorch_hits *hits, size_t index, const char **out, size_t *out_len);
/** The place of hit `index` in the document's stored text, in bytes: [start, end). */
AIORCH_API aiorch_status aiorch_hits_range(const aiorch_hits *hits, size_t index, uint64_t *start, uint64_t *end);
/** The score (higher is better, comparable within one search) and the cosine similarity (NaN when no vector of it is known)
 *  of hit `index`. */
AIORCH_API aiorch_status aiorch_hits_score(const aiorch_hits *hits, size_t index, double *score, double *similarity);
/** Frees hits. */
AIORCH_API void aiorch_hits_free(aiorch_hits *hits);

/**
 * Embeds what has no vector of the embedder yet, chunks first, then the questions of kept answers, and keeps the vectors
 * in the store, or in the vector store plug-in where one is registered, for at most `max_ms` (the local embedder ends what is
 * under way, mostly within a second). Text is searchable without
 * it; with it, by meaning too. Any number of threads may call it at once: each text is sent to the embedder by one of them. So
 * may processes (or several orchestrators), but these may now and then send the same texts, with no harm but the cost; what
 * breaks off is done again.
 *
 * @param done, left  chunks and questions embedded by this call, and those still to do; may be NULL.
 * @return AIORCH_OK when none is left; AIORCH_AGAIN when some are, or another caller has the last ones in hand still;
 *         AIORCH_E_UNSUPPORTED without an embedder; what the
 *         plug-ins return.
 * Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_knowledge_embed(aiorch *orch, const char *tenant, size_t tenant_len, int64_t max_ms,
                                                uint64_t *done, uint64_t *left, aiorch_error *error);

/**
 * Says which models a tenant's chunks and kept questions are embedded under, as a JSON array of {"model", "chunks", "entries",
 * "current" (the embedder of this orchestrator), "stored" (false: the vectors are in a vector store plug-in)}.
 *
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_knowledge_models(aiorch *orch, const char *tenant, size_t tenant_len, int64_t timeout_ms,
                                                 aiorch_text **out, aiorch_error *error);

/**
 * Removes all vectors of a model, of chunks and of kept questions, a part at a time so that others write in between. After
 * aiorch_knowledge_embed with another embedder the old vectors serve nobody.
 *
 * @param model    as aiorch_knowledge_models names it.
 * @param removed  how many, also when the timeout passed in between; may be NULL.
 * @return AIORCH_OK, also when there are none; AIORCH_E_STATE for the model of this orchestrator's own embedder.
 * Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_knowledge_forget_model(aiorch *orch, const char *tenant, size_t tenant_len,
                                                       const char *model, size_t model_len, int64_t timeout_ms,
                                                       uint64_t *removed, aiorch_error *error);

/**
 * Embeds texts with the orchestrator's embedder.
 *
 * @param purpose      AIORCH_PURPOSE_* (plugin.h).
 * @param texts, lens  `count` texts, 1 to 4,096 of them.
 * @param out          {"model", "dimensions", "tokens", "truncated", "results": [{"tokens" [ids], null where the embedder does
 *                     not say them, "truncated" (null likewise), "embedding" [numbers]}]}: unit vectors; tokens and truncated
 *                     count over all texts.
 * @return AIORCH_OK; AIORCH_E_UNSUPPORTED without an embedder; what the embedder returns.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_embed(aiorch *orch, int32_t purpose, const char *const *texts, const size_t *lens,
                                      size_t count, int64_t timeout_ms, aiorch_text **out, aiorch_error *error);

/**
 * Lists kept answers, newest first, as a JSON array of {"id", "query", "provider", "model", "created_ms", "expires_ms",
 * "hits", "bytes", "tags" [document ids]}.
 *
 * @param limit  1 to 10,000.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_cache_list(aiorch *orch, const char *tenant, size_t tenant_len, size_t limit,
                                           int64_t timeout_ms, aiorch_text **out, aiorch_error *error);

/** Removes all kept answers of a tenant; `removed` may be NULL. Threads: any. Since: 0.1 */
AIORCH_API aiorch_status aiorch_cache_purge(aiorch *orch, const char *tenant, size_t tenant_len, int64_t timeout_ms,
                                            uint64_t *removed, aiorch_error *error);

/**
 * Removes kept answers by a tag: the id or source of a document that they rest on, or their own id. None is no error.
 * `removed` may be NULL.  Threads: any.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_cache_invalidate(aiorch *orch, const char *tenant, size_t tenant_len, const char *tag,
                                                 size_t tag_len, int64_t timeout_ms, uint64_t *removed,
                                                 aiorch_error *error);

/** What a host says of an answer from the cache. */
enum {
  AIORCH_VERDICT_GOOD = 1,    /**< counted */
  AIORCH_VERDICT_BAD = 2,     /**< the answer is wrong: it leaves the cache */
  AIORCH_VERDICT_NOT_SAME = 3 /**< right for its own question, but given for another: from now on it serves its own alone */
};

/**
 * Takes a verdict on a kept answer.
 *
 * @param entry_id  as aiorch_run_cache_entry gives it.
 * @return AIORCH_OK; AIORCH_E_NOT_FOUND when it is gone.
 * Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_cache_feedback(aiorch *orch, const char *tenant, size_t tenant_len,
                                               const char *entry_id, size_t entry_id_len, int32_t verdict,
                                               int64_t timeout_ms, aiorch_error *error);

/**
 * Compares two questions as the cache would: could the answer to `b` be given to `a`?
 *
 * @param out  {"similarity", "threshold", "hit", "refused_by" and "refused_detail" (null when no guard refuses)}.
 * @return AIORCH_OK; AIORCH_E_UNSUPPORTED without an embedder; what the embedder returns.
 * Ownership: the caller frees `*out` with aiorch_text_free.  Threads: any; blocks.  Since: 0.1
 */
AIORCH_API aiorch_status aiorch_cache_compare(aiorch *orch, const char *a, size_t a_len, const char *b, size_t b_len,
                                              int64_t timeout_ms, aiorch_text **out, aiorch_error *error);

#ifdef __cplusplus
}
#endif
#endif
