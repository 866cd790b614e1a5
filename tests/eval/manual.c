/*
 * How often does a search find the page that answers a newcomer's question?
 *
 *   manual --questions FILE --store FOLDER [--tenant NAME] [--limit N] [--json]
 *
 * FILE has one {"question", "pages": [...]} a line; a page is right when it is the last part of a hit's URI without its
 * anchor. FOLDER is a store into which the manual was ingested. Prints, per question and in all, whether a right page
 * is the first hit and whether it is among the first N (5). Exit code 0 when it ran, 2 for usage, 1 for anything else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aiorch/aiorch.h>
#include <cjson/cJSON.h>

enum { LINE_MAX_BYTES = 1 << 16, TIMEOUT_MS = 60000, HITS_SHOWN = 100 };

typedef struct arguments {
  const char *questions, *store, *tenant;
  size_t limit;
  int json;
} arguments;

typedef struct totals {
  size_t questions, first, within;
} totals;

static int usage(void) {
  fputs("usage: manual --questions FILE --store FOLDER [--tenant NAME] [--limit N] [--json]\n", stderr);
  return 2;
}

static int read_arguments(int argc, char **argv, arguments *a) {
  *a = (arguments){NULL, NULL, "default", 5, 0};
  for (int i = 1; i < argc; i++) {
    const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
    if (strcmp(name, "--json") == 0) {
      a->json = 1;
      continue;
    }
    if (!value) return 0;
    i++;
    if (strcmp(name, "--questions") == 0)
      a->questions = value;
    else if (strcmp(name, "--store") == 0)
      a->store = value;
    else if (strcmp(name, "--tenant") == 0)
      a->tenant = value;
    else if (strcmp(name, "--limit") == 0)
      a->limit = (size_t)strtoul(value, NULL, 10);
    else
      return 0;
  }
  return a->questions && a->store && a->limit >= 1 && a->limit <= HITS_SHOWN;
}

/* "folder/sql-copy.html#ANCHOR" is the page "sql-copy.html". */
static int is_page(const char *uri, size_t len, const char *page) {
  const char *hash = memchr(uri, '#', len);
  size_t end = hash ? (size_t)(hash - uri) : len, start = end;
  while (start > 0 && uri[start - 1] != '/') start--;
  return end - start == strlen(page) && memcmp(uri + start, page, end - start) == 0;
}

static int is_right(const aiorch_hits *hits, size_t index, const cJSON *pages) {
  const char *uri = "";
  size_t len = 0;
  if (aiorch_hits_uri(hits, index, &uri, &len) != AIORCH_OK) return 0;
  const cJSON *page = NULL;
  cJSON_ArrayForEach(page, pages) {
    if (cJSON_IsString(page) && is_page(uri, len, page->valuestring)) return 1;
  }
  return 0;
}

/* The place of the first right hit, from 1; 0: none. */
static size_t place_of(const aiorch_hits *hits, const cJSON *pages) {
  for (size_t i = 0; i < aiorch_hits_count(hits); i++) {
    if (is_right(hits, i, pages)) return i + 1;
  }
  return 0;
}

static void print_question(const arguments *a, const char *question, size_t place, const aiorch_hits *hits) {
  if (a->json) {
    cJSON *line = cJSON_CreateObject();
    cJSON_AddStringToObject(line, "question", question);
    cJSON_AddNumberToObject(line, "place", (double)place);
    cJSON *found = cJSON_AddArrayToObject(line, "found");
    for (size_t i = 0; i < aiorch_hits_count(hits); i++) {
      const char *uri = "";
      (void)aiorch_hits_uri(hits, i, &uri, NULL);
      cJSON_AddItemToArray(found, cJSON_CreateString(uri));
    }
    char *text = cJSON_PrintUnformatted(line);
    puts(text ? text : "{}");
    cJSON_free(text);
    cJSON_Delete(line);
    return;
  }
  const char *mark = place == 1 ? "first" : place > 0 ? "found" : "-";
  const char *uri = "nothing";
  (void)aiorch_hits_uri(hits, 0, &uri, NULL);
  printf("%-6s %s  [%s]\n", mark, question, uri);
}

static int ask(aiorch *orch, const arguments *a, const cJSON *line, totals *t, aiorch_error *error) {
  const cJSON *question = cJSON_GetObjectItemCaseSensitive(line, "question");
  const cJSON *pages = cJSON_GetObjectItemCaseSensitive(line, "pages");
  aiorch_hits *hits = NULL;
  if (!cJSON_IsString(question) || !cJSON_IsArray(pages)) {
    fprintf(stderr, "%s: line %zu has no \"question\" or no \"pages\"\n", a->questions, t->questions + 1);
    return 0;
  }
  const char *text = question->valuestring;
  if (aiorch_knowledge_search(orch, a->tenant, strlen(a->tenant), text, strlen(text), NULL, a->limit, TIMEOUT_MS, &hits,
                              error) != AIORCH_OK) {
    fprintf(stderr, "search: %s\n", aiorch_error_message(error));
    return 0;
  }
  size_t place = place_of(hits, pages);
  t->questions++;
  t->first += place == 1;
  t->within += place > 0;
  print_question(a, text, place, hits);
  aiorch_hits_free(hits);
  return 1;
}

static int ask_all(aiorch *orch, const arguments *a, totals *t, aiorch_error *error) {
  static char text[LINE_MAX_BYTES];
  FILE *file = fopen(a->questions, "r");
  if (!file) {
    fprintf(stderr, "%s cannot be read\n", a->questions);
    return 0;
  }
  int good = 1;
  while (good && fgets(text, sizeof text, file)) {
    if (text[strspn(text, " \t\r\n")] == '\0') continue;
    cJSON *line = cJSON_Parse(text);
    good = ask(orch, a, line, t, error);
    cJSON_Delete(line);
  }
  fclose(file);
  return good;
}

static void print_totals(const arguments *a, const totals *t) {
  if (a->json) {
    printf("{\"questions\":%zu,\"limit\":%zu,\"top_1\":%zu,\"top_n\":%zu}\n", t->questions, a->limit, t->first,
           t->within);
    return;
  }
  printf("right page first: %zu of %zu; among the first %zu: %zu of %zu\n", t->first, t->questions, a->limit, t->within,
         t->questions);
}

int main(int argc, char **argv) {
  arguments a;
  totals t = {0, 0, 0};
  aiorch_config *config = NULL;
  aiorch_error *error = NULL;
  aiorch *orch = NULL;
  int good = 0;
  if (!read_arguments(argc, argv, &a)) return usage();
  if (aiorch_error_new(&error) != AIORCH_OK || aiorch_config_new(&config) != AIORCH_OK) goto out;
  if (aiorch_config_set_str(config, "store", a.store, strlen(a.store), error) != AIORCH_OK ||
      aiorch_open(config, &orch, error) != AIORCH_OK) {
    fprintf(stderr, "%s: %s\n", a.store, aiorch_error_message(error));
    goto out;
  }
  good = ask_all(orch, &a, &t, error) && t.questions > 0;
  if (good) print_totals(&a, &t);
out:
  if (orch) (void)aiorch_close(orch, TIMEOUT_MS);
  (void)aiorch_free(orch);
  aiorch_config_free(config);
  aiorch_error_free(error);
  return good ? 0 : 1;
}
