/* aiorch_run_add_image and its kin, and what came back besides text: content.h from outside. */
#include <aiorch/content.h>

#include <string.h>

#include "pipeline/run_content.h"

/* A text from outside: NULL with a length is none. */
static bool bad(const char *text, size_t len) { return !text && len > 0; }

static aiorch_status give_back(aiorch_run *run, aiorch_status st) {
  (void)aio__run_give_back(run);
  return st;
}

aiorch_status aiorch_run_add_text(aiorch_run *run, const char *text, size_t len) {
  if (bad(text, len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_text(run, aio__str_n(text, len)));
}

aiorch_status aiorch_run_add_image(aiorch_run *run, const char *media_type, const char *base64, size_t len) {
  if (!media_type || bad(base64, len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_image(run, aio__str_z(media_type), aio__str_n(base64, len)));
}

aiorch_status aiorch_run_add_image_url(aiorch_run *run, const char *url, size_t len) {
  if (bad(url, len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_image_url(run, aio__str_n(url, len)));
}

aiorch_status aiorch_run_add_tool_call(aiorch_run *run, const char *id, size_t id_len, const char *name, size_t name_len,
                                       const char *arguments, size_t arguments_len) {
  if (bad(id, id_len) || bad(name, name_len) || bad(arguments, arguments_len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_tool_call(run, aio__str_n(id, id_len), aio__str_n(name, name_len),
                                                         aio__str_n(arguments, arguments_len)));
}

aiorch_status aiorch_run_add_tool_result(aiorch_run *run, const char *id, size_t id_len, const char *name, size_t name_len,
                                         const char *text, size_t text_len, int32_t is_error) {
  if (bad(id, id_len) || bad(name, name_len) || bad(text, text_len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_tool_result(run, aio__str_n(id, id_len), aio__str_n(name, name_len),
                                                           aio__str_n(text, text_len), is_error != 0));
}

aiorch_status aiorch_run_add_reasoning(aiorch_run *run, const char *text, size_t text_len, const char *signature,
                                       size_t signature_len) {
  if (bad(text, text_len) || bad(signature, signature_len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_reasoning(run, aio__str_n(text, text_len), aio__str_n(signature, signature_len)));
}

aiorch_status aiorch_run_add_signature(aiorch_run *run, const char *signature, size_t len) {
  if (bad(signature, len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_signature(run, aio__str_n(signature, len)));
}

aiorch_status aiorch_run_add_cache_marker(aiorch_run *run) {
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_cache_marker(run));
}

aiorch_status aiorch_run_add_tool(aiorch_run *run, const char *name, size_t name_len, const char *description,
                                  size_t description_len, const char *schema, size_t schema_len) {
  if (bad(name, name_len) || bad(description, description_len) || bad(schema, schema_len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_tool(run, aio__str_n(name, name_len), aio__str_n(description, description_len),
                                                    aio__str_n(schema, schema_len)));
}

aiorch_status aiorch_run_set_tool_choice(aiorch_run *run, int32_t choice, const char *name, size_t name_len) {
  if (bad(name, name_len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_set_tool_choice(run, choice, aio__str_n(name, name_len)));
}

aiorch_status aiorch_run_set_schema(aiorch_run *run, const char *schema, size_t schema_len, const char *name, size_t name_len) {
  if (bad(schema, schema_len) || bad(name, name_len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_set_schema(run, aio__str_n(schema, schema_len), aio__str_n(name, name_len)));
}

aiorch_status aiorch_run_add_stop(aiorch_run *run, const char *text, size_t len) {
  if (bad(text, len)) return AIORCH_E_INVALID;
  aiorch_status st = aio__run_take(run);
  return st ? st : give_back(run, aio__run_add_stop(run, aio__str_n(text, len)));
}

/* ---- what came back ---- */

static bool good(const aiorch_run *run) { return aio__run_check(run) == AIORCH_OK; }

static aiorch_status give(aio__str text, const char **out, size_t *out_len) {
  if (!out) return AIORCH_E_INVALID;
  *out = text.p ? text.p : "";
  if (out_len) *out_len = text.n;
  return AIORCH_OK;
}

size_t aiorch_run_tool_call_count(const aiorch_run *run) { return good(run) ? run->tool_call_count : 0; }

aiorch_status aiorch_run_tool_call(const aiorch_run *run, size_t index, const char **id, const char **name,
                                   const char **arguments, size_t *arguments_len) {
  if (!good(run) || index >= run->tool_call_count) return AIORCH_E_INVALID;
  const aio__run_tool_call *call = &run->tool_calls[index];
  if (id) *id = call->id;
  if (name) *name = call->name;
  if (arguments) *arguments = call->arguments.p;
  if (arguments_len) *arguments_len = call->arguments.n;
  return AIORCH_OK;
}

aiorch_status aiorch_run_tool_call_signature(const aiorch_run *run, size_t index, const char **out, size_t *out_len) {
  if (!good(run) || index >= run->tool_call_count) return AIORCH_E_INVALID;
  return give(run->tool_calls[index].signature, out, out_len);
}

aiorch_status aiorch_run_stop_sequence(const aiorch_run *run, const char **out, size_t *out_len) {
  return good(run) && out ? give(run->stopped_by, out, out_len) : AIORCH_E_INVALID;
}

size_t aiorch_run_reasoning_count(const aiorch_run *run) { return good(run) ? run->reasoning_count : 0; }

aiorch_status aiorch_run_reasoning(const aiorch_run *run, size_t index, const char **text, size_t *text_len,
                                   const char **signature, size_t *signature_len) {
  if (!good(run) || !text || index >= run->reasoning_count) return AIORCH_E_INVALID;
  const aio__run_reasoning *piece = &run->reasoning[index];
  if (signature) (void)give(piece->signature, signature, signature_len);
  return give(piece->text, text, text_len);
}
