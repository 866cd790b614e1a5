/*
 * Writes Markdown from the parts of a page: blocks, lists, code, tables, and the anchors between them.
 */
#ifndef HTML_TEXT_H
#define HTML_TEXT_H

#include "ingest.h"

enum { LIST_DEPTH_MAX = 16, TABLE_DEPTH_MAX = 8 };

typedef struct html_cell {
  size_t row, start, end;
} html_cell;

typedef struct html_table {
  size_t start, rows, first_cell; /* first_cell: index into html_text.cells */
  size_t head_cells;    /* cells of the first row */
  bool simple, in_cell;           /* simple: text alone, so that it can become a Markdown table */
} html_table;

typedef struct html_text {
  html_document *document;
  int gap;              /* line breaks that are due before the next text */
  bool space;           /* a space is due */
  char marker[24];      /* what the next text begins with: "- ", "## " */
  bool in_heading;
  struct {
    bool ordered;
    int number;         /* of the last item */
  } lists[LIST_DEPTH_MAX];
  int list_depth;       /* may be above LIST_DEPTH_MAX: then the deepest ones share */
  cli_bytes code;
  int code_depth;
  html_table tables[TABLE_DEPTH_MAX];
  int table_depth;
  html_cell *cells;
  size_t cell_count, cell_cap;
  char *anchor;         /* the best name for the place that comes next */
  int anchor_rank;
  bool full;            /* the limit was met: nothing more is written */
} html_text;

void ht_text(html_text *h, const char *text, size_t len);
void ht_block(html_text *h, int gap);      /* the next text stands `gap` line breaks below */
void ht_anchor(html_text *h, const char *name, int rank);
void ht_heading(html_text *h, int level);  /* 0: ends */
void ht_list(html_text *h, bool ordered);
void ht_list_end(html_text *h);
void ht_item(html_text *h);
void ht_item_end(html_text *h);
void ht_term(html_text *h);                /* <dt> */
void ht_definition(html_text *h);          /* <dd> */
void ht_code(html_text *h);                /* <pre> */
void ht_code_end(html_text *h);
void ht_table(html_text *h);
void ht_row(html_text *h);
void ht_cell(html_text *h);
void ht_cell_end(html_text *h);
void ht_table_end(html_text *h);
void ht_release(html_text *h);

#endif
