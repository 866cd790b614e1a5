/* Filling a run with what is no plain text. Each text is checked here, so that what is wrong is said where it was given, and no
 * provider is asked with it. */
#include "pipeline/run_content.h"

#include <aiorch/content.h>

#include <string.h>

#include "text/json_scan.h"
#include "text/tokens.h"

enum { IMAGE_TOKENS = 1000 /* by the estimate; services count 85 to some 1,600 */, PARTS_FIRST = 4 };

/* ---- checks ---- */

static aiorch_status may_add(aiorch_run *run) {
  if (run->phase == AIO__RUN_NEW) return AIORCH_OK;
  return aio__run_refuse(run, AIORCH_E_STATE, "the run has begun: what it asks is said before its first step");
}

static aiorch_status no_room(aiorch_run *run) {
  return aio__run_refuse(run, AIORCH_E_NOMEM, "out of memory for what is asked");
}

static aiorch_status check_utf8(aiorch_run *run, aio__str text, const char *what) {
  size_t bad = aio__utf8_check(text, NULL);
  const char *nul = text.n ? memchr(text.p, '\0', text.n) : NULL;
  if (nul && (size_t)(nul - text.p) < bad) bad = (size_t)(nul - text.p);
  if (bad == text.n) return AIORCH_OK;
  return aio__run_refuse(run, AIORCH_E_INVALID, "%s has a NUL or is not UTF-8 at byte %zu", what, bad);
}

static aiorch_status check_bytes(aiorch_run *run, size_t bytes) {
  if (bytes <= AIO__MESSAGE_BYTES_MAX - run->message_bytes) return AIORCH_OK;
  return aio__run_refuse(run, AIORCH_E_TOO_LARGE, "a run has at most %d bytes of messages, parts and tools", AIO__MESSAGE_BYTES_MAX);
}

static aiorch_status check_name(aiorch_run *run, aio__str name, const char *what) {
  bool good = name.n >= 1 && name.n <= AIO__TOOL_NAME_MAX;
  for (size_t i = 0; good && i < name.n; i++) {
    char c = name.p[i];
    good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  }
  if (good) return AIORCH_OK;
  return aio__run_refuse(run, AIORCH_E_INVALID, "%s must be 1 to %d of A-Z, a-z, 0-9, \"_\" and \"-\"", what, AIO__TOOL_NAME_MAX);
}

static aiorch_status check_id(aiorch_run *run, aio__str id) {
  if (id.n >= 1 && id.n <= AIO__TOOL_ID_MAX) return check_utf8(run, id, "the id of a tool call");
  return aio__run_refuse(run, AIORCH_E_INVALID, "the id of a tool call must have 1 to %d bytes", AIO__TOOL_ID_MAX);
}

static aiorch_status check_object(aiorch_run *run, aio__str json, const char *what) {
  const aio__json_limits limits = {.max_bytes = AIO__MESSAGE_BYTES_MAX,
                                   .max_depth = AIO__SCHEMA_DEPTH_MAX,
                                   .syntax_status = AIORCH_E_INVALID,
                                   .name = what};
  aiorch_error error;
  aio__error_init(&error);
  aiorch_status st = aio__json_scan(run->al, json, &limits, &error);
  if (st) return aio__run_refuse(run, st, "%s", error.message[0] ? error.message : aiorch_strerror(st));
  if (aio__str_trim(json).p[0] == '{') return AIORCH_OK;
  return aio__run_refuse(run, AIORCH_E_INVALID, "%s must be a JSON object", what);
}

static bool copy(aiorch_run *run, aio__str *text) {
  *text = text->n ? aio__arena_str(&run->arena, *text) : AIO__LIT("");
  return text->p != NULL;
}

/* ---- parts ---- */

bool aio__message_has_parts(const aio__message *message) { return message->part_count > 0; }

static size_t bytes_of(const aio__part *part) {
  return part->text.n + part->media_type.n + part->id.n + part->name.n + part->signature.n;
}

/* A message's parts begin with its own text. */
static aio__part *new_part(aiorch_run *run, aio__message *m) {
  aio__part *parts = aio__arena_grow(&run->arena, m->parts, m->part_count, &m->part_cap, PARTS_FIRST, sizeof *parts);
  if (!parts) return NULL;
  m->parts = parts;
  if (m->part_count == 0 && m->text.n > 0) {
    m->parts[m->part_count++] = (aio__part){.kind = AIO__PART_TEXT, .text = m->text};
    m->text_cap = 0; /* it stays as it is */
  }
  return &m->parts[m->part_count++];
}

static aiorch_status add_part(aiorch_run *run, aio__message *m, const aio__part *part) {
  aiorch_status st = check_bytes(run, bytes_of(part));
  if (st) return st;
  if (m->part_count + 1 >= AIO__PARTS_MAX) {
    return aio__run_refuse(run, AIORCH_E_TOO_LARGE, "a message has at most %d parts", AIO__PARTS_MAX);
  }
  aio__part own = *part;
  if (!copy(run, &own.text) || !copy(run, &own.media_type) || !copy(run, &own.id) || !copy(run, &own.name) ||
      !copy(run, &own.signature)) {
    return no_room(run);
  }
  aio__part *room = new_part(run, m);
  if (!room) return no_room(run);
  *room = own;
  run->message_bytes += bytes_of(part);
  return AIORCH_OK;
}

static aio__message *last_message(aiorch_run *run) {
  return run->message_count ? &run->messages[run->message_count - 1] : NULL;
}

/* The message's text is that of all its texts. Its room doubles, or many small ones would take the memory of all of them many times. */
static aiorch_status join_text(aiorch_run *run, aio__message *m, aio__str text) {
  size_t between = m->text.n ? 2 : 0, need = m->text.n + between + text.n;
  char *room;
  if (need < m->text_cap) {
    memcpy(&room, &m->text.p, sizeof room); /* the arena's, and this message's alone */
  } else {
    m->text_cap = 0;
    room = aio__arena_alloc(&run->arena, 2 * need + 1);
    if (!room) return no_room(run);
    if (m->text.n) memcpy(room, m->text.p, m->text.n);
    m->text_cap = 2 * need + 1;
  }
  memcpy(room + m->text.n, "\n\n", between);
  if (text.n) memcpy(room + m->text.n + between, text.p, text.n);
  room[need] = '\0';
  m->text = aio__str_n(room, need);
  return AIORCH_OK;
}

aiorch_status aio__run_add_text(aiorch_run *run, aio__str text) {
  aiorch_status st = may_add(run);
  if (st) return st;
  aio__message *m = last_message(run);
  if (!m) return aio__run_refuse(run, AIORCH_E_STATE, "there is no message to add text to");
  st = check_bytes(run, text.n);
  if (st || text.n == 0) return st;
  size_t before = m->part_count, bytes = run->message_bytes;
  if (before > 0) st = add_part(run, m, &(aio__part){.kind = AIO__PART_TEXT, .text = text});
  else run->message_bytes += text.n;
  if (st == AIORCH_OK) st = join_text(run, m, text);
  if (st) { /* nothing of it is left */
    m->part_count = before;
    run->message_bytes = bytes;
  }
  return st;
}

static aiorch_status image(aiorch_run *run, const aio__part *part) {
  aio__message *m = last_message(run);
  if (m && (m->role == AIORCH_ROLE_USER || m->role == AIORCH_ROLE_TOOL)) return add_part(run, m, part);
  return aio__run_refuse(run, AIORCH_E_STATE, "an image is added to the last message, which must be the user's or a tool's");
}

aiorch_status aio__run_add_image(aiorch_run *run, aio__str media_type, aio__str base64) {
  static const char *const types[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};
  aiorch_status st = may_add(run);
  if (st) return st;
  size_t i = 0, pad = 0;
  while (i < 4 && !aio__str_eqz(media_type, types[i])) i++;
  if (i == 4) {
    return aio__run_refuse(run, AIORCH_E_INVALID, "an image's media type is image/png, image/jpeg, image/gif or image/webp");
  }
  while (pad < 2 && pad < base64.n && base64.p[base64.n - 1 - pad] == '=') pad++;
  bool good = base64.n > 0 && base64.n % 4 == 0 && aio__str_base64(aio__str_n(base64.p, base64.n - pad));
  if (!good) return aio__run_refuse(run, AIORCH_E_INVALID, "an image must be base64 with padding and without line ends");
  return image(run, &(aio__part){.kind = AIO__PART_IMAGE, .text = base64, .media_type = media_type});
}

aiorch_status aio__run_add_image_url(aiorch_run *run, aio__str url) {
  aiorch_status st = may_add(run);
  if (st == AIORCH_OK) st = check_utf8(run, url, "the URL of an image");
  if (st) return st;
  bool data = aio__str_starts(url, AIO__LIT("data:"));
  bool known = data || aio__str_starts(url, AIO__LIT("https://")) || aio__str_starts(url, AIO__LIT("http://"));
  for (size_t i = 0; known && i < url.n; i++) known = (unsigned char)url.p[i] > ' ' && url.p[i] != 0x7f;
  if (!known) return aio__run_refuse(run, AIORCH_E_INVALID, "the URL of an image begins with https://, http:// or data: and has no white space");
  if (!data && url.n > AIO__IMAGE_URL_MAX) {
    return aio__run_refuse(run, AIORCH_E_TOO_LARGE, "the URL of an image has at most %d bytes", AIO__IMAGE_URL_MAX);
  }
  return image(run, &(aio__part){.kind = AIO__PART_IMAGE_URL, .text = url});
}

/* To the last message when it is the assistant's, else to a new one, of which nothing is left when that fails. */
static aiorch_status add_assistants(aiorch_run *run, const aio__part *part) {
  size_t before = run->message_count;
  aio__message *m = last_message(run);
  aiorch_status st = AIORCH_OK;
  if (!m || m->role != AIORCH_ROLE_ASSISTANT) st = aio__run_add_message(run, AIORCH_ROLE_ASSISTANT, AIO__LIT(""));
  if (st) return st;
  st = add_part(run, last_message(run), part);
  if (st) run->message_count = before;
  return st;
}

aiorch_status aio__run_add_tool_call(aiorch_run *run, aio__str id, aio__str name, aio__str arguments) {
  aiorch_status st = may_add(run);
  if (st == AIORCH_OK) st = check_id(run, id);
  if (st == AIORCH_OK) st = check_name(run, name, "the name of a tool");
  if (st == AIORCH_OK && arguments.n > 0) st = check_object(run, arguments, "the arguments of a tool call");
  if (st) return st;
  return add_assistants(run, &(aio__part){.kind = AIO__PART_TOOL_CALL, .id = id, .name = name, .text = arguments});
}

aiorch_status aio__run_add_tool_result(aiorch_run *run, aio__str id, aio__str name, aio__str text, bool is_error) {
  aiorch_status st = may_add(run);
  if (st == AIORCH_OK) st = check_id(run, id);
  if (st == AIORCH_OK) st = check_name(run, name, "the name of a tool");
  if (st == AIORCH_OK) st = check_bytes(run, id.n + name.n + 2 * text.n);
  if (st) return st;
  if (!copy(run, &id) || !copy(run, &name)) return no_room(run);
  st = aio__run_add_message(run, AIORCH_ROLE_TOOL, text);
  if (st) return st;
  aio__message *m = last_message(run);
  if (!new_part(run, m)) {
    run->message_count--;
    run->message_bytes -= text.n;
    return no_room(run);
  }
  /* The message's text is the result: it is no part of its own. */
  m->parts[0] = (aio__part){.kind = AIO__PART_TOOL_RESULT, .id = id, .name = name, .text = m->text, .is_error = is_error};
  m->part_count = 1;
  run->message_bytes += id.n + name.n;
  return AIORCH_OK;
}

aiorch_status aio__run_add_reasoning(aiorch_run *run, aio__str text, aio__str signature) {
  aiorch_status st = may_add(run);
  if (st == AIORCH_OK) st = check_utf8(run, text, "reasoning");
  if (st == AIORCH_OK) st = check_utf8(run, signature, "the signature of reasoning");
  if (st == AIORCH_OK && text.n + signature.n == 0) {
    st = aio__run_refuse(run, AIORCH_E_INVALID, "reasoning has a text, a signature, or both");
  }
  if (st) return st;
  return add_assistants(run, &(aio__part){.kind = AIO__PART_REASONING, .text = text, .signature = signature, .redacted = text.n == 0});
}

aiorch_status aio__run_add_signature(aiorch_run *run, aio__str signature) {
  aiorch_status st = may_add(run);
  if (st == AIORCH_OK) st = check_utf8(run, signature, "the signature of a tool call");
  if (st == AIORCH_OK) st = check_bytes(run, signature.n);
  if (st) return st;
  aio__message *m = last_message(run);
  aio__part *part = m && m->part_count ? &m->parts[m->part_count - 1] : NULL;
  if (!part || part->kind != AIO__PART_TOOL_CALL) {
    return aio__run_refuse(run, AIORCH_E_STATE, "a signature is given right after its tool call");
  }
  if (!copy(run, &signature)) return no_room(run);
  part->signature = signature;
  run->message_bytes += signature.n;
  return AIORCH_OK;
}

aiorch_status aio__run_add_cache_marker(aiorch_run *run) {
  aiorch_status st = may_add(run);
  if (st) return st;
  aio__message *m = last_message(run);
  bool empty = !m || m->role == AIORCH_ROLE_SYSTEM || (m->part_count == 0 && m->text.n == 0);
  if (empty) {
    return aio__run_refuse(run, AIORCH_E_STATE, "a cache marker is added to the last message, which must have a text or a part; "
                                                "\"generate.cache_prompt\" marks the system text");
  }
  if (m->part_count == 0) {
    if (!new_part(run, m)) return no_room(run);
    m->part_count = 1; /* the text alone */
  }
  m->parts[m->part_count - 1].cache = true;
  return AIORCH_OK;
}

/* ---- tools, schema, stops ---- */

static bool offered(const aiorch_run *run, aio__str name) {
  for (size_t i = 0; i < run->tool_count; i++) {
    if (aio__str_eq(run->tools[i].name, name)) return true;
  }
  return false;
}

aiorch_status aio__run_add_tool(aiorch_run *run, aio__str name, aio__str description, aio__str schema) {
  aiorch_status st = may_add(run);
  if (st == AIORCH_OK) st = check_name(run, name, "the name of a tool");
  if (st == AIORCH_OK && offered(run, name)) {
    st = aio__run_refuse(run, AIORCH_E_INVALID, "the tool \"%.*s\" is offered twice", (int)name.n, name.p);
  }
  if (st == AIORCH_OK) st = check_utf8(run, description, "the description of a tool");
  if (st == AIORCH_OK && schema.n > 0) st = check_object(run, schema, "the schema of a tool");
  if (st == AIORCH_OK && run->tool_count >= AIO__TOOLS_MAX) {
    st = aio__run_refuse(run, AIORCH_E_TOO_LARGE, "a run offers at most %d tools", AIO__TOOLS_MAX);
  }
  if (st == AIORCH_OK) st = check_bytes(run, name.n + description.n + schema.n);
  if (st) return st;
  if (!run->tools) run->tools = aio__arena_alloc(&run->arena, AIO__TOOLS_MAX * sizeof *run->tools);
  aio__tool tool = {.name = name, .description = description, .schema = schema};
  if (!run->tools || !copy(run, &tool.name) || !copy(run, &tool.description) || !copy(run, &tool.schema)) return no_room(run);
  run->tools[run->tool_count++] = tool;
  run->message_bytes += name.n + description.n + schema.n;
  return AIORCH_OK;
}

aiorch_status aio__run_set_tool_choice(aiorch_run *run, int32_t choice, aio__str name) {
  aiorch_status st = may_add(run);
  if (st) return st;
  if (choice < AIORCH_TOOLS_DEFAULT || choice > AIORCH_TOOLS_ONE) {
    return aio__run_refuse(run, AIORCH_E_INVALID, "a choice of tools is AIORCH_TOOLS_DEFAULT to _ONE, not %d", (int)choice);
  }
  if (choice != AIORCH_TOOLS_ONE) name = AIO__LIT("");
  if (choice == AIORCH_TOOLS_ONE && !offered(run, name)) {
    return aio__run_refuse(run, AIORCH_E_INVALID, "the tool to be called must be offered first");
  }
  if (!copy(run, &name)) return no_room(run);
  run->wishes.tool_choice = (aio__tool_choice)choice;
  run->wishes.tool_name = name;
  return AIORCH_OK;
}

aiorch_status aio__run_set_schema(aiorch_run *run, aio__str schema, aio__str name) {
  aiorch_status st = may_add(run);
  if (st == AIORCH_OK) st = check_object(run, schema, "the schema of the answer");
  if (st == AIORCH_OK && name.n > 0) st = check_name(run, name, "the name of a schema");
  if (st == AIORCH_OK) st = check_bytes(run, schema.n + name.n);
  if (st) return st;
  size_t bytes = schema.n + name.n;
  if (!copy(run, &schema) || !copy(run, &name)) return no_room(run);
  run->wishes.schema = schema;
  run->wishes.schema_name = name;
  run->message_bytes += bytes;
  return AIORCH_OK;
}

aiorch_status aio__run_add_stop(aiorch_run *run, aio__str text) {
  aiorch_status st = may_add(run);
  if (st == AIORCH_OK) st = check_utf8(run, text, "a stop sequence");
  if (st) return st;
  if (text.n < 1 || text.n > AIO__STOP_BYTES_MAX) {
    return aio__run_refuse(run, AIORCH_E_INVALID, "a stop sequence has 1 to %d bytes", AIO__STOP_BYTES_MAX);
  }
  if (run->stop_count >= AIO__STOPS_MAX) {
    return aio__run_refuse(run, AIORCH_E_TOO_LARGE, "a run has at most %d stop sequences", AIO__STOPS_MAX);
  }
  if (!run->stops) run->stops = aio__arena_alloc(&run->arena, AIO__STOPS_MAX * sizeof *run->stops);
  if (!run->stops || !copy(run, &text)) return no_room(run);
  run->stops[run->stop_count++] = text;
  return AIORCH_OK;
}

/* ---- for the stages ---- */

static aio__effort effort_of(const char *name) {
  static const char *const names[] = {"default", "none", "minimal", "low", "medium", "high", "xhigh", "max"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(name, names[i]) == 0) return (aio__effort)i;
  }
  return AIO__EFFORT_DEFAULT;
}

void aio__run_wishes(const aiorch_run *run, aio__wishes *out) {
  const aio__options *o = run->options;
  *out = run->wishes;
  out->tools = run->tools;
  out->tool_count = run->tool_count;
  out->stops = run->stops;
  out->stop_count = run->stop_count;
  out->effort = effort_of(o->generate_effort);
  out->one_tool_at_a_time = !o->generate_parallel_tools;
  out->cache_system = strcmp(o->generate_cache_prompt, "off") != 0;
  out->cache_long = strcmp(o->generate_cache_prompt, "1h") == 0;
}

static void digest_part(aio__sha256 *h, const aio__part *part) {
  aio__sha256_u64(h, (uint64_t)part->kind << 1 | (part->is_error ? 1u : 0u));
  aio__sha256_str(h, part->text);
  aio__sha256_str(h, part->media_type);
  aio__sha256_str(h, part->id);
  aio__sha256_str(h, part->name);
  aio__sha256_str(h, part->signature);
}

/* The question's own text stays out of it: it is the key. */
static void digest_parts(aio__sha256 *h, const aiorch_run *run, size_t index) {
  const aio__message *m = &run->messages[index];
  aio__sha256_u64(h, index);
  aio__sha256_u64(h, m->part_count);
  for (size_t i = 0; i < m->part_count; i++) {
    if (index == run->question && m->parts[i].kind == AIO__PART_TEXT) aio__sha256_u64(h, i);
    else digest_part(h, &m->parts[i]);
  }
}

void aio__run_content_digest(const aiorch_run *run, aio__sha256 *h) {
  aio__wishes w;
  aio__run_wishes(run, &w);
  bool plain = w.tool_count == 0 && w.schema.n == 0 && w.stop_count == 0 && w.effort == AIO__EFFORT_DEFAULT;
  for (size_t i = 0; i < run->message_count; i++) plain = plain && !aio__message_has_parts(&run->messages[i]);
  if (plain) return; /* so that entries of plain questions outlive this part of the library */
  aio__sha256_str(h, AIO__LIT("content"));
  for (size_t i = 0; i < run->message_count; i++) {
    if (aio__message_has_parts(&run->messages[i])) digest_parts(h, run, i);
  }
  aio__sha256_u64(h, w.tool_count);
  for (size_t i = 0; i < w.tool_count; i++) {
    aio__sha256_str(h, w.tools[i].name);
    aio__sha256_str(h, w.tools[i].description);
    aio__sha256_str(h, w.tools[i].schema);
  }
  aio__sha256_u64(h, (uint64_t)w.tool_choice << 1 | (w.one_tool_at_a_time ? 1u : 0u));
  aio__sha256_str(h, w.tool_name);
  aio__sha256_str(h, w.schema);
  aio__sha256_str(h, w.schema_name);
  aio__sha256_u64(h, w.stop_count);
  for (size_t i = 0; i < w.stop_count; i++) aio__sha256_str(h, w.stops[i]);
  aio__sha256_u64(h, (uint64_t)w.effort);
}

size_t aio__run_content_tokens(const aiorch_run *run) {
  size_t tokens = aio__tokens_estimate(run->wishes.schema);
  for (size_t i = 0; i < run->message_count; i++) {
    const aio__message *m = &run->messages[i];
    for (size_t k = 0; k < m->part_count; k++) {
      const aio__part *part = &m->parts[k];
      if (part->kind == AIO__PART_IMAGE || part->kind == AIO__PART_IMAGE_URL) tokens += IMAGE_TOKENS;
      else if (part->kind == AIO__PART_TOOL_CALL || part->kind == AIO__PART_REASONING) tokens += aio__tokens_estimate(part->text) + 8;
    }
  }
  for (size_t i = 0; i < run->tool_count; i++) {
    const aio__tool *tool = &run->tools[i];
    tokens += aio__tokens_estimate(tool->name) + aio__tokens_estimate(tool->description) + aio__tokens_estimate(tool->schema) + 8;
  }
  return tokens;
}
