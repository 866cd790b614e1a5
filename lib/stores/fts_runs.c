/* What runs are made of, and how they are spread. */
#include "stores/fts_runs.h"

bool aio__fts_is_run(uint32_t c) {
  if (c < 0x3005) return false;
  if (c < 0x3400) /* iteration marks and zero; kana with their own */
    return c == 0x3005 || c == 0x3007 || (c >= 0x3041 && c <= 0x3096) || (c >= 0x309D && c <= 0x309F) ||
           (c >= 0x30A1 && c <= 0x30FA) || (c >= 0x30FC && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF);
  if (c <= 0x9FFF) return c <= 0x4DBF || c >= 0x4E00;
  if (c <= 0xD7A3) return c >= 0xAC00;
  if (c <= 0xFAFF) return c >= 0xF900;
  return (c >= 0xFF66 && c <= 0xFF9D) || (c >= 0x20000 && c <= 0x2FA1F);
}

/* Of voiced sounds, as characters of their own. */
static bool is_sound_mark(uint32_t c) { return c == 0x3099 || c == 0x309A || c == 0xFF9E || c == 0xFF9F; }

uint32_t aio__fts_run_next(aio__str text, size_t *pos) {
  size_t at = *pos;
  if (at >= text.n || (unsigned char)text.p[at] < AIO__FTS_RUN_BYTE) return 0;
  uint32_t c = aio__utf8_next(text, &at);
  if (!aio__fts_is_run(c)) return 0;
  for (size_t next = *pos = at; next < text.n && is_sound_mark(aio__utf8_next(text, &next));) *pos = next;
  return c;
}

uint32_t aio__fts_half_width(uint32_t c) {
  bool letter_or_digit = (c >= 0xFF10 && c <= 0xFF19) || (c >= 0xFF21 && c <= 0xFF3A) || (c >= 0xFF41 && c <= 0xFF5A);
  return letter_or_digit ? c - 0xFEE0 : c;
}

bool aio__fts_has_runs(aio__str text) {
  for (size_t at = 0; at < text.n;) {
    if ((unsigned char)text.p[at] < AIO__FTS_RUN_BYTE) {
      at++;
      continue;
    }
    uint32_t c = aio__utf8_next(text, &at);
    if (aio__fts_is_run(c) || aio__fts_half_width(c) != c) return true;
  }
  return false;
}

static void put(aio__buf *out, uint32_t c) {
  char bytes[4];
  aio__buf_add(out, bytes, aio__utf8_put(c, bytes));
}

static void spread_run(aio__str text, size_t *pos, aio__buf *out) {
  uint32_t c = aio__fts_run_next(text, pos);
  while (c != 0) {
    uint32_t next = aio__fts_run_next(text, pos);
    aio__buf_char(out, ' ');
    put(out, c);
    if (next != 0) {
      aio__buf_char(out, ' ');
      put(out, c);
      put(out, next);
    }
    c = next;
  }
  aio__buf_char(out, ' ');
}

void aio__fts_spread(aio__str text, aio__buf *out) {
  size_t done = 0;
  for (size_t at = 0; at < text.n;) {
    size_t before = at;
    if ((unsigned char)text.p[at] < AIO__FTS_RUN_BYTE) {
      at++;
      continue;
    }
    uint32_t c = aio__utf8_next(text, &at), half = aio__fts_half_width(c);
    bool run = aio__fts_is_run(c);
    if (!run && half == c) continue;
    aio__buf_add(out, text.p + done, before - done);
    if (run) {
      at = before;
      spread_run(text, &at, out);
    } else {
      put(out, half);
    }
    done = at;
  }
  aio__buf_add(out, text.p + done, text.n - done);
}
