/* See openai_chat.h. The messages of a request: roles, parts, tool calls and their results. */
#include "openai_chat.h"

#include <string.h>

/* ---- what it may have ---- */


static const member_spec MESSAGE[] = {{"role", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                      {"content", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
                                      {"name", MEMBER_IGNORED, BODY_NULL, "\"\"", NULL}};
static const member_spec ASSISTANT[] = {{"role", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                        {"content", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
                                        {"refusal", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                        {"tool_calls", MEMBER_TAKEN, BODY_ARRAY, "[]", NULL},
                                        {"reasoning_content", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                        {"aiorch", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
                                        {"name", MEMBER_IGNORED, BODY_NULL, "\"\"", NULL},
                                        {"annotations", MEMBER_IGNORED, BODY_NULL, "[]", NULL},
                                        {"audio", MEMBER_REFUSED, BODY_NULL, NULL, "give its text"},
                                        {"function_call", MEMBER_REFUSED, BODY_NULL, NULL, "use \"tool_calls\""}};
static const member_spec RESULT[] = {{"role", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                     {"content", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
                                     {"tool_call_id", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                     {"name", MEMBER_IGNORED, BODY_NULL, "\"\"", NULL}};
static const member_spec PART[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},         {"text", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                   {"refusal", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},      {"image_url", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
                                   {"cache_control", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL}};
static const member_spec IMAGE[] = {{"url", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}, {"detail", MEMBER_IGNORED, BODY_TEXT, "\"auto\"", NULL}};
static const member_spec CALL[] = {{"id", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                   {"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                   {"function", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
                                   {"index", MEMBER_TAKEN, BODY_NUMBER, NULL, NULL}, /* of a stream, which some send back */
                                   {"extra_content", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL}};
static const member_spec FUNCTION[] = {{"name", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}, {"arguments", MEMBER_TAKEN, BODY_NULL, NULL, NULL}};

/* ---- content ---- */

typedef struct content_rules {
  int32_t role;
  bool pictures;
} content_rules;

/* Text: the message's own when it has none yet, else a further part. */
typedef struct writing {
  making *m;
  bool begun;
} writing;

static bool begin_message(writing *w, int32_t role, const char *text, size_t len) {
  w->begun = true;
  return making_check(w->m, aiorch_run_add_message(w->m->x->run, role, text, len), "content");
}

static bool add_text(writing *w, int32_t role, const body_node *text) {
  if (!text) return making_refuse(w->m, "text", "a part of text has a text");
  if (!w->begun) return begin_message(w, role, text->text, text->len);
  return making_check(w->m, aiorch_run_add_text(w->m->x->run, text->text, text->len), "text");
}

static bool add_picture(writing *w, const content_rules *rules, const body_node *part) {
  const body_node *image = body_get(part, "image_url"), *url = image && image->type == BODY_TEXT ? image : body_get_text(image, "url");
  if (!rules->pictures) return making_refuse(w->m, "type", "a picture stands in a message of the user or of a tool");
  if (image && image->type == BODY_OBJECT && !making_parts(w->m, image, "messages[].content[].image_url", SPECS(IMAGE))) return false;
  if (!url) return making_refuse(w->m, "image_url", "must be {\"url\": \"https://...\"} or a data: URL with base64");
  if (!w->begun && !begin_message(w, rules->role, "", 0)) return false;
  return making_image_url(w->m, url->text, url->len);
}

static bool add_part(writing *w, const content_rules *rules, const body_node *part) {
  const body_node *type = body_get(part, "type");
  bool good;
  if (!making_parts(w->m, part, "messages[].content[]", SPECS(PART))) return false;
  if (body_is(type, "text")) {
    good = add_text(w, rules->role, body_get_text(part, "text"));
  } else if (body_is(type, "image_url")) {
    good = add_picture(w, rules, part);
  } else if (body_is(type, "refusal") && rules->role == AIORCH_ROLE_ASSISTANT) {
    good = add_text(w, rules->role, body_get_text(part, "refusal"));
  } else {
    return making_refuse(w->m, "type", "must be \"text\" or \"image_url\"; other parts are not served here");
  }
  return good && making_cache(w->m, body_get(part, "cache_control"), rules->role, "cache_control");
}

static bool add_parts(writing *w, const content_rules *rules, const body_node *parts) {
  size_t i = 0;
  for (const body_node *part = parts->child; part; part = part->next) {
    making_sub(w->m, "content", i++);
    if (!add_part(w, rules, part)) return false;
  }
  w->m->sub = NULL;
  return true;
}

static bool add_content(writing *w, const content_rules *rules, const body_node *content) {
  if (content && content->type == BODY_TEXT) {
    if (!w->begun) return begin_message(w, rules->role, content->text, content->len);
    return content->len == 0 || making_check(w->m, aiorch_run_add_text(w->m->x->run, content->text, content->len), "content");
  }
  if (!content || content->type != BODY_ARRAY) return making_refuse(w->m, "content", "must be a text or a list of parts");
  return add_parts(w, rules, content);
}

/* ---- roles ---- */

static bool add_plain(making *m, const body_node *message, int32_t role) {
  writing w = {m, false};
  content_rules rules = {role, role == AIORCH_ROLE_USER};
  if (!making_parts(m, message, "messages[]", SPECS(MESSAGE))) return false;
  if (!add_content(&w, &rules, body_get(message, "content"))) return false;
  return w.begun || making_refuse(m, "content", "a list without a part");
}

/* OpenAI takes any text for what a model once wrote, and agents send that back as it was; other providers want an object. */
static bool add_written_call(making *m, const body_node *id, const body_node *name, const body_node *arguments) {
  json_print p = {0};
  if (!exchange_arguments(&p, arguments->text, arguments->len)) {
    making_note(m, "the arguments of a tool call are no JSON object: they are sent as {\"INVALID_JSON\": \"...\"}");
  }
  bool good = making_add_call(m, id, name, cli_z(&p.out), p.out.len);
  cli_release(&p.out);
  return good;
}

static bool add_tool_call(making *m, const body_node *call) {
  const body_node *f = body_get(call, "function"), *arguments = body_get(f, "arguments");
  if (!making_parts(m, call, "messages[].tool_calls[]", SPECS(CALL))) return false;
  if (body_get(call, "type") && !body_is(body_get(call, "type"), "function")) {
    return making_refuse(m, "type", "must be \"function\"; other calls are not served here");
  }
  if (!f || !making_parts(m, f, "messages[].tool_calls[].function", SPECS(FUNCTION))) return f ? false : making_refuse(m, "function", "needed");
  bool text = arguments && arguments->type == BODY_TEXT, object = arguments && arguments->type == BODY_OBJECT;
  if (arguments && !text && !object) return making_refuse(m, "function.arguments", "must be a text that holds a JSON object");
  const body_node *id = body_get(call, "id"), *name = body_get(f, "name");
  bool added = text && arguments->len > 0 ? add_written_call(m, id, name, arguments)
                                          : making_add_call(m, id, name, object ? arguments->raw : NULL, object ? arguments->raw_len : 0);
  if (!added) return false;
  const body_node *signature = body_get_text(body_get(body_get(call, "extra_content"), "google"), "thought_signature");
  return !signature || making_check(m, aiorch_run_add_signature(m->x->run, signature->text, signature->len), "extra_content");
}

/* What came as aiorch.reasoning, with its signatures, or as plain text. */
static bool add_reasoning(making *m, const body_node *message) {
  const body_node *pieces = body_get(body_get(message, "aiorch"), "reasoning"), *plain = body_get_text(message, "reasoning_content");
  if (!pieces || pieces->type != BODY_ARRAY) {
    if (!plain || plain->len == 0) return true;
    return making_check(m, aiorch_run_add_reasoning(m->x->run, plain->text, plain->len, NULL, 0), "reasoning_content");
  }
  for (const body_node *piece = pieces->child; piece; piece = piece->next) {
    const body_node *text = body_get_text(piece, "text"), *signature = body_get_text(piece, "signature");
    aiorch_status status = aiorch_run_add_reasoning(m->x->run, text ? text->text : NULL, text ? text->len : 0,
                                                    signature ? signature->text : NULL, signature ? signature->len : 0);
    if (!making_check(m, status, "aiorch.reasoning")) return false;
  }
  return true;
}

static bool add_assistant(making *m, const body_node *message) {
  const body_node *content = body_get(message, "content"), *calls = body_get(message, "tool_calls"), *refusal = body_get_text(message, "refusal");
  writing w = {m, false};
  content_rules rules = {AIORCH_ROLE_ASSISTANT, false};
  size_t i = 0;
  if (!making_parts(m, message, "messages[]", SPECS(ASSISTANT))) return false;
  bool thinks = body_get(message, "reasoning_content") || body_get(message, "aiorch");
  if (making_is_blank(content) && !(calls && calls->child) && !refusal && !thinks) {
    making_note_blank(m);
    return true;
  }
  if (content && !add_content(&w, &rules, content)) return false;
  if (!w.begun && refusal && !add_text(&w, AIORCH_ROLE_ASSISTANT, refusal)) return false;
  if (!w.begun && (!calls || !calls->child)) return making_refuse(m, "content", "needed, or \"tool_calls\"");
  if (!w.begun && !begin_message(&w, AIORCH_ROLE_ASSISTANT, "", 0)) return false;
  if (!add_reasoning(m, message)) return false;
  for (const body_node *call = calls ? calls->child : NULL; call; call = call->next) {
    making_sub(m, "tool_calls", i++);
    if (!add_tool_call(m, call)) return false;
  }
  return true;
}

static bool add_tool_result(making *m, const body_node *message) {
  const body_node *content = body_get(message, "content");
  const making_call *call;
  if (!making_parts(m, message, "messages[]", SPECS(RESULT))) return false;
  if (!making_find_call(m, body_get(message, "tool_call_id"), &call)) return false;
  bool text = content && content->type == BODY_TEXT;
  writing w = {m, true};
  content_rules rules = {AIORCH_ROLE_TOOL, true};
  if (!text && (!content || content->type != BODY_ARRAY)) return making_refuse(m, "content", "must be a text or a list of parts");
  const body_node *first = text ? NULL : content->child;
  const body_node *lead = first && body_is(body_get(first, "type"), "text") ? body_get_text(first, "text") : NULL;
  const char *words = text ? content->text : lead ? lead->text : NULL;
  size_t words_len = text ? content->len : lead ? lead->len : 0;
  if (!making_check(m, aiorch_run_add_tool_result(m->x->run, call->id, call->id_len, call->name, call->name_len, words, words_len, 0),
                    "content")) {
    return false;
  }
  making_sub(m, lead ? "content" : NULL, 0);
  if (lead && !(making_parts(m, first, "messages[].content[]", SPECS(PART)) &&
                making_cache(m, body_get(first, "cache_control"), AIORCH_ROLE_TOOL, "cache_control"))) {
    return false;
  }
  size_t i = lead ? 1 : 0;
  for (const body_node *part = lead ? first->next : first; part; part = part->next) {
    making_sub(m, "content", i++);
    if (!add_part(&w, &rules, part)) return false;
  }
  return true;
}

/* The system text is one, and stands first. */
static void note_moved(making *m) {
  if (m->others) making_note(m, "a message of the system that comes after others is put before them, behind the first of its kind");
}

static bool add_message(making *m, const body_node *message) {
  const body_node *role = body_get(message, "role");
  if (body_is(role, "system") || body_is(role, "developer")) {
    note_moved(m);
    return add_plain(m, message, AIORCH_ROLE_SYSTEM);
  }
  m->others = true;
  if (body_is(role, "user")) return add_plain(m, message, AIORCH_ROLE_USER);
  if (body_is(role, "assistant")) return add_assistant(m, message);
  if (body_is(role, "tool")) return add_tool_result(m, message);
  return making_refuse(m, "role", "must be system, developer, user, assistant or tool");
}

bool openai_chat_messages(making *m, const body_node *messages) {
  if (!messages || messages->type != BODY_ARRAY || !messages->child) return making_refuse(m, "messages", "needed: a list of messages");
  return making_each(m, "messages", messages, add_message);
}
