/*
 * Writes Markdown from the parts of a page (html_text.h).
 *
 * White space is held back: a space or line breaks that are due are written when text follows, and an anchor takes the
 * offset of that text. A table is first written as the blocks that its cells hold; when it ends and turned out to be
 * plain (text alone, two columns or more), what was written is taken back and written as a Markdown table.
 */
#include "html_text.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 200 << 20, ANCHORS_MAX = 100000, ANCHOR_NAME_MAX = 255, FENCE_MAX = 64 };

static cli_bytes *text_of(html_text *h) { return &h->document->text; }

static html_table *table_of(html_text *h) {
  return h->table_depth > 0 && h->table_depth <= TABLE_DEPTH_MAX ? &h->tables[h->table_depth - 1] : NULL;
}

static void flush_anchor(html_text *h) {
  html_document *d = h->document;
  if (!h->anchor) return;
  if (d->anchor_count < ANCHORS_MAX) {
    if (d->anchor_count == d->anchor_cap) {
      d->anchor_cap = d->anchor_cap ? d->anchor_cap * 2 : 32;
      d->anchors = cli_grow(d->anchors, d->anchor_cap, sizeof *d->anchors);
    }
    d->anchors[d->anchor_count++] = (html_anchor){d->text.len, h->anchor};
  } else {
    free(h->anchor);
  }
  h->anchor = NULL;
  h->anchor_rank = 0;
}

static int list_indent(const html_text *h) {
  int depth = h->list_depth < LIST_DEPTH_MAX ? h->list_depth : LIST_DEPTH_MAX;
  return depth > 0 ? 2 * depth : 0;
}

/* Writes what is due before text: line breaks and indent, or a space; then the anchor and the marker. */
static void begin_text(html_text *h, char first) {
  cli_bytes *b = text_of(h);
  bool line_start = b->len == 0 || h->gap > 0;
  if (h->gap > 0 && b->len > 0) cli_add(b, "\n\n", (size_t)h->gap);
  if (!line_start && h->space) cli_addc(b, ' ');
  flush_anchor(h);
  if (line_start) {
    int indent = list_indent(h) - (h->marker[0] && h->list_depth > 0 ? 2 : 0);
    for (int i = 0; i < indent; i++) cli_addc(b, ' ');
    cli_addz(b, h->marker);
    if (!h->marker[0] && first == '#') cli_addc(b, '\\'); /* text, no heading */
    h->marker[0] = '\0';
  }
  h->gap = 0;
  h->space = false;
}

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'; }

/* The length of white space at `text`: ASCII or U+00A0. A soft hyphen (U+00AD) is nothing: *hidden. */
static size_t space_at(const char *text, size_t len, bool *hidden) {
  *hidden = false;
  if (is_space(*text)) return 1;
  if (len < 2 || (unsigned char)text[0] != 0xC2) return 0;
  unsigned char second = (unsigned char)text[1];
  *hidden = second == 0xAD;
  return second == 0xA0 || second == 0xAD ? 2 : 0;
}

void ht_text(html_text *h, const char *text, size_t len) {
  if (h->code_depth > 0) {
    if (h->code.len < TEXT_MAX) cli_add(&h->code, text, len);
    return;
  }
  for (size_t i = 0; i < len && !h->full;) {
    bool hidden;
    size_t n = space_at(text + i, len - i, &hidden), start = i;
    if (n > 0) {
      h->space |= !hidden;
      i += n;
      continue;
    }
    while (i < len && space_at(text + i, len - i, &hidden) == 0) i++;
    begin_text(h, text[start]);
    cli_add(text_of(h), text + start, i - start);
    h->full = text_of(h)->len > TEXT_MAX;
  }
}

void ht_block(html_text *h, int gap) {
  if (h->code_depth > 0) {
    if (h->code.len > 0 && h->code.data[h->code.len - 1] != '\n') cli_addc(&h->code, '\n');
    return;
  }
  h->space = true; /* where it is no line break */
  if (h->in_heading || h->marker[0]) return;
  const html_table *table = table_of(h);
  bool stacked = table && table->in_cell && table->rows > 1 && table->head_cells == 1;
  if (stacked && gap > 1) gap = 1; /* a column of cells that hold paragraphs: each cell stays one paragraph */
  if (gap > h->gap) h->gap = gap;
}

void ht_anchor(html_text *h, const char *name, int rank) {
  size_t len = strlen(name);
  if (rank < h->anchor_rank || len == 0 || len > ANCHOR_NAME_MAX || strpbrk(name, " \t\r\n\"<>")) return;
  free(h->anchor);
  h->anchor = cli_copy(name, len);
  h->anchor_rank = rank;
}

static void not_simple(html_text *h) {
  int depth = h->table_depth < TABLE_DEPTH_MAX ? h->table_depth : TABLE_DEPTH_MAX;
  for (int i = 0; i < depth; i++) h->tables[i].simple = false;
}

void ht_heading(html_text *h, int level) {
  if (level == 0) {
    h->in_heading = false;
    h->marker[0] = '\0';
    ht_block(h, 2);
    return;
  }
  not_simple(h);
  ht_block(h, 2);
  snprintf(h->marker, sizeof h->marker, "%.*s ", level, "######");
  h->in_heading = true;
}

void ht_list(html_text *h, bool ordered) {
  not_simple(h);
  ht_block(h, h->list_depth > 0 ? 1 : 2);
  if (h->list_depth < LIST_DEPTH_MAX) {
    h->lists[h->list_depth].ordered = ordered;
    h->lists[h->list_depth].number = 0;
  }
  h->list_depth++;
}

void ht_list_end(html_text *h) {
  if (h->list_depth > 0) h->list_depth--;
  h->marker[0] = '\0';
  ht_block(h, h->list_depth > 0 ? 1 : 2);
}

void ht_item(html_text *h) {
  int depth = h->list_depth < LIST_DEPTH_MAX ? h->list_depth : LIST_DEPTH_MAX;
  int number = depth > 0 ? ++h->lists[depth - 1].number : 1;
  h->marker[0] = '\0';
  ht_block(h, 1);
  if (number > 1 && h->gap > 1) h->gap = 1; /* items stay together */
  if (depth > 0 && h->lists[depth - 1].ordered && number < 100000) {
    snprintf(h->marker, sizeof h->marker, "%d. ", number);
  } else {
    snprintf(h->marker, sizeof h->marker, "- ");
  }
}

void ht_item_end(html_text *h) {
  h->marker[0] = '\0';
  ht_block(h, 1);
}

void ht_term(html_text *h) {
  not_simple(h);
  ht_block(h, 2);
}

/* Directly below its term, in one paragraph with it, so that the two stay together. */
void ht_definition(html_text *h) {
  ht_block(h, 1);
  if (h->gap > 1) h->gap = 1;
  snprintf(h->marker, sizeof h->marker, ": ");
}

void ht_code(html_text *h) {
  if (h->code_depth++ > 0) return;
  not_simple(h);
  cli_clear(&h->code);
}

static size_t longest_run(const char *text, size_t len, char c) {
  size_t best = 0, run = 0;
  for (size_t i = 0; i < len; i++) {
    run = text[i] == c ? run + 1 : 0;
    if (run > best) best = run;
  }
  return best;
}

void ht_code_end(html_text *h) {
  static const char fence_text[FENCE_MAX + 1] = "````````````````````````````````````````````````````````````````";
  if (h->code_depth == 0 || --h->code_depth > 0 || h->full) return;
  const char *at = cli_z(&h->code), *end = at + h->code.len;
  while (at < end && (*at == '\n' || *at == '\r')) at++;
  while (end > at && is_space(end[-1])) end--;
  h->marker[0] = '\0';
  h->in_heading = false;
  ht_block(h, 2);
  if (end == at) return;
  size_t fence = longest_run(at, (size_t)(end - at), '`') + 1;
  fence = fence < 3 ? 3 : fence > FENCE_MAX ? FENCE_MAX : fence;
  cli_bytes *b = text_of(h);
  if (b->len > 0) cli_addz(b, "\n\n");
  flush_anchor(h);
  cli_add(b, fence_text, fence);
  cli_addc(b, '\n');
  for (; at < end; at++) {
    bool nbsp = end - at > 1 && memcmp(at, "\xC2\xA0", 2) == 0;
    if (*at != '\r') cli_addc(b, nbsp ? ' ' : *at);
    at += nbsp;
  }
  cli_addc(b, '\n');
  cli_add(b, fence_text, fence);
  h->gap = 2;
  h->space = false;
  h->full = b->len > TEXT_MAX;
}

/* ---- tables ---- */

void ht_table(html_text *h) {
  not_simple(h); /* those around it */
  h->marker[0] = '\0';
  ht_block(h, 2);
  h->table_depth++;
  html_table *table = table_of(h);
  if (table) *table = (html_table){.start = text_of(h)->len, .first_cell = h->cell_count, .simple = h->list_depth == 0};
}

void ht_row(html_text *h) {
  html_table *table = table_of(h);
  ht_cell_end(h);
  if (table) table->rows++;
}

void ht_cell(html_text *h) {
  html_table *table = table_of(h);
  ht_cell_end(h);
  ht_block(h, 2);
  if (!table) return;
  if (table->rows == 0) table->rows = 1;
  if (table->rows == 1) table->head_cells++;
  if (h->cell_count == h->cell_cap) {
    h->cell_cap = h->cell_cap ? h->cell_cap * 2 : 64;
    h->cells = cli_grow(h->cells, h->cell_cap, sizeof *h->cells);
  }
  h->cells[h->cell_count++] = (html_cell){.row = table->rows - 1, .start = text_of(h)->len};
  table->in_cell = true;
}

void ht_cell_end(html_text *h) {
  html_table *table = table_of(h);
  if (table && table->in_cell) {
    h->cells[h->cell_count - 1].end = text_of(h)->len;
    table->in_cell = false;
  }
  ht_block(h, 2);
}

/* One cell on one line, with its bars escaped. */
static void add_cell(cli_bytes *out, const char *text, size_t len) {
  bool space = false, begun = false;
  cli_addz(out, " ");
  for (size_t i = 0; i < len; i++) {
    if (is_space(text[i])) {
      space = begun;
      continue;
    }
    if (space) cli_addc(out, ' ');
    if (text[i] == '|') cli_addc(out, '\\');
    cli_addc(out, text[i]);
    begun = true;
    space = false;
  }
  cli_addz(out, " |");
}

static size_t table_columns(const html_text *h, const html_table *table) {
  size_t columns = 0, in_row = 0, row = SIZE_MAX;
  for (size_t i = table->first_cell; i < h->cell_count; i++) {
    in_row = h->cells[i].row == row ? in_row + 1 : 1;
    row = h->cells[i].row;
    if (in_row > columns) columns = in_row;
  }
  return columns;
}

static void write_table(html_text *h, const html_table *table, size_t columns, cli_bytes *out) {
  const char *text = cli_z(text_of(h));
  size_t i = table->first_cell;
  for (size_t row = 0; row < table->rows; row++) {
    size_t column = 0;
    if (i >= h->cell_count || h->cells[i].row != row) continue; /* a row without cells */
    bool first = out->len == 0;
    if (!first) cli_addc(out, '\n');
    cli_addc(out, '|');
    for (; i < h->cell_count && h->cells[i].row == row; i++, column++) {
      add_cell(out, text + h->cells[i].start, h->cells[i].end - h->cells[i].start);
    }
    for (; column < columns; column++) cli_addz(out, "  |");
    for (column = 0; first && column < columns; column++) cli_addz(out, column == 0 ? "\n| --- |" : " --- |");
  }
}

/* Takes back what the table's cells wrote, and writes it as a Markdown table. */
static void rewrite(html_text *h, const html_table *table, size_t columns) {
  html_document *d = h->document;
  cli_bytes out = {0};
  write_table(h, table, columns, &out);
  d->text.len = table->start;
  if (table->start > 0) cli_addz(&d->text, "\n\n");
  for (size_t i = d->anchor_count; i > 0 && d->anchors[i - 1].offset > d->text.len; i--) {
    d->anchors[i - 1].offset = d->text.len;
  }
  cli_add(&d->text, out.data, out.len);
  cli_release(&out);
}

void ht_table_end(html_text *h) {
  html_table *table = table_of(h);
  ht_cell_end(h);
  if (h->table_depth > 0) h->table_depth--;
  if (!table) return;
  size_t columns = table_columns(h, table);
  /* A caption stands before the first cell: then the table begins behind it. */
  if (h->cell_count > table->first_cell) table->start = h->cells[table->first_cell].start;
  bool written = h->cell_count > table->first_cell && text_of(h)->len > table->start;
  if (table->simple && columns > 1 && written && !h->full) rewrite(h, table, columns);
  h->cell_count = table->first_cell;
  ht_block(h, 2);
}

void ht_release(html_text *h) {
  cli_release(&h->code);
  free(h->cells);
  free(h->anchor);
}
