/*
 * What was said in a conversation.
 */
#include "chat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  HISTORY_TOKENS = 16000,
  BYTES_A_TOKEN = 4,             /* near enough for a limit */
  PICTURE_TOKENS = 1500,         /* what a picture costs at most services */
  HISTORY_MAX_BYTES = 15 << 20   /* a run takes 16 MiB with its pictures */
};

void chat_keep(chat *ch, const char *question, size_t len, const aiorch_run *run) {
  const char *answer = "";
  size_t answer_len = 0;
  chat_turn turn = {.question = {0}};
  if (len > 0) { /* with an answer to results alone they wait for the next question */
    turn.pictures = ch->a.pictures;
    turn.picture_count = ch->a.picture_count;
    ch->a.pictures = NULL;
    ch->a.picture_count = 0;
  }
  aiorch_run_answer(run, &answer, &answer_len);
  cli_add(&turn.question, question, len);
  cli_add(&turn.answer, answer, answer_len);
  chat_take_calls(&turn, run);
  ch->turns = cli_grow(ch->turns, ch->turn_count + 1, sizeof *ch->turns);
  ch->turns[ch->turn_count++] = turn;
}

void chat_forget(chat *ch) {
  for (size_t i = 0; i < ch->turn_count; i++) {
    chat_turn *t = &ch->turns[i];
    for (size_t p = 0; p < t->picture_count; p++) picture_free(&t->pictures[p]);
    free(t->pictures);
    chat_free_calls(t);
    cli_release(&t->question);
    cli_release(&t->answer);
  }
  free(ch->turns);
  ch->turns = NULL;
  ch->turn_count = ch->first_sent = 0;
}

static size_t words_bytes(const chat_turn *t) {
  size_t bytes = t->question.len + t->answer.len;
  for (size_t i = 0; i < t->call_count; i++) bytes += strlen(t->calls[i].arguments) + strlen(chat_result(&t->calls[i]));
  for (size_t i = 0; i < t->thought_count; i++) bytes += strlen(t->thoughts[i].text) + strlen(t->thoughts[i].signature);
  return bytes;
}

static size_t turn_bytes(const chat_turn *t) {
  size_t bytes = words_bytes(t);
  for (size_t i = 0; i < t->picture_count; i++) bytes += t->pictures[i].data.len;
  return bytes;
}

static size_t turn_tokens(const chat_turn *t) { return words_bytes(t) / BYTES_A_TOKEN + t->picture_count * PICTURE_TOKENS + 1; }

/* Where the question stands that turn number `index` belongs to. */
static size_t question_of(const chat *ch, size_t index) {
  while (index > 0 && ch->turns[index].question.len == 0) index--;
  return index;
}

size_t chat_shorten(chat *ch, size_t next_bytes) {
  size_t tokens_max = ch->c->opt.history ? (size_t)ch->c->opt.history : HISTORY_TOKENS, tokens = 0, bytes = next_bytes;
  size_t first = ch->turn_count, before = ch->first_sent;
  while (first > before) { /* as many of the newest as there is room for */
    tokens += turn_tokens(&ch->turns[first - 1]);
    bytes += turn_bytes(&ch->turns[first - 1]);
    if (tokens > tokens_max || bytes > HISTORY_MAX_BYTES) break;
    first--;
  }
  while (first < ch->turn_count && ch->turns[first].question.len == 0) first++;
  if (next_bytes == 0 && ch->turn_count > 0) {
    size_t under_way = question_of(ch, ch->turn_count - 1);
    if (first > under_way) first = under_way;
  }
  if (first < before) first = before;
  ch->first_sent = first;
  return first - before;
}

static aiorch_status add_turn(const chat_turn *t, aiorch_run *run) {
  aiorch_status status = AIORCH_OK;
  if (t->question.len > 0) status = aiorch_run_add_message(run, AIORCH_ROLE_USER, cli_z(&t->question), t->question.len);
  for (size_t p = 0; p < t->picture_count && status == AIORCH_OK; p++) status = picture_add(run, &t->pictures[p]);
  if (status == AIORCH_OK) status = chat_add_thoughts(t, run);
  if (status == AIORCH_OK && t->answer.len > 0) {
    status = t->thought_count > 0 ? aiorch_run_add_text(run, cli_z(&t->answer), t->answer.len)
                                  : aiorch_run_add_message(run, AIORCH_ROLE_ASSISTANT, cli_z(&t->answer), t->answer.len);
  }
  return status == AIORCH_OK ? chat_add_calls(t, run) : status;
}

aiorch_status chat_add_turns(const chat *ch, aiorch_run *run) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = ch->first_sent; i < ch->turn_count && status == AIORCH_OK; i++) status = add_turn(&ch->turns[i], run);
  return status;
}

/* ---- saving ---- */

static void write_parts(json_print *p, const chat_turn *t) {
  jp_open(p, '[');
  jp_open(p, '{');
  jp_kz(p, "type", "text");
  jp_key(p, "text");
  jp_str(p, cli_z(&t->question), t->question.len);
  jp_close(p, '}');
  for (size_t i = 0; i < t->picture_count; i++) {
    const picture *image = &t->pictures[i];
    jp_open(p, '{');
    jp_kz(p, "type", "image");
    if (image->media_type) jp_kz(p, "media_type", image->media_type);
    jp_kz(p, image->media_type ? "data" : "url", image->media_type ? cli_z(&image->data) : image->name);
    jp_close(p, '}');
  }
  jp_close(p, ']');
}

static void open_message(json_print *p, const char *role) {
  jp_open(p, '{');
  jp_kz(p, "role", role);
  jp_key(p, "content");
}

static void write_call(json_print *p, const chat_call *call) {
  jp_open(p, '{');
  jp_kz(p, "type", "tool_call");
  jp_kz(p, "id", call->id);
  jp_kz(p, "name", call->name);
  jp_kz(p, "arguments", call->arguments);
  if (*call->signature) jp_kz(p, "signature", call->signature);
  jp_close(p, '}');
}

static void write_result(json_print *p, const chat_call *call) {
  open_message(p, "tool");
  jp_open(p, '[');
  jp_open(p, '{');
  jp_kz(p, "type", "tool_result");
  jp_kz(p, "id", call->id);
  jp_kz(p, "name", call->name);
  jp_kz(p, "text", chat_result(call));
  if (!call->result) {
    jp_key(p, "is_error");
    jp_bool(p, true);
  }
  jp_close(p, '}');
  jp_close(p, ']');
  jp_close(p, '}');
}

static void write_thought(json_print *p, const chat_thought *thought) {
  jp_open(p, '{');
  jp_kz(p, "type", "reasoning");
  jp_kz(p, "text", thought->text);
  jp_kz(p, "signature", thought->signature);
  jp_close(p, '}');
}

static void write_answer(json_print *p, const chat_turn *t) {
  open_message(p, "assistant");
  if (t->call_count == 0) {
    jp_str(p, cli_z(&t->answer), t->answer.len);
  } else {
    jp_open(p, '[');
    for (size_t i = 0; i < t->thought_count; i++) write_thought(p, &t->thoughts[i]);
    if (t->answer.len > 0) {
      jp_open(p, '{');
      jp_kz(p, "type", "text");
      jp_key(p, "text");
      jp_str(p, cli_z(&t->answer), t->answer.len);
      jp_close(p, '}');
    }
    for (size_t i = 0; i < t->call_count; i++) write_call(p, &t->calls[i]);
    jp_close(p, ']');
  }
  jp_close(p, '}');
  for (size_t i = 0; i < t->call_count; i++) write_result(p, &t->calls[i]);
}

static void write_json(const chat *ch, json_print *p) {
  jp_open(p, '{');
  jp_key(p, "messages");
  jp_open(p, '[');
  if (ch->c->opt.system) {
    jp_open(p, '{');
    jp_kz(p, "role", "system");
    jp_kz(p, "content", ch->c->opt.system);
    jp_close(p, '}');
  }
  for (size_t i = 0; i < ch->turn_count; i++) {
    const chat_turn *t = &ch->turns[i];
    if (t->question.len > 0) {
      open_message(p, "user");
      if (t->picture_count) write_parts(p, t);
      else jp_str(p, cli_z(&t->question), t->question.len);
      jp_close(p, '}');
    }
    write_answer(p, t);
  }
  jp_close(p, ']');
  jp_close(p, '}');
  cli_addc(&p->out, '\n');
}

static void write_markdown(const chat *ch, cli_bytes *out) {
  if (ch->c->opt.system) cli_addf(out, "## System\n\n%s\n\n", ch->c->opt.system);
  for (size_t i = 0; i < ch->turn_count; i++) {
    const chat_turn *t = &ch->turns[i];
    if (t->question.len > 0) cli_addz(out, "## User\n\n");
    cli_add(out, cli_z(&t->question), t->question.len);
    for (size_t p = 0; p < t->picture_count; p++) cli_addf(out, "\n\n![](%s)", t->pictures[p].name);
    if (t->question.len > 0) cli_addz(out, "\n\n");
    cli_addz(out, "## Assistant\n\n");
    cli_add(out, cli_z(&t->answer), t->answer.len);
    if (t->answer.len > 0) cli_addz(out, "\n\n");
    for (size_t k = 0; k < t->call_count; k++) {
      cli_addf(out, "- calls `%s` `%s`: %s\n", t->calls[k].name, t->calls[k].arguments, chat_result(&t->calls[k]));
    }
    if (t->call_count > 0) cli_addz(out, "\n");
  }
}

static int write_new(const char *path, const cli_bytes *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), error = 0;
  if (fd < 0) return errno;
  for (size_t at = 0; at < text->len && !error;) {
    ssize_t wrote = write(fd, text->data + at, text->len - at);
    if (wrote < 0) error = errno == EINTR ? 0 : errno;
    else at += (size_t)wrote;
  }
  if (close(fd) != 0 && !error) error = errno;
  if (error) unlink(path);
  return error;
}

int chat_save(const chat *ch, const char *path) {
  json_print p = {0};
  size_t len = strlen(path);
  if (len > 5 && strcmp(path + len - 5, ".json") == 0) write_json(ch, &p);
  else write_markdown(ch, &p.out);
  int error = write_new(path, &p.out);
  cli_release(&p.out);
  return error;
}
