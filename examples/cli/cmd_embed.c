/*
 * aiorch embed: texts to vectors, one JSON line in, one out, in the same order. Lines that are there are embedded together,
 * on several threads; a program that waits for the answer to its one line gets it at once.
 */
#include "commands.h"
#include "lines.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PART = 8, PARTS_A_THREAD = 8, BATCH_BYTES = 8 << 20, THREADS_MAX = 256 };

typedef struct line {
  json_value *value; /* NULL: the line was no good, and is done with */
  const json_value *text;
  size_t number;
  cli_bytes out;     /* the element of the results */
  aiorch_status status;
  cli_bytes why;
} line;

typedef struct batch {
  cli *c;
  int32_t purpose;
  line *lines;
  size_t count, cap, threads;
  atomic_size_t taken; /* lines that a thread has taken */
  int code;            /* of the first line that failed */
} batch;

static int32_t purpose_of(const cli *c) {
  if (!c->opt.purpose || strcmp(c->opt.purpose, "similarity") == 0) return AIORCH_PURPOSE_SIMILARITY;
  return strcmp(c->opt.purpose, "query") == 0 ? AIORCH_PURPOSE_QUERY : AIORCH_PURPOSE_PASSAGE;
}

/* ---- on a thread: a few lines at a time ---- */

/* Hands the elements of "results" out to the lines. */
static aiorch_status spread(line *items, size_t count, const char *json, size_t len) {
  const char *element;
  size_t element_len, i = 0;
  const char *at = json_raw_member(json, len, "results");
  for (; at && i < count && json_raw_next(&at, json + len, &element, &element_len); i++) {
    cli_add(&items[i].out, element, element_len);
  }
  return i == count ? AIORCH_OK : AIORCH_E_INTERNAL;
}

static aiorch_status embed(batch *b, line *items, size_t count, aiorch_error *error) {
  const char *texts[PART];
  size_t lens[PART];
  aiorch_text *result;
  const char *json = "";
  size_t len = 0;
  for (size_t i = 0; i < count; i++) {
    texts[i] = items[i].text->text ? items[i].text->text : "";
    lens[i] = items[i].text->len;
  }
  aiorch_status status = aiorch_embed(b->c->orch, b->purpose, texts, lens, count, b->c->timeout_ms, &result, error);
  if (status != AIORCH_OK) return status;
  aiorch_text_get(result, &json, &len);
  status = spread(items, count, json, len);
  aiorch_text_free(result);
  return status;
}

/* What several lines cannot be given, each is given alone: a line that is too much of something harms no other. */
static void embed_part(batch *b, line *items, size_t count, aiorch_error *error) {
  if (embed(b, items, count, error) == AIORCH_OK) return;
  for (size_t i = 0; i < count; i++) {
    cli_clear(&items[i].out);
    items[i].status = embed(b, items + i, 1, error);
    const char *words = aiorch_error_message(error);
    if (items[i].status != AIORCH_OK) cli_addz(&items[i].why, *words ? words : aiorch_strerror(items[i].status));
  }
}

static void *work(void *context) {
  batch *b = context;
  aiorch_error *error = NULL;
  size_t from;
  aiorch_error_new(&error); /* without one there are no words */
  while ((from = atomic_fetch_add(&b->taken, PART)) < b->count && !cli_interrupted()) {
    size_t end = b->count - from < PART ? b->count : from + PART;
    for (size_t i = from; i < end;) {
      size_t first = i;
      while (i < end && b->lines[i].value) i++;
      if (i > first) embed_part(b, b->lines + first, i - first, error);
      while (i < end && !b->lines[i].value) i++;
    }
  }
  aiorch_error_free(error);
  return NULL;
}

/* ---- all lines of a batch, in order ---- */

/* A failure that all lines would share ends it. */
static bool is_over(int code) { return code != CLI_EXIT_OK && code != CLI_EXIT_USAGE && code != CLI_EXIT_REFUSED; }

static void print_line(batch *b, line *l) {
  if (l->status == AIORCH_OK) {
    cli_addc(&l->out, '\n');
    fwrite(l->out.data, 1, l->out.len, stdout);
    return;
  }
  int code = cli_error(b->c, cli_exit_of(l->status), l->status, "embed: line %zu: %s", l->number, cli_z(&l->why));
  if (b->code == CLI_EXIT_OK || is_over(code)) b->code = code;
}

static void run_batch(batch *b) {
  pthread_t threads[THREADS_MAX];
  size_t started = 0, wanted = (b->count + PART - 1) / PART;
  if (wanted > b->threads) wanted = b->threads;
  atomic_store(&b->taken, 0);
  while (started + 1 < wanted && pthread_create(&threads[started], NULL, work, b) == 0) started++;
  work(b);
  for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
  for (size_t i = 0; i < b->count; i++) {
    if (!cli_interrupted() && !is_over(b->code)) print_line(b, &b->lines[i]);
    json_free(b->lines[i].value);
    cli_release(&b->lines[i].out);
    cli_release(&b->lines[i].why);
  }
  b->count = 0;
  fflush(stdout); /* a program at the other end may wait for these very lines */
}

static void embed_stdin(batch *b) {
  static const char *const names[] = {"text", NULL};
  lines in = {.fd = STDIN_FILENO};
  const char *text;
  size_t len, bytes = 0;
  lines_result result;
  while (!is_over(b->code) && (result = lines_next(&in, &text, &len)) != LINES_END) {
    line *l = &b->lines[b->count++];
    *l = (line){.number = in.number};
    if (result == LINES_TOO_LONG) {
      lines_too_long(&l->why);
    } else {
      l->value = lines_texts(text, len, names, &l->text, &l->why);
    }
    if (!l->value) l->status = result == LINES_TOO_LONG ? AIORCH_E_TOO_LARGE : AIORCH_E_INVALID;
    bytes += len;
    if (b->count < b->cap && bytes < BATCH_BYTES && lines_ready(&in)) continue;
    run_batch(b);
    bytes = 0;
  }
  if (b->count > 0) run_batch(b);
  if (in.error && b->code == CLI_EXIT_OK) b->code = lines_failed(b->c, &in);
  lines_free(&in);
}

static int embed_text(cli *c, int32_t purpose) {
  cli_bytes text = {0};
  aiorch_text *result;
  const char *json = "", *element;
  size_t len = 0, element_len;
  int code = cli_text_argument(c, 0, &text);
  if (code == CLI_EXIT_OK) {
    const char *given = cli_z(&text);
    if (aiorch_embed(c->orch, purpose, &given, &text.len, 1, c->timeout_ms, &result, c->error) == AIORCH_OK) {
      aiorch_text_get(result, &json, &len);
      const char *at = json_raw_member(json, len, "results");
      if (at && json_raw_next(&at, json + len, &element, &element_len)) printf("%.*s\n", (int)element_len, element);
      aiorch_text_free(result);
    } else {
      code = cli_fail(c);
    }
  }
  cli_release(&text);
  return code;
}

int command_embed(cli *c) {
  c->opt.store = "memory"; /* vectors need no store */
  int code = command_open_model(c, false);
  if (code != CLI_EXIT_OK) return code;
  if (c->arg_count != 1 || strcmp(c->args[0], "-") != 0) return embed_text(c, purpose_of(c));
  batch b = {.c = c, .purpose = purpose_of(c), .threads = command_threads(c)};
  b.cap = b.threads * PARTS_A_THREAD * PART;
  b.lines = cli_alloc(b.cap * sizeof *b.lines);
  embed_stdin(&b);
  free(b.lines);
  return cli_interrupted() ? CLI_EXIT_INTERRUPTED : b.code;
}
