/*
 * What begins with '/' in a conversation.
 */
#include "chat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SYSTEM, MODEL, PROVIDER, TIER };

/* ---- words ---- */

void chat_tell(const chat *ch, const char *format, ...) {
  cli_bytes text = {0};
  va_list args;
  if (!ch->plain || ch->c->opt.quiet) return;
  va_start(args, format);
  cli_addv(&text, format, args);
  va_end(args);
  fputs(cli_on(ch->c, STYLE_DIM), stdout);
  cli_put(ch->c, cli_z(&text), text.len);
  printf("%s\n", cli_off(ch->c));
  cli_release(&text);
}

void chat_complain(chat *ch, const char *format, ...) {
  cli_bytes text = {0};
  va_list args;
  va_start(args, format);
  cli_addv(&text, format, args);
  va_end(args);
  cli_error_line(ch->c, cli_z(&text));
  cli_release(&text);
  ch->code = CLI_EXIT_USAGE;
}

/* ---- settings for the next messages ---- */

static void set(chat *ch, int which, const char **option, const char *value) {
  free(ch->owned[which]);
  ch->owned[which] = *value ? cli_copy(value, strlen(value)) : NULL;
  *option = ch->owned[which];
}

static void do_system(chat *ch, const char *text) {
  set(ch, SYSTEM, &ch->c->opt.system, text);
  chat_tell(ch, *text ? "From now on with this system text." : "From now on with the system text of the configuration.");
}

static void do_model(chat *ch, const char *text) {
  set(ch, MODEL, &ch->c->opt.model, text);
  if (*text) chat_tell(ch, "From now on %s is asked for.", text);
  else chat_tell(ch, "From now on each provider's own model is asked.");
}

static void do_provider(chat *ch, const char *text) {
  set(ch, PROVIDER, &ch->c->opt.provider, text);
  if (*text) chat_tell(ch, "From now on %s is asked.", text);
  else chat_tell(ch, "From now on the providers of the configuration are asked.");
}

static void do_tier(chat *ch, const char *text) {
  bool known = !*text || strcmp(text, "simple") == 0 || strcmp(text, "complex") == 0 || strcmp(text, "auto") == 0;
  if (!known) {
    chat_complain(ch, "/tier: '%s' is none of simple, complex, auto", text);
    return;
  }
  set(ch, TIER, &ch->c->opt.tier, text);
  chat_tell(ch, "From now on the tier is %s.", *text ? text : "that of the configuration");
}

static void do_image(chat *ch, const char *text) {
  if (!*text) {
    chat_complain(ch, "/image needs a file or a URL");
    return;
  }
  ch->a.pictures = cli_grow(ch->a.pictures, ch->a.picture_count + 1, sizeof *ch->a.pictures);
  int code = picture_read(ch->c, text, &ch->a.pictures[ch->a.picture_count]);
  if (code != CLI_EXIT_OK) {
    ch->code = code;
    return;
  }
  ch->a.picture_count++;
  chat_tell(ch, "%s goes with the next message.", text);
}

static void do_tool(chat *ch, const char *text) {
  if (chat_give_result(ch, text)) chat_say(ch, "", 0);
}

/* ---- looking at it ---- */

static void do_clear(chat *ch, const char *text) {
  (void)text;
  chat_forget(ch);
  chat_tell(ch, "Forgotten: the next message begins a new conversation.");
}

static void do_sources(chat *ch, const char *text) {
  const char *answer = "";
  (void)text;
  if (!ch->plain) return;
  if (!ch->last) {
    chat_tell(ch, "No answer yet.");
    return;
  }
  aiorch_run_answer(ch->last, &answer, NULL);
  ask_print_sources(ch->c, ch->last, answer);
}

static void do_cost(chat *ch, const char *text) {
  (void)text;
  if (ch->plain) chat_print_total(ch);
}

static void do_save(chat *ch, const char *text) {
  if (!*text) {
    chat_complain(ch, "/save needs the name of a new file");
    return;
  }
  int error = chat_save(ch, text);
  if (error == EEXIST) chat_complain(ch, "/save: %s is there already; name a new file", text);
  else if (error) chat_complain(ch, "/save: %s cannot be written: %s", text, strerror(error));
  else chat_tell(ch, "Saved %zu turn%s to %s.", ch->turn_count, ch->turn_count == 1 ? "" : "s", text);
}

static void do_quit(chat *ch, const char *text) {
  (void)text;
  ch->over = true;
}

static void do_help(chat *ch, const char *text);

static const struct {
  const char *name, *argument, *help;
  void (*run)(chat *ch, const char *text);
} commands[] = {
    {"/help", "", "This list.", do_help},
    {"/clear", "", "Forget what was said.", do_clear},
    {"/system", "TEXT", "The system text; none: that of the configuration.", do_system},
    {"/model", "NAME", "The model to ask for; none: each provider's own.", do_model},
    {"/provider", "NAME[,NAME]", "Whom to ask, in this order; none: those of the configuration.", do_provider},
    {"/tier", "simple|complex|auto", "A small or a large model; auto: by the question.", do_tier},
    {"/image", "FILE|URL", "Show this picture with the next message.", do_image},
    {"/tool", "[ID|NAME] RESULT", "What came of a tool that the model called; none: which ones wait.", do_tool},
    {"/sources", "", "What the last answer rests on.", do_sources},
    {"/cost", "", "What the conversation has cost so far.", do_cost},
    {"/save", "FILE", "Write all that was said: Markdown, or a request when FILE ends in .json.", do_save},
    {"/quit", "", "Leave; so does Ctrl-D, and Ctrl-C at the prompt.", do_quit},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void do_help(chat *ch, const char *text) {
  (void)text;
  if (!ch->plain) return;
  for (size_t i = 0; i < COMMANDS; i++) printf("  %-9s %-20s %s\n", commands[i].name, commands[i].argument, commands[i].help);
  puts("  A message that begins with '/' is written with '//'. Ctrl-C stops an answer.");
}

static const char *command_name(size_t index, void *context) {
  (void)context;
  return index < COMMANDS ? commands[index].name : NULL;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

void chat_command(chat *ch, const char *line, size_t len) {
  size_t n = 0;
  while (n < len && !is_blank(line[n])) n++;
  char *name = cli_copy(line, n);
  while (n < len && is_blank(line[n])) n++;
  while (len > n && is_blank(line[len - 1])) len--;
  char *text = cli_copy(line + n, len - n);
  size_t i = 0;
  while (i < COMMANDS && strcmp(commands[i].name, name) != 0) i++;
  if (i < COMMANDS) {
    commands[i].run(ch, text);
  } else {
    const char *near = cli_nearest(name, command_name, NULL);
    if (near) chat_complain(ch, "there is no %s; did you mean %s?", name, near);
    else chat_complain(ch, "there is no %s; /help lists what there is", name);
  }
  free(name);
  free(text);
}

void chat_print_total(const chat *ch) {
  char usd[40];
  cli_usd_text(ch->nano_usd, usd);
  printf("%s%zu message%s | ", cli_on(ch->c, STYLE_DIM), ch->asked, ch->asked == 1 ? "" : "s");
  ask_print_tokens(&ch->tokens);
  printf(" | %s", usd);
  if (ch->unpriced) printf(", and %zu whose cost is unknown", ch->unpriced);
  printf(" in all%s\n", cli_off(ch->c));
}
