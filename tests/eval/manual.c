/*
 * How often does a search find the page that answers a newcomer's question?
 *
 *   manual --questions FILE --store FOLDER [--limit N] [common arguments]
 *
 * FILE has one {"question", "pages": [...]} a line; a page is right when it is the last part of a hit's URI without its
 * anchor. FOLDER is a store into which the manual was ingested; what is not embedded there yet is embedded first. Prints,
 * per question and in all, for full text, vectors and both, the place of the first right page among the first N (5), and
 * how often it is the first hit and one of the N. Exit code 0 when it ran, 2 for usage, 1 for anything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "support/eval_data.h"
#include "support/eval_library.h"

typedef struct manual {
  eval_arguments common;
  const char *questions;
  size_t limit;
  eval_library library;
  size_t asked, first[EVAL_LEGS], within[EVAL_LEGS];
} manual;

static int usage(void) {
  fprintf(stderr, "usage: manual --questions FILE --store FOLDER [--limit N]\n       %s\n", eval_usage);
  return 2;
}

static bool read_arguments(int argc, char **argv, manual *m) {
  memset(m, 0, sizeof *m);
  eval_arguments_init(&m->common);
  m->limit = 5;
  for (int i = 1; i < argc; i++) {
    if (eval_argument(&m->common, argc, argv, &i)) continue;
    if (i + 1 >= argc) return false;
    if (strcmp(argv[i], "--questions") == 0)
      m->questions = argv[++i];
    else if (strcmp(argv[i], "--limit") == 0)
      m->limit = (size_t)strtoul(argv[++i], NULL, 10);
    else
      return false;
  }
  return m->questions && m->common.store && m->limit >= 1 && m->limit <= EVAL_LIMIT_MAX;
}

/* "folder/sql-copy.html#ANCHOR" is the page "sql-copy.html". */
static bool is_page(const char *uri, size_t len, const char *page) {
  const char *hash = memchr(uri, '#', len);
  size_t end = hash ? (size_t)(hash - uri) : len, start = end;
  while (start > 0 && uri[start - 1] != '/') start--;
  return end - start == strlen(page) && memcmp(uri + start, page, end - start) == 0;
}

static bool is_right(const aiorch_run *run, size_t index, const cJSON *pages) {
  const char *uri = "";
  size_t len = 0;
  if (aiorch_run_source_uri(run, index, &uri, &len) != AIORCH_OK) return false;
  const cJSON *page = NULL;
  cJSON_ArrayForEach(page, pages) {
    if (cJSON_IsString(page) && is_page(uri, len, page->valuestring)) return true;
  }
  return false;
}

/* The place of the first right source, from 1; 0: none. */
static size_t place_of(const aiorch_run *run, const cJSON *pages) {
  for (size_t i = 0; i < aiorch_run_source_count(run); i++) {
    if (is_right(run, i, pages)) return i + 1;
  }
  return 0;
}

static void print_json(const char *question, eval_leg leg, size_t place, const aiorch_run *run) {
  cJSON *line = cJSON_CreateObject();
  cJSON_AddStringToObject(line, "question", question);
  cJSON_AddStringToObject(line, "search", eval_leg_name(leg));
  cJSON_AddNumberToObject(line, "place", (double)place);
  cJSON *found = cJSON_AddArrayToObject(line, "found");
  for (size_t i = 0; i < aiorch_run_source_count(run); i++) {
    const char *uri = "";
    (void)aiorch_run_source_uri(run, i, &uri, NULL);
    cJSON_AddItemToArray(found, cJSON_CreateString(uri));
  }
  char *text = cJSON_PrintUnformatted(line);
  puts(text ? text : "{}");
  cJSON_free(text);
  cJSON_Delete(line);
}

static bool ask(void *ctx, const eval_line *line) {
  manual *m = ctx;
  const char *question = eval_line_text(line, "question");
  const cJSON *pages = cJSON_GetObjectItemCaseSensitive(line->json, "pages");
  eval_leg legs = m->library.has_vectors ? EVAL_LEGS : EVAL_VECTOR;
  if (!question[0] || !cJSON_IsArray(pages)) return false;
  m->asked++;
  for (eval_leg leg = EVAL_TEXT; leg < legs; leg++) {
    aiorch_run *run = eval_ask(&m->library, leg, question, m->limit, 0);
    if (!run) return false;
    size_t place = place_of(run, pages);
    m->first[leg] += place == 1;
    m->within[leg] += place > 0;
    if (m->common.json)
      print_json(question, leg, place, run);
    else if (place > 0)
      printf("%9zu ", place);
    else
      printf("%9s ", "-");
    aiorch_run_free(run);
  }
  if (!m->common.json) printf(" %s\n", question);
  return true;
}

static void print_totals(const manual *m) {
  for (eval_leg leg = EVAL_TEXT; leg < (m->library.has_vectors ? EVAL_LEGS : EVAL_VECTOR); leg++) {
    if (m->common.json)
      printf("{\"search\":\"%s\",\"questions\":%zu,\"limit\":%zu,\"top_1\":%zu,\"top_n\":%zu}\n", eval_leg_name(leg),
             m->asked, m->limit, m->first[leg], m->within[leg]);
    else
      printf("%-9s: right page first: %zu of %zu; among the first %zu: %zu of %zu\n", eval_leg_name(leg), m->first[leg],
             m->asked, m->limit, m->within[leg], m->asked);
  }
}

int main(int argc, char **argv) {
  manual m;
  if (!read_arguments(argc, argv, &m)) return usage();
  bool good = eval_open(&m.library, &m.common) && eval_embed(&m.library);
  if (good && !m.common.json) {
    for (eval_leg leg = EVAL_TEXT; leg < (m.library.has_vectors ? EVAL_LEGS : EVAL_VECTOR); leg++)
      printf("%9s ", eval_leg_name(leg));
    puts(" question");
  }
  good = good && eval_lines(m.questions, ask, &m) && m.asked > 0;
  if (good) print_totals(&m);
  eval_close(&m.library);
  return good ? 0 : 1;
}
