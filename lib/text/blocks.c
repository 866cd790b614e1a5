/*
 * Reads blocks line by line, in the manner of CommonMark as far as cutting needs it: ATX and setext headings, fences of
 * ` and ~, indented code, tables with leading pipes or a row of dashes, lists with what is indented under their items.
 */
#include "text/blocks.h"

#include <string.h>

#include <aiorch/knowledge.h>

enum { FENCE_MIN = 3, CODE_INDENT = 4, ITEM_INDENT = 2, ITEM_DIGITS = 9 };

/* A line without its line feed. `next` is where the one after it begins. */
typedef struct line {
  size_t start, end, next, indent;
  bool blank;
} line;

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static line line_at(aio__str text, size_t pos) {
  const char *feed = memchr(text.p + pos, '\n', text.n - pos);
  line l = {pos, feed ? (size_t)(feed - text.p) : text.n, 0, 0, false};
  l.next = feed ? l.end + 1 : text.n;
  size_t i = pos;
  for (; i < l.end && is_space(text.p[i]); i++) l.indent += text.p[i] == '\t' ? CODE_INDENT : 1;
  l.blank = i == l.end;
  while (l.end > i && is_space(text.p[l.end - 1])) l.end--;
  l.start = i;
  return l;
}

static size_t run_of(aio__str text, size_t pos, size_t end, char c) {
  size_t n = 0;
  while (pos + n < end && text.p[pos + n] == c) n++;
  return n;
}

/* ---- what a line is --------------------------------------------------------------------------------------------- */

/* The length of the fence that a line opens, with '~' told by the top bit; 0 when it opens none. */
#define FENCE_TILDE ((size_t)1 << (sizeof(size_t) * 8 - 1))

static size_t fence_open(aio__str text, const line *l) {
  if (l->blank) return 0;
  char c = text.p[l->start];
  if (c != '`' && c != '~') return 0;
  size_t n = run_of(text, l->start, l->end, c);
  if (n < FENCE_MIN) return 0;
  if (c == '`' && memchr(text.p + l->start + n, '`', l->end - l->start - n)) return 0;
  return c == '~' ? n | FENCE_TILDE : n;
}

static bool fence_closes(aio__str text, const line *l, size_t fence) {
  if (l->blank) return false;
  char c = fence & FENCE_TILDE ? '~' : '`';
  size_t n = run_of(text, l->start, l->end, c);
  return n >= (fence & ~FENCE_TILDE) && l->start + n == l->end;
}

static bool is_item(aio__str text, const line *l) {
  if (l->blank) return false;
  const char *p = text.p + l->start;
  size_t n = l->end - l->start, digits = 0;
  if (*p == '-' || *p == '*' || *p == '+') return n == 1 || is_space(p[1]);
  while (digits < n && digits <= ITEM_DIGITS && p[digits] >= '0' && p[digits] <= '9') digits++;
  if (digits == 0 || digits > ITEM_DIGITS || digits == n) return false;
  return (p[digits] == '.' || p[digits] == ')') && (digits + 1 == n || is_space(p[digits + 1]));
}

static bool is_rule(aio__str text, const line *l) {
  size_t marks = 0;
  char c = l->blank ? '\0' : text.p[l->start];
  if (c != '-' && c != '*' && c != '_') return false;
  for (size_t i = l->start; i < l->end; i++) {
    if (text.p[i] == c)
      marks++;
    else if (!is_space(text.p[i]))
      return false;
  }
  return marks >= 3;
}

static bool is_row(aio__str text, const line *l) {
  return !l->blank && text.p[l->start] == '|';
}

/* "--- | :---:" under the head of a table that has no pipes at its edges. */
static bool is_delimiter_row(aio__str text, const line *l) {
  bool pipe = false, dash = false;
  for (size_t i = l->start; i < l->end; i++) {
    char c = text.p[i];
    pipe = pipe || c == '|';
    dash = dash || c == '-';
    if (c != '|' && c != '-' && c != ':' && !is_space(c)) return false;
  }
  return pipe && dash;
}

static int atx_level(aio__str text, const line *l) {
  if (l->blank || l->indent >= CODE_INDENT || l->end - l->start > AIO__HEADING_MAX) return 0;
  size_t n = run_of(text, l->start, l->end, '#');
  if (n == 0 || n > AIO__HEADING_LEVELS) return 0;
  return l->start + n == l->end || is_space(text.p[l->start + n]) ? (int)n : 0;
}

static int setext_level(aio__str text, const line *l) {
  if (l->blank || l->indent >= CODE_INDENT) return 0;
  char c = text.p[l->start];
  if ((c != '=' && c != '-') || l->end - l->start < 2) return 0;
  return run_of(text, l->start, l->end, c) == l->end - l->start ? (c == '=' ? 1 : 2) : 0;
}

/* ---- blocks ----------------------------------------------------------------------------------------------------- */

static aio__str atx_title(aio__str text, const line *l, int level) {
  size_t end = l->end, i;
  for (i = end; i > l->start && text.p[i - 1] == '#'; i--) continue;
  if (i > l->start && is_space(text.p[i - 1])) end = i;
  size_t start = l->start + (size_t)level;
  if (end < start) end = start;
  return aio__str_trim(aio__str_n(text.p + start, end - start));
}

static size_t read_fenced(aio__str text, line l, size_t fence, size_t *end) {
  size_t pos = l.next;
  *end = l.end;
  while (pos < text.n) {
    l = line_at(text, pos);
    pos = l.next;
    if (!l.blank) *end = l.end;
    if (fence_closes(text, &l, fence)) break;
  }
  return pos;
}

static size_t read_indented(aio__str text, line l, size_t *end) {
  size_t pos = l.next, next = pos;
  *end = l.end;
  while (pos < text.n) {
    l = line_at(text, pos);
    pos = l.next;
    if (l.blank) continue;
    if (l.indent < CODE_INDENT) break;
    *end = l.end;
    next = l.next;
  }
  return next;
}

static size_t read_table(aio__str text, line l, bool edges, size_t *end) {
  size_t pos = l.next;
  *end = l.end;
  while (pos < text.n) {
    l = line_at(text, pos);
    bool row = edges ? is_row(text, &l) : !l.blank && memchr(text.p + l.start, '|', l.end - l.start);
    if (!row) break;
    *end = l.end;
    pos = l.next;
  }
  return pos;
}

/* A list ends before a heading, or behind an empty line where neither an item nor anything indented follows. */
static size_t read_list(aio__str text, line l, size_t *end) {
  size_t pos = l.next, fence = 0;
  bool blank = false;
  *end = l.end;
  while (pos < text.n) {
    l = line_at(text, pos);
    bool outside = fence == 0 && !l.blank && l.indent < ITEM_INDENT && !is_item(text, &l);
    if (outside && (blank || atx_level(text, &l) > 0 || fence_open(text, &l) > 0 || is_row(text, &l))) break;
    if (fence > 0)
      fence = fence_closes(text, &l, fence) ? 0 : fence;
    else
      fence = fence_open(text, &l);
    blank = l.blank;
    if (!l.blank) *end = l.end;
    pos = l.next;
  }
  return pos;
}

static bool interrupts(aio__str text, const line *l) {
  return atx_level(text, l) > 0 || fence_open(text, l) > 0 || is_row(text, l) || is_item(text, l);
}

static size_t read_paragraph(aio__block_reader *r, line l, aio__block *block) {
  size_t pos = l.next, lines = 1;
  bool markdown = r->format == AIORCH_FORMAT_MARKDOWN;
  line first = l;
  block->end = l.end;
  while (pos < r->text.n) {
    l = line_at(r->text, pos);
    if (l.blank) break;
    int level = markdown && lines == 1 && first.end - first.start <= AIO__HEADING_MAX ? setext_level(r->text, &l) : 0;
    if (level > 0) {
      *block = (aio__block){AIO__BLOCK_HEADING, level, block->start, l.end,
                            aio__str_n(r->text.p + first.start, first.end - first.start)};
      return l.next;
    }
    if (markdown && interrupts(r->text, &l)) break;
    block->end = l.end;
    pos = l.next;
    lines++;
  }
  return pos;
}

static size_t read_markdown(aio__block_reader *r, line l, aio__block *block) {
  aio__str text = r->text;
  int level = atx_level(text, &l);
  if (level > 0) {
    *block = (aio__block){AIO__BLOCK_HEADING, level, l.start, l.end, atx_title(text, &l, level)};
    return l.next;
  }
  size_t fence = fence_open(text, &l);
  if (fence > 0) {
    block->kind = AIO__BLOCK_CODE;
    return read_fenced(text, l, fence, &block->end);
  }
  if (l.indent >= CODE_INDENT) {
    block->kind = AIO__BLOCK_CODE;
    block->start = r->pos; /* with its indent */
    return read_indented(text, l, &block->end);
  }
  if (is_row(text, &l)) {
    block->kind = AIO__BLOCK_TABLE;
    return read_table(text, l, true, &block->end);
  }
  if (is_rule(text, &l)) {
    block->end = l.end;
    return l.next;
  }
  if (is_item(text, &l)) {
    block->kind = AIO__BLOCK_LIST;
    return read_list(text, l, &block->end);
  }
  line below = l.next < text.n ? line_at(text, l.next) : l;
  if (l.next < text.n && memchr(text.p + l.start, '|', l.end - l.start) && is_delimiter_row(text, &below)) {
    block->kind = AIO__BLOCK_TABLE;
    return read_table(text, l, false, &block->end);
  }
  return read_paragraph(r, l, block);
}

bool aio__block_next(aio__block_reader *reader, aio__block *block) {
  while (reader->pos < reader->text.n) {
    line l = line_at(reader->text, reader->pos);
    if (l.blank) {
      reader->pos = l.next;
      continue;
    }
    *block = (aio__block){AIO__BLOCK_PARAGRAPH, 0, l.start, l.end, {NULL, 0}};
    reader->pos =
      reader->format == AIORCH_FORMAT_MARKDOWN ? read_markdown(reader, l, block) : read_paragraph(reader, l, block);
    return true;
  }
  return false;
}

size_t aio__block_unit_end(aio__block_kind kind, aio__str text, size_t pos, size_t *fence) {
  bool blank = false;
  for (size_t at = pos; at < text.n;) {
    line l = line_at(text, at);
    bool own_line = kind != AIO__BLOCK_LIST || (*fence == 0 && (blank || is_item(text, &l)));
    if (at > pos && !l.blank && own_line) return at;
    if (kind == AIO__BLOCK_LIST) {
      if (*fence > 0)
        *fence = fence_closes(text, &l, *fence) ? 0 : *fence;
      else
        *fence = fence_open(text, &l);
    }
    blank = l.blank;
    at = l.next;
  }
  return text.n;
}
