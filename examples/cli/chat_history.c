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

void chat_keep(chat *ch, const char *question, size_t len, const char *answer, size_t answer_len) {
  chat_turn turn = {.pictures = ch->a.pictures, .picture_count = ch->a.picture_count};
  cli_add(&turn.question, question, len);
  cli_add(&turn.answer, answer, answer_len);
  ch->a.pictures = NULL;
  ch->a.picture_count = 0;
  ch->turns = cli_grow(ch->turns, ch->turn_count + 1, sizeof *ch->turns);
  ch->turns[ch->turn_count++] = turn;
}

void chat_forget(chat *ch) {
  for (size_t i = 0; i < ch->turn_count; i++) {
    chat_turn *t = &ch->turns[i];
    for (size_t p = 0; p < t->picture_count; p++) picture_free(&t->pictures[p]);
    free(t->pictures);
    cli_release(&t->question);
    cli_release(&t->answer);
  }
  free(ch->turns);
  ch->turns = NULL;
  ch->turn_count = ch->first_sent = 0;
}

static size_t turn_bytes(const chat_turn *t) {
  size_t bytes = t->question.len + t->answer.len;
  for (size_t i = 0; i < t->picture_count; i++) bytes += t->pictures[i].data.len;
  return bytes;
}

static size_t turn_tokens(const chat_turn *t) {
  return (t->question.len + t->answer.len) / BYTES_A_TOKEN + t->picture_count * PICTURE_TOKENS + 1;
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
  ch->first_sent = first;
  return first - before;
}

aiorch_status chat_add_turns(const chat *ch, aiorch_run *run) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = ch->first_sent; i < ch->turn_count && status == AIORCH_OK; i++) {
    const chat_turn *t = &ch->turns[i];
    status = aiorch_run_add_message(run, AIORCH_ROLE_USER, cli_z(&t->question), t->question.len);
    for (size_t p = 0; p < t->picture_count && status == AIORCH_OK; p++) status = picture_add(run, &t->pictures[p]);
    if (status == AIORCH_OK) status = aiorch_run_add_message(run, AIORCH_ROLE_ASSISTANT, cli_z(&t->answer), t->answer.len);
  }
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
    jp_open(p, '{');
    jp_kz(p, "role", "user");
    jp_key(p, "content");
    if (t->picture_count) write_parts(p, t);
    else jp_str(p, cli_z(&t->question), t->question.len);
    jp_close(p, '}');
    jp_open(p, '{');
    jp_kz(p, "role", "assistant");
    jp_key(p, "content");
    jp_str(p, cli_z(&t->answer), t->answer.len);
    jp_close(p, '}');
  }
  jp_close(p, ']');
  jp_close(p, '}');
  cli_addc(&p->out, '\n');
}

static void write_markdown(const chat *ch, cli_bytes *out) {
  if (ch->c->opt.system) cli_addf(out, "## System\n\n%s\n\n", ch->c->opt.system);
  for (size_t i = 0; i < ch->turn_count; i++) {
    const chat_turn *t = &ch->turns[i];
    cli_addz(out, "## User\n\n");
    cli_add(out, cli_z(&t->question), t->question.len);
    for (size_t p = 0; p < t->picture_count; p++) cli_addf(out, "\n\n![](%s)", t->pictures[p].name);
    cli_addz(out, "\n\n## Assistant\n\n");
    cli_add(out, cli_z(&t->answer), t->answer.len);
    cli_addz(out, "\n\n");
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
