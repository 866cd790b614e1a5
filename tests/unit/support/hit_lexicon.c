#include "hit_lexicon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "text/unpack.h"

static aio__hit_lexicon lexicon;
static aio__arena arena;

int hit_lexicon_load(void **state) {
  (void)state;
  char *data = aio__unpack(&aio__data_hit_guard, aio__alloc_default());
  aiorch_status status = AIORCH_E_NOMEM;
  if (data != NULL) status = aio__hit_lexicon_new(aio__alloc_default(), (aio__str){data, aio__data_hit_guard.len}, &lexicon, NULL);
  aio__free(aio__alloc_default(), data);
  aio__arena_init(&arena, aio__alloc_default(), 4096);
  return status == AIORCH_OK ? 0 : -1;
}

int hit_lexicon_unload(void **state) {
  (void)state;
  aio__arena_free(&arena);
  aio__hit_lexicon_free(&lexicon);
  return 0;
}

const aio__hit_lexicon *hit_lexicon(void) {
  return &lexicon;
}

aio__hit_text hit_lexicon_read(const char *text) {
  aio__hit_text out;
  assert_int_equal(aio__hit_text_read(&lexicon, &arena, aio__str_z(text), &out), AIORCH_OK);
  assert_true(out.n <= aio__hit_tokens_at_most(out.written));
  return out;
}
