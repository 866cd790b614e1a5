/* Calls that are on their way. */
#include "coming.h"
aiorch_status aiorch_embed(aiorch *orch, int32_t purpose, const char *const *texts, const size_t *lens, size_t count,
                           int64_t timeout_ms, aiorch_text **out, aiorch_error *error) {
  (void)orch, (void)purpose, (void)texts, (void)lens, (void)count, (void)timeout_ms, (void)out, (void)error;
  return AIORCH_E_UNSUPPORTED;
}
aiorch_status aiorch_knowledge_models(aiorch *orch, const char *tenant, size_t tenant_len, int64_t timeout_ms,
                                      aiorch_text **out, aiorch_error *error) {
  (void)orch, (void)tenant, (void)tenant_len, (void)timeout_ms, (void)out, (void)error;
  return AIORCH_E_UNSUPPORTED;
}
aiorch_status aiorch_knowledge_forget_model(aiorch *orch, const char *tenant, size_t tenant_len, const char *model,
                                            size_t model_len, int64_t timeout_ms, uint64_t *removed, aiorch_error *error) {
  (void)orch, (void)tenant, (void)tenant_len, (void)timeout_ms, (void)model, (void)model_len, (void)removed, (void)error;
  return AIORCH_E_UNSUPPORTED;
}
aiorch_status aiorch_cache_feedback(aiorch *orch, const char *tenant, size_t tenant_len, const char *entry_id, size_t id_len,
                                    int32_t verdict, int64_t timeout_ms, aiorch_error *error) {
  (void)orch, (void)tenant, (void)tenant_len, (void)timeout_ms, (void)entry_id, (void)id_len, (void)verdict, (void)error;
  return AIORCH_E_UNSUPPORTED;
}
aiorch_status aiorch_run_cache_explain(aiorch_run *run, size_t limit, aiorch_text **out) {
  (void)run, (void)limit, (void)out;
  return AIORCH_E_UNSUPPORTED;
}
aiorch_status aiorch_cache_compare(aiorch *orch, const char *a, size_t a_len, const char *b, size_t b_len, int64_t timeout_ms,
                                   aiorch_text **out, aiorch_error *error) {
  (void)orch, (void)a, (void)a_len, (void)timeout_ms, (void)b, (void)b_len, (void)out, (void)error;
  return AIORCH_E_UNSUPPORTED;
}
