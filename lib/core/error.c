/* Error details: made by the caller (aiorch_error_new) or embedded in a run, an op, ...; the two carry different marks,
 * so that freeing a borrowed one does nothing. What carries neither mark is never written to. */
#include "core/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const uint64_t MAGIC_OWNED = UINT64_C(0x61696f5f6572726f);
static const uint64_t MAGIC_EMBEDDED = UINT64_C(0x61696f5f65726d62);

static bool is_error(const aiorch_error *error) {
  return error != NULL && (error->magic == MAGIC_OWNED || error->magic == MAGIC_EMBEDDED);
}

static void set_empty(aiorch_error *error) {
  error->status = AIORCH_OK;
  error->stage = -1;
  error->http_status = 0;
  error->reserved = 0;
  error->retry_after_ms = -1;
  error->provider[0] = '\0';
  error->message[0] = '\0';
}

void aio__error_init(aiorch_error *error) {
  error->magic = MAGIC_EMBEDDED;
  set_empty(error);
}

void aio__error_clear(aiorch_error *error) {
  if (is_error(error)) set_empty(error);
}

/* Copies as clean UTF-8 on one line. A sequence that the cut at the end left incomplete is dropped. */
static void put_clean(char *out, aio__str text, bool cut) {
  size_t n = 0, pos = 0;
  while (pos < text.n) {
    size_t start = pos;
    uint32_t c = aio__utf8_next(text, &pos);
    if (c == UINT32_MAX) {
      if (cut && text.n - start < 4 && (uint8_t)text.p[start] >= 0xC2) break;
      out[n++] = '?';
    } else if (c < 0x20 || (c >= 0x7F && c < 0xA0)) {
      out[n++] = ' ';
    } else {
      memcpy(out + n, text.p + start, pos - start);
      n += pos - start;
    }
  }
  out[n] = '\0';
}

aiorch_status aio__error_set(aiorch_error *error, aiorch_status status, const char *format, ...) {
  if (!is_error(error)) return status;
  char text[AIO__ERROR_MESSAGE_MAX + 1]; /* apart: an argument may be the old message */
  va_list args;
  va_start(args, format);
  int len = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  error->status = status;
  bool cut = len > AIO__ERROR_MESSAGE_MAX;
  size_t n = len < 0 ? 0 : cut ? (size_t)AIO__ERROR_MESSAGE_MAX : (size_t)len;
  put_clean(error->message, aio__str_n(text, n), cut);
  return status;
}

aiorch_status aio__error_copy(aiorch_error *to, const aiorch_error *from) {
  if (!is_error(from)) {
    aio__error_clear(to);
    return AIORCH_OK;
  }
  if (!is_error(to) || to == from) return from->status;
  uint64_t magic = to->magic;
  *to = *from;
  to->magic = magic;
  return to->status;
}

/* Within 200 it is said in the midst of an answer; 403 is a refusal only where a service moderates what it hands on. The others (411, 415,
 * 431, ...) are about how the request was put, which is no caller's doing. */
int32_t aio__error_http_of_refusal(aiorch_status status, int32_t answered) {
  if (status != AIORCH_E_PROVIDER_REJECTED) return 0;
  return answered < 300 || answered == 400 || answered == 403 || answered == 413 || answered == 422 ? 400 : 0;
}

aiorch_status aiorch_error_new(aiorch_error **out) {
  if (out == NULL) return AIORCH_E_INVALID;
  aiorch_error *error = aio__malloc(aio__alloc_default(), sizeof *error);
  if (error == NULL) return AIORCH_E_NOMEM;
  error->magic = MAGIC_OWNED;
  set_empty(error);
  *out = error;
  return AIORCH_OK;
}

void aiorch_error_free(aiorch_error *error) {
  if (error == NULL || error->magic != MAGIC_OWNED) return;
  error->magic = 0;
  aio__free(aio__alloc_default(), error);
}

aiorch_status aiorch_error_status(const aiorch_error *error) {
  if (error == NULL) return AIORCH_OK;
  return is_error(error) ? error->status : AIORCH_E_INVALID;
}

const char *aiorch_error_message(const aiorch_error *error) {
  return is_error(error) ? error->message : "";
}

int32_t aiorch_error_stage(const aiorch_error *error) {
  return is_error(error) ? error->stage : -1;
}

const char *aiorch_error_provider(const aiorch_error *error) {
  return is_error(error) ? error->provider : "";
}

int32_t aiorch_error_http_status(const aiorch_error *error) {
  if (is_error(error) && error->http_status != 0) return error->http_status;
  return aiorch_status_http(aiorch_error_status(error));
}

int64_t aiorch_error_retry_after_ms(const aiorch_error *error) {
  return is_error(error) ? error->retry_after_ms : -1;
}
