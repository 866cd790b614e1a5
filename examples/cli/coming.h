/* Calls of <aiorch/knowledge.h> that are on their way; this file goes when they are there. */
#ifndef COMING_H
#define COMING_H
#include <aiorch/aiorch.h>
enum { AIORCH_VERDICT_GOOD = 1, AIORCH_VERDICT_BAD = 2, AIORCH_VERDICT_NOT_SAME = 3 };
aiorch_status aiorch_embed(aiorch *orch, int32_t purpose, const char *const *texts, const size_t *lens, size_t count,
                           int64_t timeout_ms, aiorch_text **out, aiorch_error *error);
aiorch_status aiorch_knowledge_models(aiorch *orch, const char *tenant, size_t tenant_len, int64_t timeout_ms,
                                      aiorch_text **out, aiorch_error *error);
aiorch_status aiorch_knowledge_forget_model(aiorch *orch, const char *tenant, size_t tenant_len, const char *model,
                                            size_t model_len, int64_t timeout_ms, uint64_t *removed, aiorch_error *error);
aiorch_status aiorch_cache_feedback(aiorch *orch, const char *tenant, size_t tenant_len, const char *entry_id, size_t id_len,
                                    int32_t verdict, int64_t timeout_ms, aiorch_error *error);
aiorch_status aiorch_run_cache_explain(aiorch_run *run, size_t limit, aiorch_text **out);
aiorch_status aiorch_cache_compare(aiorch *orch, const char *a, size_t a_len, const char *b, size_t b_len, int64_t timeout_ms,
                                   aiorch_text **out, aiorch_error *error);
#endif
