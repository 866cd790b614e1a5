/*
 * Regular expressions: the one file that knows PCRE2. Memory comes from the given allocator (a general context), the
 * limits are part of every match, and the JIT gets a stack of its own, so that a thread of the host with a small one is
 * not at risk.
 */
#include "text/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { PATTERN_BYTES_MAX = 32768, JIT_STACK_MIN = 16 * 1024, JIT_STACK_MAX = 256 * 1024, WORDS_MAX = 160 };

static const uint32_t OPTIONS =
  PCRE2_CASELESS | PCRE2_UTF | PCRE2_DOTALL | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK;

struct aio__pattern {
  const aio__alloc *al;
  pcre2_code *code;
};

struct aio__pattern_scratch {
  const aio__alloc *al;
  pcre2_match_data *data;
  pcre2_match_context *context;
  pcre2_jit_stack *stack; /* NULL in a build of PCRE2 without JIT */
};

/* An allocator as PCRE2 wants it. It keeps a copy of the pointers, and `al` outlives whatever is made with it. */
typedef union al_pointer {
  const aio__alloc *al;
  void *data;
} al_pointer;

static void *pcre_malloc(size_t size, void *data) {
  return aio__malloc((al_pointer){.data = data}.al, size);
}

static void pcre_free(void *memory, void *data) {
  aio__free((al_pointer){.data = data}.al, memory);
}

static pcre2_general_context *general_context(const aio__alloc *al) {
  return pcre2_general_context_create(pcre_malloc, pcre_free, (al_pointer){.al = al}.data);
}

static aiorch_status compile_fault(int code, size_t offset, aio__str pattern, aiorch_error *error) {
  if (code == PCRE2_ERROR_HEAP_FAILED) return aio__error_set(error, AIORCH_E_NOMEM, "pattern: out of memory");
  PCRE2_UCHAR words[WORDS_MAX];
  if (pcre2_get_error_message(code, words, sizeof words) < 0) words[0] = '\0';
  size_t end = offset < pattern.n ? offset : pattern.n, start = end > 40 ? end - 40 : 0;
  return aio__error_set(error, AIORCH_E_CONFIG, "pattern, byte %zu: %s, after \"%.*s\"", offset, (const char *)words,
                        (int)(end - start), pattern.p + start);
}

aiorch_status aio__pattern_compile(const aio__alloc *al, aio__str pattern, aio__pattern **out, aiorch_error *error) {
  if (pattern.n > PATTERN_BYTES_MAX) {
    return aio__error_set(error, AIORCH_E_CONFIG, "pattern has %zu bytes; at most %d are accepted", pattern.n,
                          (int)PATTERN_BYTES_MAX);
  }
  size_t valid = aio__utf8_check(pattern, NULL);
  if (valid < pattern.n) return aio__error_set(error, AIORCH_E_CONFIG, "pattern, byte %zu: this is not UTF-8", valid);
  aiorch_status status = AIORCH_E_NOMEM;
  aio__pattern *made = aio__calloc(al, 1, sizeof *made);
  /* The code is PCRE2's own memory: its JIT compiler (10.42) crashes when an allocator of ours returns NULL. */
  pcre2_compile_context *context = pcre2_compile_context_create(NULL);
  if (made == NULL || context == NULL) {
    aio__error_set(error, status, "pattern: out of memory");
    goto out;
  }
  int code = 0;
  PCRE2_SIZE offset = 0;
  made->al = al;
  made->code = pcre2_compile((PCRE2_SPTR)(pattern.p == NULL ? "" : pattern.p), pattern.n, OPTIONS, &code, &offset,
                             context);
  if (made->code == NULL) {
    status = compile_fault(code, offset, pattern, error);
    goto out;
  }
  /* Where there is no JIT the interpreter matches, under the same limits. */
  (void)pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE);
  *out = made;
  made = NULL;
  status = AIORCH_OK;
out:
  pcre2_compile_context_free(context);
  aio__free(al, made);
  return status;
}

void aio__pattern_free(aio__pattern *pattern) {
  if (pattern == NULL) return;
  pcre2_code_free(pattern->code);
  aio__free(pattern->al, pattern);
}

static bool has_jit(void) {
  uint32_t jit = 0;
  return pcre2_config(PCRE2_CONFIG_JIT, &jit) >= 0 && jit == 1;
}

aiorch_status aio__pattern_scratch_new(const aio__alloc *al, aio__pattern_scratch **out) {
  aio__pattern_scratch *scratch = aio__calloc(al, 1, sizeof *scratch);
  if (scratch == NULL) return AIORCH_E_NOMEM;
  scratch->al = al;
  pcre2_general_context *general = general_context(al);
  if (general != NULL) {
    scratch->data = pcre2_match_data_create(1, general);
    scratch->context = pcre2_match_context_create(general);
    if (has_jit()) scratch->stack = pcre2_jit_stack_create(JIT_STACK_MIN, JIT_STACK_MAX, general);
  }
  pcre2_general_context_free(general);
  if (scratch->data == NULL || scratch->context == NULL || (has_jit() && scratch->stack == NULL)) {
    aio__pattern_scratch_free(scratch);
    return AIORCH_E_NOMEM;
  }
  pcre2_set_match_limit(scratch->context, AIO__PATTERN_MATCH_LIMIT);
  pcre2_set_depth_limit(scratch->context, AIO__PATTERN_DEPTH);
  pcre2_set_heap_limit(scratch->context, AIO__PATTERN_HEAP_KIB);
  if (scratch->stack != NULL) pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
  *out = scratch;
  return AIORCH_OK;
}

void aio__pattern_scratch_free(aio__pattern_scratch *scratch) {
  if (scratch == NULL) return;
  pcre2_match_data_free(scratch->data);
  pcre2_match_context_free(scratch->context);
  pcre2_jit_stack_free(scratch->stack);
  aio__free(scratch->al, scratch);
}

aio__match aio__pattern_match(const aio__pattern *pattern, aio__pattern_scratch *scratch, aio__str text, size_t from,
                              size_t *start, size_t *end) {
  if (from > text.n) return AIO__MATCH_NONE;
  aio__pattern_scratch *own = NULL;
  if (scratch == NULL) {
    if (aio__pattern_scratch_new(pattern->al, &own) != AIORCH_OK) return AIO__MATCH_LIMIT;
    scratch = own;
  }
  int rc = pcre2_match(pattern->code, (PCRE2_SPTR)(text.p == NULL ? "" : text.p), text.n, from, PCRE2_NO_UTF_CHECK,
                       scratch->data, scratch->context);
  if (rc >= 0) {
    const PCRE2_SIZE *range = pcre2_get_ovector_pointer(scratch->data);
    *start = range[0];
    *end = range[1];
  }
  aio__pattern_scratch_free(own);
  if (rc >= 0) return AIO__MATCH_FOUND;
  return rc == PCRE2_ERROR_NOMATCH ? AIO__MATCH_NONE : AIO__MATCH_LIMIT;
}
