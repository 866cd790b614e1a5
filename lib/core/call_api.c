/* aiorch_call_*: what a plug-in reads from a call and hands over. The contract stands in plugin.h. */
#include <math.h>
#include <string.h>

#include "core/call_private.h"

#define USAGE_MAX (INT64_C(1) << 53)

static bool valid(const aiorch_call *call) { return call && call->magic == AIO__CALL_MAGIC; }

/* A shell in the ring has no contents: every reader finds empty ones. */
static aiorch_status give(aio__str text, const char **out, size_t *out_len) {
  *out = text.p ? text.p : "";
  if (out_len) *out_len = text.n;
  return AIORCH_OK;
}

static aiorch_status check_kind(const aiorch_call *call, unsigned kinds, const void *out) {
  if (!valid(call) || !out) return AIORCH_E_INVALID;
  return kinds & (1u << call->kind) ? AIORCH_OK : AIORCH_E_STATE;
}

enum {
  GENERATE = 1u << AIO__CALL_GENERATE,
  EMBED = 1u << AIO__CALL_EMBED,
  UPSERT = 1u << AIO__CALL_UPSERT,
  REMOVE = 1u << AIO__CALL_REMOVE,
  SEARCH = 1u << AIO__CALL_SEARCH,
  VECTORS = UPSERT | REMOVE | SEARCH
};

/* ---- reading ---- */

int32_t aiorch_call_cancelled(const aiorch_call *call) {
  if (!valid(call)) return 1;
  pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&call->mutex;
  pthread_mutex_lock(mutex);
  bool cancelled = call->dropped || call->finished;
  pthread_mutex_unlock(mutex);
  return cancelled || aio__clock_now(call->clock) >= call->deadline_ns;
}

int64_t aiorch_call_remaining_ms(const aiorch_call *call) {
  if (!valid(call)) return 0;
  if (call->deadline_ns == AIO__NEVER) return INT64_MAX;
  int64_t left = call->deadline_ns - aio__clock_now(call->clock);
  return left > 0 ? (left + 999999) / 1000000 : 0;
}

aiorch_status aiorch_call_tenant(const aiorch_call *call, const char **out, size_t *out_len) {
  if (!valid(call) || !out) return AIORCH_E_INVALID;
  return give(call->request.tenant, out, out_len);
}

aiorch_status aiorch_call_run_id(const aiorch_call *call, const char **out, size_t *out_len) {
  if (!valid(call) || !out) return AIORCH_E_INVALID;
  return give(call->request.run_id, out, out_len);
}

aiorch_status aiorch_call_model(const aiorch_call *call, const char **out, size_t *out_len) {
  aiorch_status st = check_kind(call, GENERATE, out);
  return st ? st : give(call->request.model, out, out_len);
}

aiorch_status aiorch_call_system(const aiorch_call *call, const char **out, size_t *out_len) {
  aiorch_status st = check_kind(call, GENERATE, out);
  return st ? st : give(call->request.system, out, out_len);
}

size_t aiorch_call_message_count(const aiorch_call *call) { return valid(call) ? call->request.message_count : 0; }

aiorch_status aiorch_call_message(const aiorch_call *call, size_t index, int32_t *role, const char **out,
                                  size_t *out_len) {
  aiorch_status st = check_kind(call, GENERATE, out);
  if (st) return st;
  if (index >= call->request.message_count) return AIORCH_E_INVALID;
  if (role) *role = call->request.messages[index].role;
  return give(call->request.messages[index].text, out, out_len);
}

int64_t aiorch_call_max_tokens(const aiorch_call *call) { return valid(call) ? call->request.max_tokens : 0; }

int32_t aiorch_call_purpose(const aiorch_call *call) { return valid(call) ? call->request.purpose : 0; }

size_t aiorch_call_text_count(const aiorch_call *call) { return valid(call) ? call->request.text_count : 0; }

aiorch_status aiorch_call_text(const aiorch_call *call, size_t index, const char **out, size_t *out_len) {
  aiorch_status st = check_kind(call, EMBED, out);
  if (st) return st;
  return index < call->request.text_count ? give(call->request.texts[index], out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_call_collection(const aiorch_call *call, const char **out, size_t *out_len) {
  aiorch_status st = check_kind(call, VECTORS, out);
  return st ? st : give(call->request.collection, out, out_len);
}

size_t aiorch_call_vector_count(const aiorch_call *call) { return valid(call) ? call->request.vector_count : 0; }

aiorch_status aiorch_call_vector(const aiorch_call *call, size_t index, const float **out, size_t *out_dimensions) {
  aiorch_status st = check_kind(call, UPSERT | SEARCH, out);
  if (st) return st;
  if (index >= call->request.vector_count) return AIORCH_E_INVALID;
  *out = call->request.vectors + index * call->request.dimensions;
  if (out_dimensions) *out_dimensions = call->request.dimensions;
  return AIORCH_OK;
}

aiorch_status aiorch_call_vector_id(const aiorch_call *call, size_t index, const char **out, size_t *out_len) {
  aiorch_status st = check_kind(call, UPSERT | REMOVE, out);
  if (st) return st;
  return index < call->request.vector_count ? give(call->request.ids[index], out, out_len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_call_vector_scope(const aiorch_call *call, size_t index, const char **out, size_t *out_len) {
  aiorch_status st = check_kind(call, UPSERT | SEARCH, out);
  if (st) return st;
  if (index >= call->request.vector_count) return AIORCH_E_INVALID;
  return give(call->request.scopes ? call->request.scopes[index] : AIO__LIT(""), out, out_len);
}

size_t aiorch_call_limit(const aiorch_call *call) { return valid(call) ? call->request.limit : 0; }

static void write_strs(aio__json_writer *w, const char *key, const aio__str *list, size_t count) {
  aio__jw_key(w, key);
  aio__jw_array(w);
  for (size_t i = 0; list && i < count; i++) aio__jw_str(w, list[i]);
  aio__jw_array_end(w);
}

/* A JSON text of the host's that was checked when it was given; empty: none. */
static void write_json(aio__json_writer *w, const char *key, aio__str json) {
  if (json.n == 0) return;
  aio__jw_key(w, key);
  aio__jw_raw(w, json);
}

static void write_some(aio__json_writer *w, const char *key, aio__str text) {
  if (text.n) aio__jw_kstr(w, key, text);
}

static void write_parts(aio__json_writer *w, const aio__call_message *message) {
  static const char *const types[] = {"text", "image", "image", "tool_call", "tool_result", "reasoning"};
  if (message->part_count == 0) return;
  aio__jw_key(w, "parts");
  aio__jw_array(w);
  for (size_t i = 0; i < message->part_count; i++) {
    const aio__part *part = &message->parts[i];
    const char *text = part->kind == AIO__PART_IMAGE       ? "data"
                       : part->kind == AIO__PART_IMAGE_URL ? "url"
                                                           : "text";
    aio__jw_object(w);
    aio__jw_kz(w, "type", types[part->kind]);
    write_some(w, "media_type", part->media_type);
    write_some(w, "id", part->id);
    write_some(w, "name", part->name);
    if (part->kind == AIO__PART_TOOL_CALL) write_json(w, "arguments", part->text.n ? part->text : AIO__LIT("{}"));
    else aio__jw_kstr(w, text, part->text);
    write_some(w, "signature", part->signature);
    if (part->is_error) aio__jw_kbool(w, "is_error", true);
    if (part->cache) aio__jw_kbool(w, "cache", true);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
}

static void write_tools(aio__json_writer *w, const aio__wishes *wishes) {
  static const char *const choices[] = {"default", "auto", "none", "any", "one"};
  if (wishes->tool_count == 0) return;
  aio__jw_key(w, "tools");
  aio__jw_array(w);
  for (size_t i = 0; i < wishes->tool_count; i++) {
    aio__jw_object(w);
    aio__jw_kstr(w, "name", wishes->tools[i].name);
    write_some(w, "description", wishes->tools[i].description);
    write_json(w, "schema", wishes->tools[i].schema);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  aio__jw_key(w, "tool_choice");
  if (wishes->tool_choice == AIO__TOOLS_ONE) {
    aio__jw_object(w);
    aio__jw_kstr(w, "name", wishes->tool_name);
    aio__jw_object_end(w);
  } else {
    aio__jw_z(w, choices[wishes->tool_choice]);
  }
  aio__jw_kbool(w, "parallel_tools", !wishes->one_tool_at_a_time);
}

static void write_wishes(aio__json_writer *w, const aio__wishes *wishes) {
  static const char *const efforts[] = {"default", "none", "minimal", "low", "medium", "high", "xhigh", "max"};
  write_tools(w, wishes);
  write_json(w, "schema", wishes->schema);
  write_some(w, "schema_name", wishes->schema_name);
  if (wishes->stop_count) write_strs(w, "stop", wishes->stops, wishes->stop_count);
  if (wishes->effort != AIO__EFFORT_DEFAULT) aio__jw_kz(w, "effort", efforts[wishes->effort]);
  if (wishes->cache_system) aio__jw_kz(w, "cache_prompt", wishes->cache_long ? "1h" : "5m");
}

static void write_generate(const aio__call_request *r, aio__json_writer *w) {
  static const char *const roles[] = {"", "system", "user", "assistant", "tool"};
  aio__jw_kstr(w, "model", r->model);
  aio__jw_kstr(w, "system", r->system);
  aio__jw_key(w, "messages");
  aio__jw_array(w);
  for (size_t i = 0; i < r->message_count; i++) {
    aio__jw_object(w);
    aio__jw_kz(w, "role", roles[r->messages[i].role]);
    aio__jw_kstr(w, "content", r->messages[i].text);
    write_parts(w, &r->messages[i]);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  aio__jw_key(w, "sources");
  aio__jw_array(w);
  for (size_t i = 0; i < r->source_count; i++) {
    aio__jw_object(w);
    aio__jw_ki64(w, "n", (int64_t)i + 1);
    aio__jw_kstr(w, "title", r->sources[i].title);
    aio__jw_kstr(w, "uri", r->sources[i].uri);
    aio__jw_kstr(w, "text", r->sources[i].text);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
  aio__jw_ki64(w, "max_tokens", r->max_tokens);
  if (r->temperature >= 0) aio__jw_kf64(w, "temperature", r->temperature);
  write_wishes(w, &r->wishes);
  if (r->provider_options.n > 0) {
    aio__jw_key(w, "provider_options");
    aio__jw_raw(w, r->provider_options);
  }
}

static void write_request(aiorch_call *call) {
  static const char *const purposes[] = {"", "query", "passage", "similarity"};
  const aio__call_request *r = &call->request;
  aio__json_writer w;
  aio__jw_init(&w, &call->request_json);
  aio__jw_object(&w);
  if (call->kind == AIO__CALL_GENERATE) {
    write_generate(r, &w);
  } else if (call->kind == AIO__CALL_EMBED) {
    aio__jw_kz(&w, "purpose", purposes[r->purpose]);
    write_strs(&w, "texts", r->texts, r->text_count);
  } else {
    aio__jw_kstr(&w, "collection", r->collection);
    write_strs(&w, "scopes", r->scopes, r->vector_count);
    write_strs(&w, "ids", r->ids, r->vector_count);
    aio__jw_ki64(&w, "limit", (int64_t)r->limit);
  }
  aio__jw_object_end(&w);
}

aiorch_status aiorch_call_request_json(aiorch_call *call, const char **out, size_t *out_len) {
  if (!valid(call) || !out) return AIORCH_E_INVALID;
  if (atomic_load_explicit(&call->refs, memory_order_relaxed) == 0) return AIORCH_E_STATE; /* a shell in the ring */
  pthread_mutex_lock(&call->mutex);
  if (call->request_json.n == 0) write_request(call);
  aiorch_status st = call->request_json.failed;
  if (st) aio__buf_reset(&call->request_json);
  pthread_mutex_unlock(&call->mutex);
  return st ? AIORCH_E_NOMEM : give(aio__buf_view(&call->request_json), out, out_len);
}

/* ---- handing over ---- */

/* Locks the call when it may still take something; otherwise it is not locked and the status says why. */
static aiorch_status open_call(aiorch_call *call, unsigned kinds) {
  if (!valid(call)) return AIORCH_E_INVALID;
  if (!(kinds & (1u << call->kind))) return AIORCH_E_STATE;
  pthread_mutex_lock(&call->mutex);
  aiorch_status st = call->finished ? AIORCH_E_STATE : call->dropped ? AIORCH_E_CANCELLED : AIORCH_OK;
  if (st) pthread_mutex_unlock(&call->mutex);
  return st;
}

/* Unlocks; wakes the driver outside the lock when there is something new for it. */
static aiorch_status close_call(aiorch_call *call, aiorch_status status, bool wake) {
  aio__waker *waker = wake && call->waker && !call->stepping ? aio__waker_retain(call->waker) : NULL;
  pthread_mutex_unlock(&call->mutex);
  if (waker) {
    aio__waker_signal(waker);
    aio__waker_release(waker);
  }
  return status;
}

aiorch_status aiorch_call_emit(aiorch_call *call, const char *text, size_t len) {
  if (!text && len > 0) return AIORCH_E_INVALID;
  aiorch_status st = open_call(call, GENERATE);
  if (st) return st;
  if (len == 0) return close_call(call, AIORCH_OK, false);
  st = len > call->text_left ? AIORCH_E_TOO_LARGE : aio__buf_add(&call->text, text, len);
  if (st == AIORCH_OK) call->text_left -= len;
  else call->lost = st;
  return close_call(call, st, st == AIORCH_OK);
}

aiorch_status aiorch_call_put_usage(aiorch_call *call, int32_t usage_class, int64_t tokens) {
  if (usage_class < 0 || usage_class >= AIORCH_USAGE_COUNT || tokens < 0 || tokens > USAGE_MAX) {
    return AIORCH_E_INVALID;
  }
  aiorch_status st = open_call(call, GENERATE | EMBED);
  if (st == AIORCH_E_CANCELLED) pthread_mutex_lock(&call->mutex); /* what was used counts all the same */
  else if (st) return st;
  if (!call->finished) {
    call->result.usage[usage_class] = tokens;
    call->result.has_usage = true;
  }
  return close_call(call, st, false);
}

aiorch_status aiorch_call_put_finish_reason(aiorch_call *call, int32_t finish_reason) {
  if (finish_reason < AIORCH_FINISH_STOP || finish_reason > AIORCH_FINISH_ERROR) return AIORCH_E_INVALID;
  aiorch_status st = open_call(call, GENERATE);
  if (st) return st;
  call->result.finish_reason = finish_reason;
  return close_call(call, AIORCH_OK, false);
}

static aiorch_status put_name(aiorch_call *call, char *to, const char *text, size_t len) {
  if (!text && len > 0) return AIORCH_E_INVALID;
  if (len > AIO__CALL_NAME_MAX) return AIORCH_E_TOO_LARGE;
  if (aio__utf8_check(aio__str_n(text, len), NULL) != len || (len && memchr(text, 0, len))) return AIORCH_E_INVALID;
  aiorch_status st = open_call(call, GENERATE | EMBED);
  if (st) return st;
  if (len) memcpy(to, text, len);
  to[len] = '\0';
  return close_call(call, AIORCH_OK, false);
}

aiorch_status aiorch_call_put_model(aiorch_call *call, const char *model, size_t len) {
  return valid(call) ? put_name(call, call->result.model, model, len) : AIORCH_E_INVALID;
}

aiorch_status aiorch_call_put_request_id(aiorch_call *call, const char *id, size_t len) {
  return valid(call) ? put_name(call, call->result.request_id, id, len) : AIORCH_E_INVALID;
}

static bool good_vectors(const float *vectors, size_t count, size_t dimensions) {
  for (size_t i = 0; i < count; i++) {
    bool zero = true;
    for (size_t d = 0; d < dimensions; d++) {
      float x = vectors[i * dimensions + d];
      if (!isfinite(x)) return false;
      if (x < 0.0f || x > 0.0f) zero = false;
    }
    if (zero) return false;
  }
  return true;
}

aiorch_status aiorch_call_put_vectors(aiorch_call *call, const float *vectors, size_t count, size_t dimensions,
                                      size_t truncated) {
  if (!vectors || count == 0 || dimensions == 0 || count > SIZE_MAX / sizeof(float) / dimensions || truncated > count) {
    return AIORCH_E_INVALID;
  }
  aiorch_status st = open_call(call, EMBED);
  if (st) return st;
  if (count != call->request.text_count || (call->request.dimensions && dimensions != call->request.dimensions) ||
      !good_vectors(vectors, count, dimensions)) {
    return close_call(call, AIORCH_E_INVALID, false);
  }
  float *copy = aio__arena_alloc(&call->arena, count * dimensions * sizeof *copy);
  if (!copy) return close_call(call, AIORCH_E_NOMEM, false);
  memcpy(copy, vectors, count * dimensions * sizeof *copy);
  call->result.vectors = copy;
  call->result.vector_count = count;
  call->result.dimensions = dimensions;
  call->result.truncated = truncated;
  return close_call(call, AIORCH_OK, false);
}

static aiorch_status add_hit(aiorch_call *call, size_t query, aio__str id, double similarity) {
  size_t n = call->result.hit_count;
  if (n >= AIO__CALL_HITS_MAX) return AIORCH_E_TOO_LARGE;
  if (n == call->hits_cap) {
    size_t cap = n ? n * 2 : 16;
    aio__call_hit *more = aio__realloc(call->al, call->hits, cap * sizeof *more);
    if (!more) return AIORCH_E_NOMEM;
    call->hits = more;
    call->hits_cap = cap;
    call->result.hits = more;
  }
  aio__str copy = aio__arena_str(&call->arena, id);
  if (!copy.p) return AIORCH_E_NOMEM;
  call->hits[n] = (aio__call_hit){.query = query, .id = copy, .similarity = similarity};
  call->result.hit_count = n + 1;
  return AIORCH_OK;
}

aiorch_status aiorch_call_put_hit(aiorch_call *call, size_t query, const char *id, size_t len, double similarity) {
  if (!id || len == 0 || len > AIO__CALL_NAME_MAX || !isfinite(similarity)) return AIORCH_E_INVALID;
  aiorch_status st = open_call(call, SEARCH);
  if (st) return st;
  if (query >= call->request.vector_count) return close_call(call, AIORCH_E_INVALID, false);
  st = add_hit(call, query, aio__str_n(id, len), similarity);
  if (st == AIORCH_E_NOMEM) call->lost = st;
  return close_call(call, st, false);
}

static aiorch_status copy_extra(aiorch_call *call, const aio__call_extra *from, aio__call_extra *to) {
  const aio__str texts[] = {from->id, from->name, from->text, from->signature};
  aio__str copies[4];
  size_t bytes = 0;
  for (size_t i = 0; i < 4; i++) {
    if (texts[i].n > AIO__CALL_EXTRAS_BYTES_MAX - bytes) return AIORCH_E_TOO_LARGE;
    bytes += texts[i].n;
  }
  if (bytes > AIO__CALL_EXTRAS_BYTES_MAX - call->extra_bytes) return AIORCH_E_TOO_LARGE;
  for (size_t i = 0; i < 4; i++) {
    copies[i] = texts[i].n > 0 ? aio__arena_str(&call->arena, texts[i]) : AIO__LIT("");
    if (!copies[i].p) return AIORCH_E_NOMEM;
  }
  call->extra_bytes += bytes;
  *to = (aio__call_extra){from->kind, copies[0], copies[1], copies[2], copies[3]};
  return AIORCH_OK;
}

/* Under the mutex. */
static aiorch_status add_extra(aiorch_call *call, const aio__call_extra *extra) {
  if (call->extra_count == AIO__CALL_EXTRAS_MAX) return AIORCH_E_TOO_LARGE;
  if (call->extra_count == call->extra_cap) {
    size_t cap = call->extra_cap ? call->extra_cap * 2 : 8;
    aio__call_extra *more = aio__realloc(call->al, call->extras, cap * sizeof *more);
    if (!more) return AIORCH_E_NOMEM;
    call->extras = more;
    call->extra_cap = cap;
  }
  aiorch_status st = copy_extra(call, extra, &call->extras[call->extra_count]);
  if (st == AIORCH_OK) call->extra_count++;
  return st;
}

aiorch_status aio__call_put_extra(aiorch_call *call, const aio__call_extra *extra) {
  aiorch_status st = open_call(call, GENERATE);
  if (st) return st;
  st = add_extra(call, extra);
  if (st == AIORCH_E_TOO_LARGE && extra->kind == AIO__EVENT_WARNING) st = AIORCH_OK;
  if (st) call->lost = st;
  return close_call(call, st, st == AIORCH_OK);
}

bool aio__call_extra_at(aiorch_call *call, size_t index, aio__call_extra *out) {
  pthread_mutex_lock(&call->mutex);
  bool there = index < call->extra_count;
  if (there) *out = call->extras[index];
  pthread_mutex_unlock(&call->mutex);
  return there;
}

static bool is_text(const char *text, size_t len) {
  if (!text && len > 0) return false;
  return aio__utf8_check(aio__str_n(text, len), NULL) == len && !(len && memchr(text, 0, len));
}

aiorch_status aiorch_call_put_tool_call(aiorch_call *call, const char *id, size_t id_len, const char *name, size_t name_len,
                                        const char *arguments, size_t arguments_len) {
  if (!is_text(id, id_len) || !is_text(name, name_len) || !is_text(arguments, arguments_len) || name_len == 0) return AIORCH_E_INVALID;
  if (id_len > AIO__CALL_NAME_MAX || name_len > AIO__CALL_NAME_MAX) return AIORCH_E_TOO_LARGE;
  aio__call_extra extra = {.kind = AIO__EVENT_TOOL_END,
                           .id = aio__str_n(id, id_len),
                           .name = aio__str_n(name, name_len),
                           .text = arguments_len > 0 ? aio__str_n(arguments, arguments_len) : AIO__LIT("{}")};
  aiorch_status st = open_call(call, GENERATE);
  if (st) return st;
  size_t tools = 0;
  for (size_t i = 0; i < call->extra_count; i++) tools += call->extras[i].kind == AIO__EVENT_TOOL_END ? 1 : 0;
  st = tools < AIO__TOOLS_MAX ? add_extra(call, &extra) : AIORCH_E_TOO_LARGE;
  if (st) call->lost = st;
  else if (call->result.finish_reason == AIORCH_FINISH_STOP) call->result.finish_reason = AIORCH_FINISH_TOOL_CALLS;
  return close_call(call, st, st == AIORCH_OK);
}

aiorch_status aiorch_call_put_stop_sequence(aiorch_call *call, const char *text, size_t len) {
  if (!is_text(text, len) || len == 0) return AIORCH_E_INVALID;
  if (len > AIO__CALL_NAME_MAX) return AIORCH_E_TOO_LARGE;
  return aio__call_put_extra(call, &(aio__call_extra){.kind = AIO__EVENT_STOP, .text = aio__str_n(text, len)});
}

aiorch_status aiorch_call_put_error(aiorch_call *call, const char *message, size_t len, int32_t http_status,
                                    int64_t retry_after_ms) {
  if ((!message && len > 0) || http_status < 0 || http_status > 999 || retry_after_ms < -1) return AIORCH_E_INVALID;
  aiorch_status st = open_call(call, GENERATE | EMBED | VECTORS);
  if (st) return st;
  size_t n = len > AIO__CALL_ERROR_MAX ? aio__utf8_cut(aio__str_n(message, len), AIO__CALL_ERROR_MAX) : len;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)message[i];
    call->result.message[i] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
  }
  call->result.message[n] = '\0';
  call->result.http_status = http_status;
  call->result.retry_after_ms = retry_after_ms;
  return close_call(call, AIORCH_OK, false);
}

static aiorch_status finish(aiorch_call *call, aiorch_status status) {
  pthread_mutex_lock(&call->mutex);
  if (call->finished) {
    pthread_mutex_unlock(&call->mutex);
    aio__calls_fault(call->calls, "finished a call twice");
    return AIORCH_E_STATE;
  }
  bool claim = call->plugin_claim, dropped = call->dropped;
  call->plugin_claim = false;
  call->finished = true;
  /* Outcomes that are no error mean nothing here: only OK and errors end a call. */
  call->result.status = status > 0 ? AIORCH_E_PLUGIN_CONTRACT : status;
  /* A plug-in that overlooked that its text was not taken must not pass the rest off as the whole. */
  if (call->result.status == AIORCH_OK) call->result.status = call->lost;
  atomic_store_explicit(&call->ended, true, memory_order_release);
  close_call(call, AIORCH_OK, true);
  if (claim) aio__call_release(call);
  return dropped ? AIORCH_E_CANCELLED : AIORCH_OK;
}

aiorch_status aiorch_call_finish(aiorch_call *call, aiorch_status status) {
  if (!valid(call)) return AIORCH_E_INVALID;
  /* As soon as the driver sees the end, the run, and with it the orchestrator, may be freed: they wait for this thread. */
  aio__calls *calls = call->calls;
  aio__calls_finishing(calls, +1);
  aiorch_status st = finish(call, status);
  aio__calls_finishing(calls, -1);
  return st;
}

aiorch_call *aiorch_call_retain(aiorch_call *call) {
  if (!valid(call)) return NULL;
  int refs = atomic_load_explicit(&call->refs, memory_order_relaxed);
  /* A shell in the ring has no claims any more and must not come back. */
  while (refs > 0 && !atomic_compare_exchange_weak_explicit(&call->refs, &refs, refs + 1, memory_order_relaxed,
                                                            memory_order_relaxed)) {
  }
  return refs > 0 ? call : NULL;
}

void aiorch_call_release(aiorch_call *call) {
  if (valid(call)) aio__call_release(call);
}
