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
void ask_print_sources(const cli *c, const aiorch_run *run, const char *answer) {
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

/* ---- the one line of figures ---- */

static const char *cache_words(const cli *c, const aiorch_run *run) {
  const char *entry = "";
  size_t len = 0;
  switch (aiorch_run_cache_outcome(run)) {
    case AIORCH_CACHE_EXACT: return "cache hit (the same question was answered before)";
    case AIORCH_CACHE_SEMANTIC: return "cache hit (a question of the same meaning was answered before";
    case AIORCH_CACHE_MISS:
      aiorch_run_cache_entry(run, &entry, &len);
      return len ? "cache miss (kept for the next time)" : "cache miss";
    default:
      return c->opt.filter.count && !c->opt.user ? "cache off (what was found with --filter is kept for a --user only)"
                                                 : "cache off";
  }
}

/* What was compared: how near it was, or what differed. */
static void print_cache(const cli *c, aiorch_run *run) {
  const char *json = "", *guard = "", *detail = "";
  size_t len = 0;
  aiorch_run_cache_refused(run, &guard, &detail);
  json_value *report = aiorch_run_to_json(run, &json, &len) == AIORCH_OK ? json_parse(json, len, NULL) : NULL;
  const json_value *cache = json_get(report, "cache");
  double similarity = json_f64(cache, "similarity");
  fputs(cache_words(c, run), stdout);
  if (aiorch_run_cache_outcome(run) == AIORCH_CACHE_SEMANTIC) {
    if (!isnan(similarity)) printf(", similarity %.3f", similarity);
    putchar(')');
  } else if (*guard) {
    printf("; a near one was refused by its %s: ", guard);
    cli_putz(c, detail);
    if (!isnan(similarity)) printf(" (similarity %.3f)", similarity);
  }
  json_free(report);
}

/* "kept for: ..." of the entry that answered, as far as it is among the newest. */
static void print_kept_for(const cli *c, const aiorch_run *run) {
  const char *id = "";
  size_t id_len = 0;
  aiorch_text *text;
  aiorch_run_cache_entry(run, &id, &id_len);
  if (aiorch_cache_list(c->orch, c->opt.tenant, cli_tenant_len(c), ENTRIES_MAX, c->timeout_ms, &text, NULL) != AIORCH_OK) {
    return;
  }
  json_value *entries = json_take(text);
  for (const json_value *e = entries ? entries->child : NULL; e; e = e->next) {
    if (strcmp(json_text(e, "id"), id) != 0) continue;
    fputs("\nkept for: ", stdout);
    cli_putz(c, json_text(e, "query"));
    break;
  }
  json_free(entries);
}

void ask_print_tokens(const ask_tokens *t) {
  if (t->in + t->out == 0) {
    fputs("no tokens", stdout);
    return;
  }
  printf("%lld tokens in", (long long)t->in);
  if (t->cached) printf(" (%lld cached)", (long long)t->cached);
  printf(", %lld out", (long long)t->out);
  if (t->thinking) printf(" (%lld of them thinking)", (long long)t->thinking);
  if (t->estimated) fputs(", estimated", stdout);
}

ask_tokens ask_count_tokens(const aiorch_run *run) {
  ask_tokens t = {.cached = aiorch_run_usage(run, AIORCH_USAGE_CACHE_READ),
                  .thinking = aiorch_run_usage(run, AIORCH_USAGE_REASONING),
                  .estimated = aiorch_run_usage_estimated(run) != 0};
  t.in = aiorch_run_usage(run, AIORCH_USAGE_INPUT) + t.cached + aiorch_run_usage(run, AIORCH_USAGE_CACHE_WRITE);
  t.out = aiorch_run_usage(run, AIORCH_USAGE_OUTPUT) + t.thinking;
  return t;
}

/* Of a run without an answer: whom it asked last. */
static void who(const aiorch_run *run, const char **provider, const char **model) {
  int32_t kind = 0;
  *provider = *model = "";
  aiorch_run_provider(run, provider, NULL);
  aiorch_run_model(run, model, NULL);
  for (size_t i = aiorch_run_attempt_count(run); i > 0 && !**provider; i--) {
    aiorch_run_attempt(run, i - 1, &kind, NULL, NULL, NULL);
    if (kind == AIORCH_ATTEMPT_GENERATE) aiorch_run_attempt_names(run, i - 1, provider, model, NULL);
  }
}

static void print_who(const cli *c, const aiorch_run *run) {
  const char *provider, *model;
  who(run, &provider, &model);
  cli_putz(c, *provider ? provider : "nobody");
  if (*model && strcmp(model, provider) != 0) {
    putchar(' ');
    cli_putz(c, model);
  }
  if (strcmp(provider, "extractive") != 0) return;
  printf(" (sentences of the documents; no model %s)", aiorch_run_attempt_count(run) > 1 ? "answered" : "was asked");
}

/* Was an answer cut off before its provider had counted what it took? */
static bool is_uncounted(const aiorch_run *run) {
  int64_t nano_usd;
  aiorch_status outcome = AIORCH_OK;
  for (size_t i = 0; i < aiorch_run_attempt_count(run); i++) {
    aiorch_run_attempt(run, i, NULL, &outcome, NULL, NULL);
    if (outcome != AIORCH_OK && aiorch_run_attempt_cost(run, i, &nano_usd) != AIORCH_OK) return true;
  }
  return false;
}

void ask_print_figures(const cli *c, aiorch_run *run) {
  int64_t nano_usd;
  char time[32], usd[40];
  ask_tokens tokens = ask_count_tokens(run);
  cli_time_text(aiorch_run_duration_us(run), time);
  fputs(cli_on(c, STYLE_DIM), stdout);
  print_who(c, run);
  fputs(" | ", stdout);
  bool priced = aiorch_run_cost(run, &nano_usd) == AIORCH_OK, uncounted = !priced && is_uncounted(run);
  if (uncounted && tokens.in + tokens.out == 0) fputs("tokens not counted", stdout);
  else ask_print_tokens(&tokens);
  if (priced) cli_usd_text(nano_usd, usd);
  printf(" | %s | %s | ", priced ? usd : uncounted ? "cost unknown (cut off before it was counted)" : "cost unknown (no price for this model)",
         time);
  print_cache(c, run);
  if (aiorch_run_cache_outcome(run) == AIORCH_CACHE_SEMANTIC) print_kept_for(c, run);
  printf("%s\n", cli_off(c));
}

/* ---- an answer, and what belongs to it ---- */

void ask_print_tool_calls(const cli *c, const aiorch_run *run) {
  const char *id, *name, *arguments;
  size_t len, count = aiorch_run_tool_call_count(run);
  if (count > 0) printf("\n%sTool calls%s\n", cli_on(c, STYLE_BOLD), cli_off(c));
  for (size_t i = 0; i < count; i++) {
    if (aiorch_run_tool_call(run, i, &id, &name, &arguments, &len) != AIORCH_OK) continue;
    printf("  %s", cli_on(c, STYLE_CYAN));
    cli_putz(c, name);
    printf("%s ", cli_off(c));
    cli_put(c, arguments, len);
    printf(" %s", cli_on(c, STYLE_DIM));
    cli_putz(c, id);
    printf("%s\n", cli_off(c));
  }
}

static const char *ending(int32_t finish_reason) {
  switch (finish_reason) {
    case AIORCH_FINISH_LENGTH: return "the answer was cut off: it reached its limit of tokens (--max-tokens)";
    case AIORCH_FINISH_CONTENT_FILTER: return "the provider's filter stopped the answer";
    case AIORCH_FINISH_REFUSAL: return "the model declined to answer";
    default: return NULL;
  }
}

void ask_print_text(const cli *c, const aiorch_run *run, asking_shown *shown) {
  const char *answer = "";
  size_t len = 0;
  aiorch_run_answer(run, &answer, &len);
  if (shown->bytes == 0 && len > 0) {
    cli_put(c, answer, len);
    shown->open = answer[len - 1] != '\n';
  }
  if (shown->open) putchar('\n');
  shown->open = false;
  fflush(stdout);
  const char *why = ending(aiorch_run_finish_reason(run));
  if (why && !c->opt.quiet) cli_warn(c, "%s", why);
}

void ask_print_end(const cli *c, aiorch_run *run, asking_shown *shown) {
  const char *answer = "";
  aiorch_status status = aiorch_run_status(run);
  if (status >= 0) ask_print_text(c, run, shown);
  if (shown->open) putchar('\n');
  ask_print_tool_calls(c, run);
  if (c->opt.quiet || (status < 0 && aiorch_run_attempt_count(run) == 0)) return;
  aiorch_run_answer(run, &answer, NULL);
  if (status >= 0) ask_print_sources(c, run, answer);
  putchar('\n');
  ask_print_figures(c, run);
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
