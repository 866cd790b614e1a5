/* Texts that calls return. A text may outlive the handle that it came from, so it keeps a copy of the allocator. */
#include "core/text_handle.h"

#include <aiorch/error.h>

static const uint64_t MAGIC = UINT64_C(0x61696f5f74657874);

struct aiorch_text {
  uint64_t magic;
  aio__alloc al;
  char *p; /* NULL: the empty text */
  size_t n;
};

aiorch_status aio__text_from_buf(aio__buf *buf, aiorch_text **out) {
  aiorch_status status = buf->failed;
  aiorch_text *text = status == AIORCH_OK ? aio__malloc(buf->al, sizeof *text) : NULL;
  if (text == NULL) {
    aio__buf_free(buf);
    return status == AIORCH_OK ? AIORCH_E_NOMEM : status;
  }
  *text = (aiorch_text){.magic = MAGIC, .al = *buf->al};
  text->p = aio__buf_take(buf, &text->n);
  *out = text;
  return AIORCH_OK;
}

aiorch_status aiorch_text_get(const aiorch_text *text, const char **out, size_t *out_len) {
  if (text == NULL || text->magic != MAGIC || out == NULL) return AIORCH_E_INVALID;
  *out = text->p == NULL ? "" : text->p;
  if (out_len != NULL) *out_len = text->n;
  return AIORCH_OK;
}

void aiorch_text_free(aiorch_text *text) {
  if (text == NULL || text->magic != MAGIC) return;
  aio__alloc al = text->al;
  text->magic = 0;
  aio__free(&al, text->p);
  aio__free(&al, text);
}
