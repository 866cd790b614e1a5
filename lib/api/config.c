/* A configuration: its life, its typed setters, reading a setting back, and describing them all. */
#include "api/config.h"

#include <aiorch/error.h>

#include <string.h>

#include "core/text_handle.h"

#define CONFIG_MAGIC UINT64_C(0x61696f636f6e6669)

enum { DESCRIPTION_MAX = 1 << 16, ALLOCATOR_0_1 = offsetof(aiorch_allocator, free) + sizeof(void (*)(void *, void *)) };

aiorch_status aio__config_check(const aiorch_config *config) {
  return config != NULL && config->magic == CONFIG_MAGIC ? AIORCH_OK : AIORCH_E_INVALID;
}

/* As for plug-ins (core/plugins.c): an allocator of a newer header is fine as long as what is unknown of it is zero. */
static bool is_allocator(const aiorch_allocator *allocator) {
  if (allocator->struct_size < ALLOCATOR_0_1 || allocator->struct_size > AIO__PLUGIN_STRUCT_MAX) return false;
  const unsigned char *bytes = (const unsigned char *)allocator;
  for (size_t i = sizeof *allocator; i < allocator->struct_size; i++) {
    if (bytes[i] != 0) return false;
  }
  return allocator->alloc != NULL && allocator->realloc != NULL && allocator->free != NULL;
}

aiorch_status aiorch_config_new(aiorch_config **out) {
  return aiorch_config_new_with(NULL, out);
}

aiorch_status aiorch_config_new_with(const aiorch_allocator *allocator, aiorch_config **out) {
  if (out == NULL || (allocator != NULL && !is_allocator(allocator))) return AIORCH_E_INVALID;
  const aio__alloc *al = allocator == NULL ? aio__alloc_default() : allocator;
  aiorch_config *config = aio__calloc(al, 1, sizeof *config);
  if (config == NULL) return AIORCH_E_NOMEM;
  config->al = *al;
  config->al.struct_size = sizeof config->al;
  if (aio__options_init(&config->options, &config->al) != AIORCH_OK) {
    aio__free(al, config);
    return AIORCH_E_NOMEM;
  }
  aio__plugins_init(&config->plugins, &config->al);
  config->clock = aio__clock_system();
  config->magic = CONFIG_MAGIC;
  *out = config;
  return AIORCH_OK;
}

void aiorch_config_free(aiorch_config *config) {
  if (aio__config_check(config) != AIORCH_OK) return;
  aio__alloc al = config->al;
  config->magic = 0;
  aio__plugins_destroy(&config->plugins);
  aio__options_free(&config->options);
  aio__free(&al, config);
}

void aio__config_set_clock(aiorch_config *config, const aio__clock *clock) {
  config->clock = clock;
}

/* ---- setters ---- */

static aiorch_status begin(const aiorch_config *config, const char *key, aiorch_error *error) {
  aio__error_clear(error);
  if (aio__config_check(config) != AIORCH_OK) {
    return aio__error_set(error, AIORCH_E_INVALID, "this is no configuration, or one that was freed");
  }
  return key != NULL ? AIORCH_OK : aio__error_set(error, AIORCH_E_INVALID, "the key of the setting is NULL");
}

aiorch_status aiorch_config_set_str(aiorch_config *config, const char *key, const char *value, size_t len,
                                    aiorch_error *error) {
  aiorch_status status = begin(config, key, error);
  if (status != AIORCH_OK) return status;
  if (value == NULL && len > 0) {
    return aio__error_set(error, AIORCH_E_INVALID, "the value of \"%s\" is NULL, and its length %zu", key, len);
  }
  return aio__options_set_str(&config->options, aio__str_z(key), aio__str_n(value, len), false, error);
}

aiorch_status aiorch_config_set_i64(aiorch_config *config, const char *key, int64_t value, aiorch_error *error) {
  aiorch_status status = begin(config, key, error);
  return status != AIORCH_OK ? status : aio__options_set_i64(&config->options, aio__str_z(key), value, false, error);
}

aiorch_status aiorch_config_set_f64(aiorch_config *config, const char *key, double value, aiorch_error *error) {
  aiorch_status status = begin(config, key, error);
  return status != AIORCH_OK ? status : aio__options_set_f64(&config->options, aio__str_z(key), value, false, error);
}

aiorch_status aiorch_config_set_bool(aiorch_config *config, const char *key, int32_t value, aiorch_error *error) {
  aiorch_status status = begin(config, key, error);
  return status != AIORCH_OK ? status
                             : aio__options_set_bool(&config->options, aio__str_z(key), value != 0, false, error);
}

/* ---- reading ---- */

aiorch_status aiorch_config_get(const aiorch_config *config, const char *key, aiorch_text **out, aiorch_error *error) {
  aiorch_status status = begin(config, key, error);
  if (status != AIORCH_OK) return status;
  if (out == NULL) return aio__error_set(error, AIORCH_E_INVALID, "there is no place for the value of \"%s\"", key);
  aio__buf text;
  aio__buf_init(&text, &config->al, AIO__OPTION_TEXT_MAX);
  status = aio__options_get(&config->options, aio__str_z(key), &text, error);
  if (status != AIORCH_OK) {
    aio__buf_free(&text);
    return status;
  }
  status = aio__text_from_buf(&text, out);
  return status == AIORCH_OK ? status : aio__error_set(error, status, "out of memory for the value of \"%s\"", key);
}

aiorch_status aiorch_config_describe(size_t index, aiorch_text **out) {
  if (out == NULL) return AIORCH_E_INVALID;
  if (index >= aio__options_described()) return AIORCH_DONE;
  aio__buf text;
  aio__json_writer w;
  aio__buf_init(&text, aio__alloc_default(), DESCRIPTION_MAX);
  aio__jw_init(&w, &text);
  aio__options_describe(index, &w);
  return aio__text_from_buf(&text, out);
}
