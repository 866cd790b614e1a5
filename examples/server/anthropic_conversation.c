/* See anthropic_messages.h. The conversation: blocks of text, pictures, tools and their results, thoughts. */
#include "anthropic_messages.h"

#include <string.h>


static const member_spec MESSAGE[] = {{"role", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}, {"content", MEMBER_TAKEN, BODY_NULL, NULL, NULL}};
/* Of all kinds of blocks together: each takes what is its own. */
static const member_spec BLOCK[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                    {"text", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                    {"source", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
                                    {"id", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                    {"name", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                    {"input", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
                                    {"signature", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                    {"tool_use_id", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                    {"content", MEMBER_TAKEN, BODY_NULL, NULL, NULL},
                                    {"is_error", MEMBER_TAKEN, BODY_BOOL, NULL, NULL},
                                    {"thinking", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                    {"data", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                    {"cache_control", MEMBER_TAKEN, BODY_OBJECT, NULL, NULL},
                                    {"citations", MEMBER_IGNORED, BODY_NULL, "[]", NULL}};
static const member_spec SOURCE[] = {{"type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                     {"media_type", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                     {"data", MEMBER_TAKEN, BODY_TEXT, NULL, NULL},
                                     {"url", MEMBER_TAKEN, BODY_TEXT, NULL, NULL}};

/* One message of theirs is one or several of ours: each result of a tool is a message of its own. */
typedef struct writing {
  making *m;
  int32_t role;
  bool begun; /* a message of `role` is the last one, so that parts can be added to it */
} writing;

static bool begin_message(writing *w, const char *text, size_t len) {
  w->begun = true;
  return making_check(w->m, aiorch_run_add_message(w->m->x->run, w->role, text, len), "content");
}

static bool add_text(writing *w, const char *text, size_t len) {
  if (!w->begun) return begin_message(w, text, len);
  return making_check(w->m, aiorch_run_add_text(w->m->x->run, text, len), "text");
}

static bool add_text_block(writing *w, const body_node *block) {
  const body_node *text = body_get_text(block, "text");
  if (!text) return making_refuse(w->m, "text", "a block of text has a text");
  return add_text(w, text->text, text->len);
}

static bool add_picture(making *m, const body_node *block) {
  const body_node *source = body_get(block, "source"), *type = body_get(source, "type");
  const body_node *media = body_get_text(source, "media_type"), *data = body_get_text(source, "data"), *url = body_get_text(source, "url");
  if (source && !making_parts(m, source, "messages[].content[].source", SPECS(SOURCE))) return false;
  if (body_is(type, "url") && url) return making_image_url(m, url->text, url->len);
  if (body_is(type, "base64") && media && data) return making_image_data(m, media->text, media->len, data->text, data->len);
  return making_refuse(m, "source", "must be {\"type\": \"base64\", \"media_type\", \"data\"} or {\"type\": \"url\", \"url\"}");
}

static bool add_picture_block(writing *w, const body_node *block) {
  if (w->role != AIORCH_ROLE_USER) return making_refuse(w->m, "type", "a picture stands in a message of the user");
  if (!w->begun && !begin_message(w, "", 0)) return false;
  return add_picture(w->m, block);
}

static bool add_call_block(writing *w, const body_node *block) {
  const body_node *input = body_get(block, "input"), *signature = body_get_text(block, "signature");
  if (w->role != AIORCH_ROLE_ASSISTANT) return making_refuse(w->m, "type", "a tool is used by the assistant");
  if (!w->begun && !begin_message(w, "", 0)) return false;
  if (!making_add_call(w->m, body_get(block, "id"), body_get(block, "name"), input ? input->raw : NULL, input ? input->raw_len : 0)) {
    return false;
  }
  return !signature || making_check(w->m, aiorch_run_add_signature(w->m->x->run, signature->text, signature->len), "signature");
}

/* The first text is the result's own; what follows are parts of it. */
static bool add_result_parts(making *m, const body_node *content, const body_node *lead) {
  for (const body_node *part = content->child; part; part = part->next) {
    const body_node *type = body_get(part, "type"), *words = body_get_text(part, "text");
    if (!making_parts(m, part, "messages[].content[].content[]", SPECS(BLOCK))) return false;
    if (body_is(type, "text") && words) {
      if (words != lead && !making_check(m, aiorch_run_add_text(m->x->run, words->text, words->len), "content")) return false;
    } else if (!body_is(type, "image")) {
      return making_refuse(m, "content", "of a result must be a text, or a list of texts and pictures");
    } else if (!add_picture(m, part)) {
      return false;
    }
    if (!making_cache(m, body_get(part, "cache_control"), AIORCH_ROLE_TOOL, "cache_control")) return false;
  }
  return true;
}

static bool add_result_block(writing *w, const body_node *block) {
  const body_node *content = body_get(block, "content"), *failed = body_get(block, "is_error");
  const making_call *call;
  if (w->role != AIORCH_ROLE_USER) return making_refuse(w->m, "type", "a tool's result stands in a message of the user");
  if (!making_find_call(w->m, body_get(block, "tool_use_id"), &call)) return false;
  bool list = content && content->type == BODY_ARRAY;
  if (content && !list && content->type != BODY_TEXT) return making_refuse(w->m, "content", "must be a text or a list of blocks");
  const body_node *first = list ? content->child : NULL;
  const body_node *lead = first && body_is(body_get(first, "type"), "text") ? body_get_text(first, "text") : list ? NULL : content;
  aiorch_status status =
      aiorch_run_add_tool_result(w->m->x->run, call->id, call->id_len, call->name, call->name_len, lead ? lead->text : NULL,
                                 lead ? lead->len : 0, failed && failed->truth);
  w->begun = false;
  return making_check(w->m, status, "content") && (!list || add_result_parts(w->m, content, lead));
}

static bool add_thought_block(writing *w, const body_node *block) {
  bool redacted = body_is(body_get(block, "type"), "redacted_thinking");
  const body_node *text = redacted ? NULL : body_get_text(block, "thinking");
  const body_node *signature = body_get_text(block, redacted ? "data" : "signature");
  if (w->role != AIORCH_ROLE_ASSISTANT) return making_refuse(w->m, "type", "thoughts are the assistant's");
  if (!w->begun && !begin_message(w, "", 0)) return false;
  return making_check(w->m, aiorch_run_add_reasoning(w->m->x->run, text ? text->text : NULL, text ? text->len : 0,
                                                     signature ? signature->text : NULL, signature ? signature->len : 0), "thinking");
}

static bool add_block(writing *w, const body_node *block) {
  static const struct {
    const char *type;
    bool (*add)(writing *w, const body_node *block);
  } kinds[] = {{"text", add_text_block},
               {"image", add_picture_block},
               {"tool_use", add_call_block},
               {"tool_result", add_result_block},
               {"thinking", add_thought_block},
               {"redacted_thinking", add_thought_block}};
  const body_node *type = body_get(block, "type");
  size_t i = 0, count = sizeof kinds / sizeof kinds[0];
  while (i < count && !body_is(type, kinds[i].type)) i++;
  if (i == count) {
    return making_refuse(w->m, "type", "must be text, image, tool_use, tool_result, thinking or redacted_thinking; others are not served here");
  }
  const char *place = w->role == AIORCH_ROLE_SYSTEM ? "system[]" : "messages[].content[]";
  if (!making_parts(w->m, block, place, SPECS(BLOCK)) || !kinds[i].add(w, block)) return false;
  return making_cache(w->m, body_get(block, "cache_control"), w->role, "cache_control");
}

static bool add_message(making *m, const body_node *message) {
  const body_node *role = body_get(message, "role"), *content = body_get(message, "content");
  writing w = {m, body_is(role, "user") ? AIORCH_ROLE_USER : AIORCH_ROLE_ASSISTANT, false};
  size_t i = 0;
  if (!making_parts(m, message, "messages[]", SPECS(MESSAGE))) return false;
  if (!body_is(role, "user") && !body_is(role, "assistant")) {
    return making_refuse(m, "role", "must be user or assistant; what the system says stands in \"system\"");
  }
  if (w.role == AIORCH_ROLE_ASSISTANT && making_is_blank(content)) {
    making_note_blank(m);
    return true;
  }
  if (content && content->type == BODY_TEXT) return begin_message(&w, content->text, content->len);
  if (!content || content->type != BODY_ARRAY || !content->child) return making_refuse(m, "content", "must be a text or a list of blocks");
  for (const body_node *block = content->child; block; block = block->next) {
    making_sub(m, "content", i++);
    if (!add_block(&w, block)) return false;
  }
  m->sub = NULL;
  return true;
}

bool anthropic_conversation(making *m, const body_node *messages) {
  if (!messages || messages->type != BODY_ARRAY || !messages->child) return making_refuse(m, "messages", "needed: a list of messages");
  return making_each(m, "messages", messages, add_message);
}

bool anthropic_system(making *m, const body_node *system) {
  writing w = {m, AIORCH_ROLE_SYSTEM, false};
  size_t i = 0;
  if (!system) return true;
  if (system->type == BODY_TEXT) return begin_message(&w, system->text, system->len);
  if (system->type != BODY_ARRAY) return making_refuse(m, "system", "must be a text or a list of blocks of text");
  for (const body_node *block = system->child; block; block = block->next) {
    making_at(m, "system", i++);
    if (!body_is(body_get(block, "type"), "text")) return making_refuse(m, "type", "must be \"text\"");
    if (!add_block(&w, block)) return false;
  }
  m->list = NULL;
  return true;
}
