/*
 * The system text of a request: the run's system messages (else "prompt.system"), then "prompt.context_template" with the
 * numbered sources between two lines of a fence that is random in each run, so that no document can close it. The same
 * fence is the canary of the output check: a model that repeats it is giving its prompt away.
 */
#include <string.h>

#include "pipeline/run_content.h"
#include "text/tokens.h"

enum { FENCE_BYTES = 12, FENCE_LEN = 6 + 2 * FENCE_BYTES, SYSTEM_MAX = 64 << 20 };

static aiorch_status make_fence(aiorch_run *run) {
  uint8_t random[FENCE_BYTES];
  char fence[FENCE_LEN + 1] = "=====";
  aiorch_status st = aio__random_take(&run->random, random, sizeof random);
  if (st) return st;
  fence[5] = '-';
  aio__hex(random, sizeof random, fence + 6);
  run->canary = aio__arena_str(&run->arena, aio__str_n(fence, FENCE_LEN));
  return run->canary.p ? AIORCH_OK : AIORCH_E_NOMEM;
}

static void add_sources(const aiorch_run *run, aio__buf *out) {
  for (size_t i = 0; i < run->source_count; i++) {
    const aio__source *s = &run->sources[i];
    aio__buf_fmt(out, "%s[%zu] ", i ? "\n\n" : "", i + 1);
    aio__buf_str(out, s->title.n ? s->title : s->uri);
    if (s->title.n && s->uri.n) {
      aio__buf_z(out, " (");
      aio__buf_str(out, s->uri);
      aio__buf_char(out, ')');
    }
    aio__buf_char(out, '\n');
    aio__buf_str(out, s->text);
  }
}

static void add_context(const aiorch_run *run, aio__buf *out) {
  aio__str t = aio__str_z(run->options->prompt_context_template);
  for (size_t i = 0; i < t.n;) {
    aio__str rest = aio__str_n(t.p + i, t.n - i);
    if (aio__str_starts(rest, AIO__LIT("{fence}"))) {
      aio__buf_str(out, run->canary);
      i += sizeof "{fence}" - 1;
    } else if (aio__str_starts(rest, AIO__LIT("{sources}"))) {
      add_sources(run, out);
      i += sizeof "{sources}" - 1;
    } else {
      const char *brace = memchr(rest.p + 1, '{', rest.n - 1);
      size_t n = brace ? (size_t)(brace - rest.p) : rest.n;
      aio__buf_add(out, rest.p, n);
      i += n;
    }
  }
}

/* About as long as it will be: so it is not moved again and again while it grows. */
static size_t expected_bytes(const aiorch_run *run) {
  size_t n = 64 + strlen(run->options->prompt_system);
  if (run->source_count > 0) n += strlen(run->options->prompt_context_template) + 2 * FENCE_LEN;
  for (size_t i = 0; i < run->message_count; i++) n += run->messages[i].role == AIORCH_ROLE_SYSTEM ? run->messages[i].text.n : 0;
  for (size_t i = 0; i < run->source_count; i++) {
    const aio__source *s = &run->sources[i];
    n += s->title.n + s->uri.n + s->text.n + 16;
  }
  return n < SYSTEM_MAX ? n : 0;
}

aiorch_status aio__prompt_compose(aiorch_run *run) {
  aio__buf *out = &run->system_text;
  aio__buf_free(out);
  aio__buf_init(out, run->al, SYSTEM_MAX);
  (void)aio__buf_reserve(out, expected_bytes(run));
  for (size_t i = 0; i < run->message_count; i++) {
    if (run->messages[i].role != AIORCH_ROLE_SYSTEM) continue;
    if (out->n) aio__buf_z(out, "\n\n");
    aio__buf_str(out, run->messages[i].text);
  }
  if (out->n == 0) aio__buf_z(out, run->options->prompt_system);
  aiorch_status st = AIORCH_OK;
  if (run->source_count > 0) {
    st = make_fence(run);
    if (st == AIORCH_OK) {
      if (out->n) aio__buf_z(out, "\n\n");
      add_context(run, out);
    }
  }
  if (st == AIORCH_OK) st = out->failed;
  if (st == AIORCH_OK) run->system = out->n ? aio__buf_view(out) : AIO__LIT("");
  return st;
}

int64_t aio__prompt_tokens(const aiorch_run *run) {
  size_t tokens = aio__tokens_estimate(run->system) + aio__run_content_tokens(run);
  for (size_t i = 0; i < run->message_count; i++) {
    if (run->messages[i].role != AIORCH_ROLE_SYSTEM) tokens += aio__tokens_estimate(run->messages[i].text) + 4;
  }
  return (int64_t)tokens;
}

int64_t aio__prompt_bound(const aiorch_run *run) {
  const aio__options *o = run->options;
  size_t tokens = aio__tokens_estimate(aio__str_z(o->prompt_system)) + 2 * FENCE_LEN +
                  aio__tokens_estimate(aio__str_z(o->prompt_context_template)) + aio__run_content_tokens(run);
  for (size_t i = 0; i < run->message_count; i++) tokens += aio__tokens_estimate(run->messages[i].text) + 4;
  if (!run->host_sources) return (int64_t)tokens + o->retrieve_context_tokens;
  for (size_t i = 0; i < run->source_count; i++) {
    const aio__source *s = &run->sources[i];
    tokens += aio__tokens_estimate(s->title) + aio__tokens_estimate(s->uri) + aio__tokens_estimate(s->text) + 4;
  }
  return (int64_t)tokens;
}
