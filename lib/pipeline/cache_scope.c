/* The scope of a cached answer: a digest of everything that the answer depends on but the question itself. Every field is
 * length-prefixed and named by its order; to add one is to make all older entries miss, which is the point. */
#include <string.h>

#include "pipeline/run_content.h"
#include "pipeline/stages.h"

#include "text/normalize.h"

#define SCOPE_VERSION 2

static void add_double(aio__sha256 *h, double value) { aio__sha256_add(h, &value, sizeof value); }

static void add_z(aio__sha256 *h, const char *text) { aio__sha256_str(h, aio__str_z(text)); }

static void add_messages(aio__sha256 *h, const aiorch_run *run) {
  aio__sha256_u64(h, run->message_count);
  for (size_t i = 0; i < run->message_count; i++) {
    aio__sha256_u64(h, (uint64_t)run->messages[i].role);
    if (i != run->question) aio__sha256_str(h, run->messages[i].text);
  }
}

static void add_retrieval(aio__sha256 *h, const aiorch_run *run) {
  const aio__options *o = run->options;
  aio__sha256_u64(h, (uint64_t)o->retrieve_enabled);
  aio__sha256_u64(h, (uint64_t)o->retrieve_top_k);
  aio__sha256_u64(h, (uint64_t)o->retrieve_context_tokens);
  add_double(h, o->retrieve_threshold);
  add_z(h, o->retrieve_fusion);
  add_double(h, o->retrieve_weight_text);
  add_double(h, o->retrieve_weight_vector);
  aio__sha256_u64(h, run->filter_count);
  for (size_t i = 0; i < run->filter_count; i++) {
    const aio__filter *filter = &run->filters[i];
    aio__sha256_str(h, filter->name);
    aio__sha256_u64(h, (uint64_t)filter->kind << 2 | (filter->value.p ? 1u : 0u) | (filter->to.p ? 2u : 0u));
    aio__sha256_str(h, filter->value);
    aio__sha256_str(h, filter->to);
  }
  aio__sha256_u64(h, run->host_sources ? run->source_count : 0);
  for (size_t i = 0; run->host_sources && i < run->source_count; i++) {
    aio__sha256_str(h, run->sources[i].uri);
    aio__sha256_str(h, run->sources[i].title);
    aio__sha256_str(h, run->sources[i].text);
  }
}

static void add_model_policy(aio__sha256 *h, const aiorch_run *run) {
  const aio__options *o = run->options;
  add_z(h, o->generate_chain);
  add_z(h, o->generate_model);
  aio__sha256_u64(h, (uint64_t)run->tier.tier);
  aio__sha256_u64(h, (uint64_t)o->generate_max_tokens);
  add_double(h, o->generate_temperature);
  add_z(h, o->generate_provider_options);
  const aio__plugins *plugins = &run->orch->plugins;
  aio__sha256_u64(h, plugins->provider_count);
  for (size_t i = 0; i < plugins->provider_count; i++) {
    add_z(h, plugins->providers[i].name);
    add_z(h, plugins->providers[i].model);
    add_z(h, plugins->providers[i].model_simple);
    add_z(h, plugins->providers[i].model_complex);
    add_z(h, plugins->providers[i].base_url);
    add_z(h, plugins->providers[i].options);
  }
}

void aio__cache_scope(const aiorch_run *run, uint8_t scope[AIO__SHA256_SIZE]) {
  const aio__options *o = run->options;
  aio__sha256 h;
  aio__sha256_init(&h);
  aio__sha256_u64(&h, SCOPE_VERSION);
  aio__sha256_str(&h, run->tenant);
  /* Filters say what this user may see: the answer is then the user's own. */
  aio__sha256_str(&h, run->filter_count > 0 ? run->user : AIO__LIT(""));
  add_messages(&h, run);
  add_z(&h, o->prompt_system);
  add_z(&h, o->prompt_context_template);
  add_model_policy(&h, run);
  add_retrieval(&h, run);
  add_z(&h, aio__input_guard_version(run->orch->input_guard));
  add_z(&h, o->validate_rules);
  add_z(&h, o->output_check);
  add_z(&h, o->output_hosts);
  aio__run_content_digest(run, &h);
  aio__sha256_end(&h, scope);
}

aiorch_status aio__cache_key(aiorch_run *run, uint8_t key[AIO__SHA256_SIZE]) {
  aio__str normal;
  aiorch_status st = aio__normalize_key(&run->arena, run->messages[run->question].text, &normal);
  if (st) return st;
  aio__sha256 h;
  aio__sha256_init(&h);
  aio__sha256_str(&h, normal);
  aio__sha256_end(&h, key);
  return AIORCH_OK;
}

void aio__cache_scope_hex(const uint8_t scope[AIO__SHA256_SIZE], char out[2 * AIO__SHA256_SIZE + 1]) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < AIO__SHA256_SIZE; i++) {
    out[2 * i] = digits[scope[i] >> 4];
    out[2 * i + 1] = digits[scope[i] & 15];
  }
  out[2 * (size_t)AIO__SHA256_SIZE] = '\0';
}

aiorch_status aio__cache_place(aiorch_run *run) {
  /* Filters say what this user may see; without a user there is nobody whose own the answer could be. */
  bool nobodys = run->filter_count > 0 && run->user.n == 0;
  if (nobodys || strcmp(run->options->cache_mode, "off") == 0) return AIORCH_PASS;
  (void)aio__run_tier(run);
  aio__cache_scope(run, run->scope);
  aiorch_status st = aio__cache_key(run, run->key);
  if (st) return st;
  run->keyed = true;
  run->lookup_ms = aio__clock_wall_ms(run->orch->clock);
  return AIORCH_OK;
}
