/*
 * What 'ask' shows to people: the sources of an answer, what the cache did, cost and time; and the prompt of a dry run.
 */
#include "ask_print.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 10000 };

static void print_source(const cli *c, const aiorch_run *run, size_t index) {
  const char *title = "", *uri = "";
  size_t title_len = 0, uri_len = 0;
  aiorch_run_source_title(run, index, &title, &title_len);
  aiorch_run_source_uri(run, index, &uri, &uri_len);
  printf("  %s[%zu]%s ", cli_on(c, STYLE_CYAN), index + 1, cli_off(c));
  cli_put(c, title_len ? title : uri, title_len ? title_len : uri_len);
  putchar('\n');
  if (uri_len == 0 || title_len == 0 || (title_len == uri_len && memcmp(title, uri, uri_len) == 0)) return;
  printf("      %s", cli_on(c, STYLE_DIM));
  cli_put(c, uri, uri_len);
  printf("%s\n", cli_off(c));
}

/* Does the answer name the source by its number? */
static bool is_cited(const char *answer, size_t index) {
  char mark[32];
  snprintf(mark, sizeof mark, "[%zu]", index + 1);
  return strstr(answer, mark) != NULL;
}

/* Those that the answer cites, then the others that were found. */
static void print_sources(const cli *c, const aiorch_run *run, const char *answer) {
  size_t count = aiorch_run_source_count(run), cited = 0;
  for (size_t i = 0; i < count; i++) cited += is_cited(answer, i);
  if (count == 0 || cited > 0) {
    printf("\n%sSources%s%s\n", cli_on(c, STYLE_BOLD), cli_off(c), count ? "" : ": none");
  }
  for (size_t i = 0; i < count; i++) {
    if (is_cited(answer, i)) print_source(c, run, i);
  }
  if (cited == count) return;
  printf("\n%s%s%s\n", cli_on(c, STYLE_BOLD), cited ? "Also found" : "Found, but not cited", cli_off(c));
  for (size_t i = 0; i < count; i++) {
    if (!is_cited(answer, i)) print_source(c, run, i);
  }
}

static const char *cache_words(const cli *c, const aiorch_run *run) {
  const char *entry = "";
  size_t len = 0;
  switch (aiorch_run_cache_outcome(run)) {
    case AIORCH_CACHE_EXACT: return "hit (the same question was answered before)";
    case AIORCH_CACHE_SEMANTIC: return "hit (a question of the same meaning was answered before";
    case AIORCH_CACHE_MISS:
      aiorch_run_cache_entry(run, &entry, &len);
      return len ? "miss (kept for the next time)" : "miss";
    default:
      return c->opt.filter.count && !c->opt.user ? "off (what was found with --filter is kept for a --user only)" : "off";
  }
}

static void print_cost(const cli *c, const aiorch_run *run) {
  int64_t nano_usd, tokens = 0;
  char usd[40] = "unknown (no price for this model)";
  if (aiorch_run_cost(run, &nano_usd) == AIORCH_OK) cli_usd_text(nano_usd, usd);
  for (int32_t class = 0; class < AIORCH_USAGE_COUNT; class++) {
    if (class != AIORCH_USAGE_CACHE_WRITE_1H) tokens += aiorch_run_usage(run, class);
  }
  printf("%scost%s   %s, %lld token%s%s\n", cli_on(c, STYLE_DIM), cli_off(c), usd, (long long)tokens,
         tokens == 1 ? "" : "s", aiorch_run_usage_estimated(run) ? " (estimated)" : "");
}

/* "kept for: ..." of the entry that answered, as far as it is among the newest. */
static void print_kept_for(const cli *c, const aiorch_run *run) {
  const char *id = "", *json = "";
  size_t id_len = 0, len = 0;
  aiorch_text *text;
  aiorch_run_cache_entry(run, &id, &id_len);
  if (aiorch_cache_list(c->orch, c->opt.tenant, cli_tenant_len(c), ENTRIES_MAX, c->timeout_ms, &text, NULL) != AIORCH_OK) {
    return;
  }
  aiorch_text_get(text, &json, &len);
  json_value *entries = json_parse(json, len, NULL);
  for (const json_value *e = entries ? entries->child : NULL; e; e = e->next) {
    if (strcmp(json_text(e, "id"), id) != 0) continue;
    fputs("\n       kept for: ", stdout);
    cli_putz(c, json_text(e, "query"));
    break;
  }
  json_free(entries);
  aiorch_text_free(text);
}

/* What was compared: how near it was, the question that it was kept for, or what differed. */
static void print_cache(const cli *c, aiorch_run *run) {
  const char *json = "", *guard = "", *detail = "";
  size_t len = 0;
  aiorch_run_cache_refused(run, &guard, &detail);
  json_value *report = aiorch_run_to_json(run, &json, &len) == AIORCH_OK ? json_parse(json, len, NULL) : NULL;
  const json_value *cache = json_get(report, "cache");
  double similarity = json_f64(cache, "similarity");
  printf("%scache%s  %s", cli_on(c, STYLE_DIM), cli_off(c), cache_words(c, run));
  if (aiorch_run_cache_outcome(run) == AIORCH_CACHE_SEMANTIC) {
    if (!isnan(similarity)) printf(", similarity %.3f", similarity);
    putchar(')');
    print_kept_for(c, run);
  } else if (*guard) {
    printf("; a near one was refused by its %s: ", guard);
    cli_putz(c, detail);
    if (!isnan(similarity)) printf(" (similarity %.3f)", similarity);
  }
  putchar('\n');
  json_free(report);
}

static void print_figures(const cli *c, aiorch_run *run) {
  const char *provider = "", *model = "", *dim = cli_on(c, STYLE_DIM), *off = cli_off(c);
  size_t provider_len = 0, model_len = 0;
  char time[32];
  aiorch_run_provider(run, &provider, &provider_len);
  aiorch_run_model(run, &model, &model_len);
  cli_time_text(aiorch_run_duration_us(run), time);
  printf("%sanswer%s ", dim, off);
  cli_put(c, provider, provider_len);
  if (model_len && strcmp(model, provider) != 0) {
    putchar(' ');
    cli_put(c, model, model_len);
  }
  if (strcmp(provider, "extractive") == 0) fputs(" (sentences of the documents; no model was asked)", stdout);
  putchar('\n');
  print_cache(c, run);
  print_cost(c, run);
  printf("%stime%s   %s\n", dim, off, time);
}

void ask_print_answer(const cli *c, aiorch_run *run, size_t printed) {
  const char *answer = "";
  size_t len = 0;
  aiorch_run_answer(run, &answer, &len);
  if (printed == 0) cli_put(c, answer, len);
  if (len == 0 || answer[len - 1] != '\n') putchar('\n');
  if (c->opt.quiet) return;
  print_sources(c, run, answer);
  putchar('\n');
  print_figures(c, run);
}

static void print_section(const cli *c, const char *name, const char *text) {
  printf("%s%s%s\n", cli_on(c, STYLE_BOLD), name, cli_off(c));
  cli_putz(c, text);
  size_t len = strlen(text);
  fputs(len > 0 && text[len - 1] == '\n' ? "\n" : "\n\n", stdout);
}

void ask_print_preview(const cli *c, const char *json, size_t len) {
  json_value *preview = json_parse(json, len, NULL);
  const json_value *messages = json_get(preview, "messages");
  print_section(c, "system", json_text(preview, "system"));
  for (const json_value *m = messages ? messages->child : NULL; m; m = m->next) {
    print_section(c, json_text(m, "role"), json_text(m, "content"));
  }
  printf("%sprovider%s      ", cli_on(c, STYLE_DIM), cli_off(c));
  const char *provider = json_text(preview, "provider"), *model = json_text(preview, "model");
  cli_putz(c, provider);
  if (strcmp(provider, model) != 0) {
    putchar(' ');
    cli_putz(c, model);
  }
  printf("\n%sinput tokens%s  %lld (estimated)\n%soutput tokens%s %lld at most\n", cli_on(c, STYLE_DIM), cli_off(c),
         (long long)json_i64(preview, "input_tokens"), cli_on(c, STYLE_DIM), cli_off(c),
         (long long)json_i64(preview, "max_output_tokens"));
  const char *usd = json_text(preview, "max_cost_usd");
  printf("%shighest price%s %s%s\n", cli_on(c, STYLE_DIM), cli_off(c), *usd ? "$" : "", *usd ? usd : "unknown");
  json_free(preview);
}
