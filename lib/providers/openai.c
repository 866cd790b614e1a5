/*
 * OpenAI Chat Completions, and the servers that speak it (openai_servers.h). Request and answer: platform.openai.com/docs/api-reference/
 * chat; the odd cases of each server: docs/providers.md. What is particular here: the arguments of a tool are a text; cached tokens
 * are inside prompt_tokens and reasoning is inside completion_tokens; the last chunk of a stream may have no choices but the tokens;
 * "[DONE]" ends it, where it comes.
 */
#include "providers/codec_json.h"
#include "providers/openai_answer.h"
#include "providers/openai_servers.h"

/* ---- the request ------------------------------------------------------------------------------------------------- */

static void put_cache_marker(aio__encoder *e) {
  aio__jw_key(&e->w, "cache_control");
  aio__jw_object(&e->w);
  aio__jw_kz(&e->w, "type", "ephemeral");
  if (e->request->wishes.cache_long) aio__jw_kz(&e->w, "ttl", "1h");
  aio__jw_object_end(&e->w);
}

static void put_text_part(aio__encoder *e, aio__str text, bool marker) {
  aio__jw_object(&e->w);
  aio__jw_kz(&e->w, "type", "text");
  aio__jw_kstr(&e->w, "text", text);
  if (marker) put_cache_marker(e);
  aio__jw_object_end(&e->w);
}

static void put_image_part(aio__encoder *e, const aio__part *part) {
  aio__json_writer *w = &e->w;
  aio__jw_object(w);
  aio__jw_kz(w, "type", "image_url");
  aio__jw_key(w, "image_url");
  aio__jw_object(w);
  aio__jw_key(w, "url");
  if (part->kind == AIO__PART_IMAGE_URL) aio__jw_str(w, part->text);
  else aio__enc_data_url(e, part);
  aio__jw_object_end(w);
  aio__jw_object_end(w);
}

static bool is_content(const aio__part *part) {
  return (part->kind == AIO__PART_TEXT && part->text.n > 0) || part->kind == AIO__PART_IMAGE || part->kind == AIO__PART_IMAGE_URL;
}

/* Member "content": a text where there is one without a marker, a list of parts else; null where there is none. */
static void put_content(aio__encoder *e, const aio__turn *turn, unsigned flags) {
  const aio__part *only = NULL;
  size_t count = 0;
  bool markers = (flags & AIO__OPENAI_CACHE_MARKERS) != 0;
  for (size_t i = 0; i < turn->part_count; i++) {
    if (!is_content(&turn->parts[i])) continue;
    only = &turn->parts[i];
    count++;
  }
  aio__jw_key(&e->w, "content");
  if (count == 0) {
    aio__jw_null(&e->w);
  } else if (count == 1 && only->kind == AIO__PART_TEXT && !(markers && only->cache)) {
    aio__jw_str(&e->w, only->text);
  } else {
    aio__jw_array(&e->w);
    for (size_t i = 0; i < turn->part_count; i++) {
      const aio__part *part = &turn->parts[i];
      if (!is_content(part)) continue;
      if (part->kind == AIO__PART_TEXT) put_text_part(e, part->text, markers && part->cache);
      else put_image_part(e, part);
    }
    aio__jw_array_end(&e->w);
  }
}

static void put_tool_calls(aio__encoder *e, const aio__turn *turn) {
  aio__json_writer *w = &e->w;
  bool any = false;
  for (size_t i = 0; i < turn->part_count; i++) {
    const aio__part *part = &turn->parts[i];
    if (part->kind != AIO__PART_TOOL_CALL) continue;
    if (!any) {
      aio__jw_key(w, "tool_calls");
      aio__jw_array(w);
      any = true;
    }
    aio__jw_object(w);
    aio__jw_kstr(w, "id", part->id);
    aio__jw_kz(w, "type", "function");
    aio__jw_key(w, "function");
    aio__jw_object(w);
    aio__jw_kstr(w, "name", part->name);
    aio__jw_kstr(w, "arguments", part->text.n ? part->text : AIO__LIT("{}"));
    aio__jw_object_end(w);
    aio__jw_object_end(w);
  }
  if (any) aio__jw_array_end(w);
}

/* Each result is a message of its own; what else stands in the turn follows as the user's. */
static void put_tool_turn(aio__encoder *e, const aio__turn *turn, unsigned flags) {
  aio__json_writer *w = &e->w;
  bool rest = false;
  for (size_t i = 0; i < turn->part_count; i++) {
    const aio__part *part = &turn->parts[i];
    rest = rest || is_content(part);
    if (part->kind != AIO__PART_TOOL_RESULT) continue;
    aio__jw_object(w);
    aio__jw_kz(w, "role", "tool");
    aio__jw_kstr(w, "tool_call_id", part->id);
    if ((flags & AIO__OPENAI_TOOL_NAMES) && part->name.n) aio__jw_kstr(w, "name", part->name);
    aio__jw_kstr(w, "content", part->text);
    aio__jw_object_end(w);
  }
  if (!rest) return;
  aio__jw_object(w);
  aio__jw_kz(w, "role", "user");
  put_content(e, turn, flags);
  aio__jw_object_end(w);
}

static void put_messages(aio__encoder *e, unsigned flags) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  aio__jw_key(w, "messages");
  aio__jw_array(w);
  if (r->system.n) {
    aio__jw_object(w);
    aio__jw_kz(w, "role", "system"); /* OpenAI reads it as "developer" where its models want that; the others know no such role */
    aio__jw_key(w, "content");
    if (r->wishes.cache_system && (flags & AIO__OPENAI_CACHE_MARKERS)) {
      aio__jw_array(w);
      put_text_part(e, r->system, true);
      aio__jw_array_end(w);
    } else {
      aio__jw_str(w, r->system);
    }
    aio__jw_object_end(w);
  }
  for (size_t i = 0; i < r->turn_count; i++) {
    const aio__turn *turn = &r->turns[i];
    if (turn->role == AIORCH_ROLE_TOOL) {
      put_tool_turn(e, turn, flags);
      continue;
    }
    bool assistant = turn->role == AIORCH_ROLE_ASSISTANT;
    aio__jw_object(w);
    aio__jw_kz(w, "role", assistant ? "assistant" : "user");
    put_content(e, turn, flags);
    if (assistant) put_tool_calls(e, turn);
    if (assistant && (flags & AIO__OPENAI_REASONING_BACK)) aio__enc_joined(e, "reasoning_content", turn, AIO__PART_REASONING);
    aio__jw_object_end(w);
  }
  aio__jw_array_end(w);
}

static void put_tools(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  static const char *const choices[] = {NULL, "auto", "none", "required", NULL};
  if (r->wishes.tool_count == 0) return;
  aio__enc_functions(e);
  if (choices[r->wishes.tool_choice]) {
    aio__jw_kz(w, "tool_choice", choices[r->wishes.tool_choice]);
  } else if (r->wishes.tool_choice == AIO__TOOLS_ONE) {
    aio__jw_key(w, "tool_choice");
    aio__jw_object(w);
    aio__jw_kz(w, "type", "function");
    aio__jw_key(w, "function");
    aio__jw_object(w);
    aio__jw_kstr(w, "name", r->wishes.tool_name);
    aio__jw_object_end(w);
    aio__jw_object_end(w);
  }
  if (r->wishes.one_tool_at_a_time) aio__jw_kbool(w, "parallel_tool_calls", false);
}

static void put_schema(aio__encoder *e, unsigned flags) {
  const aio__codec_request *r = e->request;
  aio__json_writer *w = &e->w;
  if (r->wishes.schema.n == 0) return;
  aio__jw_key(w, "response_format");
  aio__jw_object(w);
  aio__jw_kz(w, "type", flags & AIO__OPENAI_NO_SCHEMA ? "json_object" : "json_schema");
  if (flags & AIO__OPENAI_NO_SCHEMA) {
    aio__enc_cannot(e, "this server takes no schema: JSON is asked for, of any form");
  } else {
    aio__jw_key(w, "json_schema");
    aio__jw_object(w);
    aio__jw_kstr(w, "name", r->wishes.schema_name.n ? r->wishes.schema_name : AIO__LIT("answer"));
    aio__jw_key(w, "schema");
    aio__enc_json_object(e, r->wishes.schema, "the schema of the answer", (aio__str){"", 0});
    aio__jw_kbool(w, "strict", true);
    aio__jw_object_end(w);
  }
  aio__jw_object_end(w);
}

static void put_effort(aio__encoder *e, unsigned flags) {
  const char *effort = aio__enc_effort_name(e->request->wishes.effort);
  if (effort[0] == '\0' || aio__enc_drops(e, "effort", aio__str_z(effort))) return;
  if (!(flags & AIO__OPENAI_EFFORT_OBJECT)) {
    aio__jw_kz(&e->w, "reasoning_effort", effort);
    return;
  }
  aio__jw_key(&e->w, "reasoning");
  aio__jw_object(&e->w);
  aio__jw_kz(&e->w, "effort", effort);
  aio__jw_object_end(&e->w);
}

static void put_stops(aio__encoder *e, int most) {
  const aio__codec_request *r = e->request;
  size_t n = r->wishes.stop_count;
  if (n == 0 || aio__enc_drops(e, "stop", r->wishes.stops[0])) return;
  if (most > 0 && n > (size_t)most) {
    aio__enc_cannot(e, "stop sequences past the fourth (DeepSeek: sixteenth) were left out: the service takes no more");
    n = (size_t)most;
  }
  aio__enc_strings(e, "stop", r->wishes.stops, n);
}

static void write_request(aio__encoder *e) {
  const aio__codec_request *r = e->request;
  const aio__codec_target *t = e->target;
  const aio__openai_server *server = aio__openai_server_find(t->server, t->base_url);
  if (!server) {
    aio__enc_fail(e, AIORCH_E_CONFIG, "\"%.*s\" is no server that is known; leave it empty to go by the base URL", (int)t->server.n,
                  t->server.p);
    return;
  }
  aio__codec here = *e->codec; /* the server's own address, where none was given */
  if (server->base_url) here.base_url = server->base_url;
  else if (t->base_url.n == 0) aio__enc_fail(e, AIORCH_E_CONFIG, "the server \"%s\" needs a base URL", server->name);
  const aio__codec *codec = e->codec;
  e->codec = &here;
  aio__enc_url(e, AIO__LIT("/chat/completions"));
  e->codec = codec;
  e->rules = aio__str_z(server->name);
  if (server->flags & AIO__OPENAI_API_KEY_HEADER) aio__enc_key(e, "api-key", "");
  else aio__enc_key(e, "authorization", "Bearer ");
  aio__jw_kstr(&e->w, "model", r->model);
  put_messages(e, server->flags);
  put_tools(e);
  put_schema(e, server->flags);
  if (r->max_tokens > 0) {
    aio__jw_ki64(&e->w, server->flags & AIO__OPENAI_MAX_TOKENS ? "max_tokens" : "max_completion_tokens", r->max_tokens);
  }
  aio__enc_temperature(e, "temperature");
  put_stops(e, server->stops_max);
  put_effort(e, server->flags);
  if (!r->stream) return;
  aio__jw_kbool(&e->w, "stream", true);
  if (server->flags & AIO__OPENAI_NO_STREAM_OPTIONS) return;
  aio__jw_key(&e->w, "stream_options");
  aio__jw_object(&e->w);
  aio__jw_kbool(&e->w, "include_usage", true);
  aio__jw_object_end(&e->w);
}

const aio__codec aio__codec_openai = {
    .name = "openai",
    .base_url = "https://api.openai.com/v1",
    .stream_framing = AIO__WIRE_SSE,
    .write = write_request,
    .whole = aio__openai_whole,
    .event = aio__openai_event,
    .mark = aio__openai_mark,
    .fail = aio__openai_fail,
};
