/* aiorch_run_preview: validate, retrieve and compose, then say what would be sent, and what it may cost at most. */
#include "core/text_handle.h"
#include "pipeline/stages.h"

enum { PREVIEW_MAX = 128 << 20 };

static void write_messages(const aiorch_run *run, aio__json_writer *w) {
  static const char *const roles[] = {"", "system", "user", "assistant", "tool"};
  aio__jw_key(w, "messages");
  aio__jw_array(w);
  for (size_t i = 0; i < run->message_count; i++) {
    if (run->messages[i].role == AIORCH_ROLE_SYSTEM) continue;
    aio__jw_object(w);
    aio__jw_kz(w, "role", roles[run->messages[i].role]);
    aio__jw_kstr(w, "content", run->messages[i].text);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
}

static void write_preview(aiorch_run *run, aio__json_writer *w) {
  int64_t tokens = aio__prompt_tokens(run), most = 0;
  aio__jw_object(w);
  aio__jw_kz(w, "provider", run->chain[0]->name);
  aio__jw_kz(w, "model", aio__run_model_for(run, run->chain[0]));
  aio__jw_kstr(w, "system", run->system);
  write_messages(run, w);
  aio__jw_key(w, "sources");
  aio__jw_array(w);
  for (size_t i = 0; i < run->source_count; i++) aio__source_json(w, &run->sources[i], i + 1);
  aio__jw_array_end(w);
  aio__jw_ki64(w, "input_tokens", tokens);
  aio__jw_ki64(w, "max_output_tokens", run->options->generate_max_tokens);
  if (aio__run_highest_price(run, tokens, &most)) {
    aio__jw_ki64(w, "max_cost_nano_usd", most);
    aio__jw_kusd(w, "max_cost_usd", most);
  } else {
    aio__jw_knull(w, "max_cost_nano_usd");
    aio__jw_knull(w, "max_cost_usd");
  }
  aio__jw_object_end(w);
}

aiorch_status aiorch_run_preview(aiorch_run *run, aiorch_text **out) {
  aiorch_status st = aio__run_check(run);
  if (st) return st;
  if (!out) return AIORCH_E_INVALID;
  if (run->phase != AIO__RUN_NEW) {
    return aio__error_set(&run->error, AIORCH_E_STATE, "a preview is made of a run that has not begun");
  }
  run->preview = true;
  st = aiorch_stage_validate(run);
  if (st == AIORCH_OK && run->options->retrieve_enabled && !run->host_sources) st = aiorch_stage_retrieve(run);
  if (st < 0) return st;
  bool idle = false;
  if (!atomic_compare_exchange_strong(&run->busy, &idle, true)) return AIORCH_E_REENTRANT;
  st = aio__run_chain(run);
  if (st == AIORCH_OK) st = aio__prompt_compose(run);
  if (st == AIORCH_OK) {
    aio__buf buf;
    aio__json_writer w;
    aio__buf_init(&buf, run->al, PREVIEW_MAX);
    aio__jw_init(&w, &buf);
    write_preview(run, &w);
    st = aio__text_from_buf(&buf, out);
    aio__buf_free(&buf);
  }
  atomic_store_explicit(&run->busy, false, memory_order_release);
  return st;
}
