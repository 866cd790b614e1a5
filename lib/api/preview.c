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

static aiorch_status compose(aiorch_run *run) {
  aiorch_status st = aio__run_stage(run, AIORCH_STAGE_VALIDATE);
  if (st == AIORCH_OK && run->options->retrieve_enabled && !run->host_sources) {
    st = aio__run_stage(run, AIORCH_STAGE_RETRIEVE);
  }
  if (st < 0) return st;
  st = aio__run_chain(run);
  return st ? st : aio__prompt_compose(run);
}

static aiorch_status give_preview(aiorch_run *run, aiorch_text **out) {
  aio__buf buf;
  aio__json_writer w;
  aio__buf_init(&buf, run->al, PREVIEW_MAX);
  aio__jw_init(&w, &buf);
  write_preview(run, &w);
  aiorch_status st = aio__text_from_buf(&buf, out);
  aio__buf_free(&buf);
  return st;
}

aiorch_status aiorch_run_preview(aiorch_run *run, aiorch_text **out) {
  if (!out) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  if (st) return st;
  if (run->phase != AIO__RUN_NEW) {
    st = aio__run_refuse(run, AIORCH_E_STATE, "a preview is made of a run that has not begun");
  } else {
    run->preview = true;
    st = compose(run);
    if (st == AIORCH_OK) st = give_preview(run, out);
    if (run->phase != AIO__RUN_NEW) aio__run_end(run); /* it is used up */
  }
  (void)aio__run_give_back(run);
  return st;
}
