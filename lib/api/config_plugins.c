/* Registering plug-ins on a configuration; the rules are core/plugins.c's. */
#include "api/config.h"

#include <aiorch/error.h>

static aiorch_status begin(const aiorch_config *config, aiorch_error *error) {
  aio__error_clear(error);
  if (aio__config_check(config) == AIORCH_OK) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_INVALID, "this is no configuration, or one that was freed");
}

aiorch_status aiorch_config_set_embedder(aiorch_config *config, const aiorch_embedder_vtbl *vtbl, void *self,
                                         aiorch_error *error) {
  aiorch_status status = begin(config, error);
  return status != AIORCH_OK ? status : aio__plugins_set_embedder(&config->plugins, vtbl, self, error);
}

aiorch_status aiorch_config_set_vector_store(aiorch_config *config, const aiorch_vector_store_vtbl *vtbl, void *self,
                                             aiorch_error *error) {
  aiorch_status status = begin(config, error);
  return status != AIORCH_OK ? status : aio__plugins_set_vector_store(&config->plugins, vtbl, self, error);
}

aiorch_status aiorch_config_add_provider(aiorch_config *config, const char *name, const aiorch_provider_vtbl *vtbl,
                                         void *self, aiorch_error *error) {
  aiorch_status status = begin(config, error);
  return status != AIORCH_OK ? status : aio__plugins_add_provider(&config->plugins, name, vtbl, self, error);
}

aiorch_status aiorch_config_set_logger(aiorch_config *config, const aiorch_logger_vtbl *vtbl, void *self,
                                       aiorch_error *error) {
  aiorch_status status = begin(config, error);
  return status != AIORCH_OK ? status : aio__plugins_set_logger(&config->plugins, vtbl, self, error);
}
