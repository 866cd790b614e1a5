/*
 * Reads HTML with libxml2's SAX interface, which repairs broken markup and builds no tree: what a page costs is bounded
 * by its size, however deep it nests. Navigation, scripts and the like are left out; of a page with a <main> that is
 * what is kept. Pages that declare no encoding and are not UTF-8 are read as windows-1252, as browsers do.
 */
#include "html_text.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libxml/HTMLparser.h>

enum { MAIN_MIN = 200, CHARSET_SNIFF = 4096, CHARSET_MAX = 40, RANK_ANY = 1, RANK_SECTION = 2, RANK_HEADING = 3 };

typedef enum tag {
  TAG_OTHER, TAG_DROP, TAG_BLOCK, TAG_PARAGRAPH, TAG_HEADING, TAG_UL, TAG_OL, TAG_LI, TAG_DT, TAG_DD, TAG_PRE, TAG_BR,
  TAG_TABLE, TAG_TR, TAG_CELL, TAG_TITLE, TAG_MAIN, TAG_ARTICLE, TAG_BANNER, TAG_IMG, TAG_NAV
} tag;

static const struct {
  const char *name;
  tag tag;
} tags[] = {
    {"a", TAG_OTHER},        {"address", TAG_PARAGRAPH}, {"article", TAG_ARTICLE},  {"aside", TAG_BLOCK},
    {"blockquote", TAG_PARAGRAPH}, {"body", TAG_BLOCK},  {"br", TAG_BR},            {"button", TAG_DROP},
    {"canvas", TAG_DROP},    {"caption", TAG_PARAGRAPH}, {"dd", TAG_DD},            {"details", TAG_PARAGRAPH},
    {"dialog", TAG_DROP},    {"div", TAG_BLOCK},         {"dl", TAG_PARAGRAPH},     {"dt", TAG_DT},
    {"fieldset", TAG_BLOCK}, {"figcaption", TAG_PARAGRAPH}, {"figure", TAG_PARAGRAPH}, {"footer", TAG_BANNER},
    {"h1", TAG_HEADING},     {"h2", TAG_HEADING},        {"h3", TAG_HEADING},       {"h4", TAG_HEADING},
    {"h5", TAG_HEADING},     {"h6", TAG_HEADING},        {"header", TAG_BANNER},    {"hr", TAG_PARAGRAPH},
    {"iframe", TAG_DROP},    {"img", TAG_IMG},           {"li", TAG_LI},            {"main", TAG_MAIN},
    {"menu", TAG_UL},        {"nav", TAG_NAV},           {"noscript", TAG_DROP},    {"object", TAG_DROP},
    {"ol", TAG_OL},          {"p", TAG_PARAGRAPH},       {"pre", TAG_PRE},          {"script", TAG_DROP},
    {"section", TAG_BLOCK},  {"select", TAG_DROP},       {"style", TAG_DROP},       {"summary", TAG_PARAGRAPH},
    {"svg", TAG_DROP},       {"table", TAG_TABLE},       {"td", TAG_CELL},          {"template", TAG_DROP},
    {"textarea", TAG_DROP},  {"th", TAG_CELL},           {"title", TAG_TITLE},      {"tr", TAG_TR},
    {"ul", TAG_UL},
};

/* Boxes beside the text: their titles are no headings of what follows them. */
static const char *const note_classes[] = {"note", "tip", "important", "warning", "caution", "admonition"};

/* Words in a class attribute that mark navigation in the output of common documentation tools. */
static const char *const dropped_classes[] = {
    "navheader", "navfooter", "navbar", "nav", "navigation", "breadcrumb", "breadcrumbs", "sidebar", "sphinxsidebar",
    "toc", "indexdiv", "headerlink", "linenos", "lineno", "gutter", "footer", "skip-link", "related", "md-sidebar"};

typedef struct page {
  html_text text;
  html_document *document;
  bool keep_navigation;    /* second reading: the first left nothing */
  bool dropped;            /* some navigation was left out */
  size_t drop_depth;       /* > 0: inside what is left out */
  size_t depth, note_depth; /* open elements; the one that is a note or warning, 0 outside */
  size_t main_depth, article_depth, title_depth;
  size_t main_start, main_end;
  bool main_seen;
} page;

static int compare_tag(const void *key, const void *item) {
  const char *const *name = item;
  return strcasecmp(key, *name);
}

static tag tag_of(const char *name) {
  const void *hit = bsearch(name, tags, sizeof tags / sizeof tags[0], sizeof tags[0], compare_tag);
  return hit ? tags[((const char *)hit - (const char *)tags) / (ptrdiff_t)sizeof tags[0]].tag : TAG_OTHER;
}

static const char *attribute(const xmlChar **attributes, const char *name) {
  for (size_t i = 0; attributes && attributes[i]; i += 2) {
    if (strcasecmp((const char *)attributes[i], name) == 0) {
      return attributes[i + 1] ? (const char *)attributes[i + 1] : "";
    }
  }
  return NULL;
}

static bool has_word(const char *text, const char *word) {
  size_t len = strlen(word);
  for (const char *at = text; at && *at;) {
    size_t n = strcspn(at, " \t\r\n");
    if (n == len && strncasecmp(at, word, len) == 0) return true;
    at += n + (at[n] != '\0');
  }
  return false;
}

static bool is_navigation(const page *p, tag t, const xmlChar **attributes) {
  static const char *const roles[] = {"navigation", "banner", "contentinfo", "search", "menu"};
  if (t == TAG_NAV) return true;
  if (t == TAG_BANNER && p->main_depth == 0 && p->article_depth == 0) return true;
  if (t == TAG_MAIN || t == TAG_ARTICLE) return false;
  const char *role = attribute(attributes, "role"), *classes = attribute(attributes, "class");
  for (size_t i = 0; role && i < sizeof roles / sizeof roles[0]; i++) {
    if (has_word(role, roles[i])) return true;
  }
  for (size_t i = 0; classes && i < sizeof dropped_classes / sizeof dropped_classes[0]; i++) {
    if (has_word(classes, dropped_classes[i])) return true;
  }
  return false;
}

static bool is_dropped(page *p, tag t, const char *name, const xmlChar **attributes) {
  if (t == TAG_DROP) return true;
  if (strcasecmp(name, "body") == 0 || strcasecmp(name, "html") == 0) return false;
  const char *hidden = attribute(attributes, "aria-hidden");
  if (attribute(attributes, "hidden") || (hidden && strcasecmp(hidden, "true") == 0)) return true;
  if (p->keep_navigation || !is_navigation(p, t, attributes)) return false;
  p->dropped = true;
  return true;
}

static bool is_note(tag t, const xmlChar **attributes) {
  const char *classes = t == TAG_BLOCK ? attribute(attributes, "class") : NULL;
  for (size_t i = 0; classes && i < sizeof note_classes / sizeof note_classes[0]; i++) {
    if (has_word(classes, note_classes[i])) return true;
  }
  return false;
}

static void note_anchor(page *p, tag t, const char *name, const xmlChar **attributes) {
  const char *id = attribute(attributes, "id"), *classes = attribute(attributes, "class");
  bool is_link = strcasecmp(name, "a") == 0, is_section = strcasecmp(name, "section") == 0;
  if (!id && is_link) id = attribute(attributes, "name");
  if (!id || has_word(classes, "indexterm") || t == TAG_MAIN) return;
  int rank = t == TAG_HEADING ? RANK_HEADING
             : is_link || is_section || t == TAG_DT || t == TAG_LI || t == TAG_ARTICLE ? RANK_SECTION
                                                                                       : RANK_ANY;
  ht_anchor(&p->text, id, rank);
}

static void begin_tag(page *p, tag t, const char *name, const xmlChar **attributes) {
  html_text *h = &p->text;
  const char *alt;
  switch (t) {
    case TAG_BLOCK: ht_block(h, 1); break;
    case TAG_PARAGRAPH: case TAG_BANNER: case TAG_NAV: ht_block(h, 2); break;
    case TAG_HEADING: p->note_depth > 0 ? ht_block(h, 2) : ht_heading(h, name[1] - '0'); break;
    case TAG_UL: ht_list(h, false); break;
    case TAG_OL: ht_list(h, true); break;
    case TAG_LI: ht_item(h); break;
    case TAG_DT: ht_term(h); break;
    case TAG_DD: ht_definition(h); break;
    case TAG_PRE: ht_code(h); break;
    case TAG_BR: ht_block(h, 1); break;
    case TAG_TABLE: ht_table(h); break;
    case TAG_TR: ht_row(h); break;
    case TAG_CELL: ht_cell(h); break;
    case TAG_TITLE: p->title_depth++; break;
    case TAG_ARTICLE: ht_block(h, 2); p->article_depth++; break;
    case TAG_MAIN:
      ht_block(h, 2);
      if (!p->main_seen) p->main_start = p->document->text.len;
      p->main_seen = true;
      p->main_depth++;
      break;
    case TAG_IMG:
      alt = attribute(attributes, "alt");
      if (alt) ht_text(h, alt, strlen(alt));
      break;
    case TAG_OTHER: case TAG_DROP: break;
  }
}

static void end_tag(page *p, tag t) {
  html_text *h = &p->text;
  switch (t) {
    case TAG_BLOCK: ht_block(h, 1); break;
    case TAG_PARAGRAPH: case TAG_BANNER: case TAG_NAV: ht_block(h, 2); break;
    case TAG_HEADING: p->note_depth > 0 ? ht_block(h, 1) : ht_heading(h, 0); break;
    case TAG_UL: case TAG_OL: ht_list_end(h); break;
    case TAG_LI: ht_item_end(h); break;
    case TAG_DT: ht_block(h, 1); break;
    case TAG_DD: ht_item_end(h); break;
    case TAG_PRE: ht_code_end(h); break;
    case TAG_TABLE: ht_table_end(h); break;
    case TAG_CELL: ht_cell_end(h); break;
    case TAG_TITLE: if (p->title_depth > 0) p->title_depth--; break;
    case TAG_ARTICLE: ht_block(h, 2); if (p->article_depth > 0) p->article_depth--; break;
    case TAG_MAIN:
      ht_block(h, 2);
      if (p->main_depth > 0 && --p->main_depth == 0) p->main_end = p->document->text.len;
      break;
    case TAG_TR: case TAG_BR: case TAG_IMG: case TAG_OTHER: case TAG_DROP: break;
  }
}

static void on_start(void *context, const xmlChar *name, const xmlChar **attributes) {
  page *p = context;
  const char *tag_name = (const char *)name;
  tag t = tag_of(tag_name);
  if (p->drop_depth > 0 || is_dropped(p, t, tag_name, attributes)) {
    p->drop_depth++;
    return;
  }
  p->depth++;
  if (p->note_depth == 0 && is_note(t, attributes)) p->note_depth = p->depth;
  note_anchor(p, t, tag_name, attributes);
  begin_tag(p, t, tag_name, attributes);
}

static void on_end(void *context, const xmlChar *name) {
  page *p = context;
  if (p->drop_depth > 0) {
    p->drop_depth--;
    return;
  }
  end_tag(p, tag_of((const char *)name));
  if (p->note_depth == p->depth) p->note_depth = 0;
  if (p->depth > 0) p->depth--;
}

static void on_text(void *context, const xmlChar *text, int len) {
  page *p = context;
  if (p->drop_depth > 0 || len <= 0) return;
  if (p->title_depth > 0) {
    if (p->document->title.len < 4000) cli_add(&p->document->title, (const char *)text, (size_t)len);
    return;
  }
  ht_text(&p->text, (const char *)text, (size_t)len);
}

/* ---- encodings ---- */

/* Copies `html` with NUL bytes as spaces and what is not UTF-8 as U+FFFD; *bad counts the latter. */
static void to_utf8(const char *html, size_t len, cli_bytes *out, size_t *bad) {
  *bad = 0;
  for (size_t i = 0; i < len;) {
    size_t start = i, n = 0;
    while (i < len && html[i] != '\0' && (n = cli_utf8_len(html + i, len - i)) > 0) i += n;
    cli_add(out, html + start, i - start);
    if (i == len) break;
    if (html[i] == '\0') {
      cli_addc(out, ' ');
    } else {
      cli_addz(out, "\xEF\xBF\xBD");
      (*bad)++;
    }
    i++;
  }
}

static void declared_charset(const char *html, size_t len, char out[CHARSET_MAX]) {
  size_t end = len < CHARSET_SNIFF ? len : CHARSET_SNIFF, n = 0;
  snprintf(out, CHARSET_MAX, "windows-1252");
  for (size_t i = 0; i + 8 < end; i++) {
    if (strncasecmp(html + i, "charset=", 8) != 0) continue;
    i += 8;
    if (html[i] == '"' || html[i] == '\'') i++;
    while (i + n < end && n + 1 < CHARSET_MAX && strchr(" \t\r\n\"'/>;", html[i + n]) == NULL) n++;
    if (n == 0) return;
    memcpy(out, html + i, n);
    out[n] = '\0';
    break;
  }
  /* Browsers read these as windows-1252 too; and it is not UTF-8, whatever it says. */
  if (strcasecmp(out, "utf-8") == 0 || strcasecmp(out, "iso-8859-1") == 0 || strcasecmp(out, "us-ascii") == 0) {
    snprintf(out, CHARSET_MAX, "windows-1252");
  }
}

static void parse(page *p, const char *html, size_t len, const char *charset) {
  htmlSAXHandler handler;
  memset(&handler, 0, sizeof handler);
  handler.startElement = on_start;
  handler.endElement = on_end;
  handler.characters = on_text;
  handler.ignorableWhitespace = on_text;
  handler.cdataBlock = on_text;
  htmlParserCtxtPtr parser = htmlNewParserCtxt();
  if (!parser) return;
  *parser->sax = handler;
  parser->userData = p;
  htmlDocPtr tree = htmlCtxtReadMemory(parser, html, len > INT_MAX ? INT_MAX : (int)len, NULL, charset,
                                       HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                           HTML_PARSE_NONET | HTML_PARSE_COMPACT);
  xmlFreeDoc(tree); /* none is built */
  htmlFreeParserCtxt(parser);
}

/* ---- the whole page ---- */

/* Keeps [start, end) of the text, and the anchors in it. */
static void keep_range(html_document *d, size_t start, size_t end) {
  while (start < end && strchr("\n ", d->text.data[start])) start++;
  memmove(d->text.data, d->text.data + start, end - start);
  d->text.len = end - start;
  d->text.data[d->text.len] = '\0';
  size_t kept = 0;
  for (size_t i = 0; i < d->anchor_count; i++) {
    if (d->anchors[i].offset >= start && d->anchors[i].offset < end) {
      d->anchors[i].offset -= start;
      d->anchors[kept++] = d->anchors[i];
    } else {
      free(d->anchors[i].name);
    }
  }
  d->anchor_count = kept;
}

static void collapse_title(cli_bytes *title) {
  cli_bytes out = {0};
  for (size_t i = 0; i < title->len; i++) {
    bool nbsp = i + 1 < title->len && memcmp(title->data + i, "\xC2\xA0", 2) == 0;
    char c = nbsp || strchr("\t\r\n", title->data[i]) ? ' ' : title->data[i];
    i += nbsp;
    if (c != ' ' || (out.len > 0 && out.data[out.len - 1] != ' ')) cli_addc(&out, c);
  }
  if (out.len > 0 && out.data[out.len - 1] == ' ') out.data[--out.len] = '\0';
  cli_release(title);
  *title = out;
}

static bool read_page(const char *html, size_t len, const char *charset, bool keep_navigation, html_document *out) {
  page p = {.document = out, .keep_navigation = keep_navigation};
  p.text.document = out;
  parse(&p, html, len, charset);
  if (p.text.code_depth > 0) {
    p.text.code_depth = 1;
    ht_code_end(&p.text);
  }
  ht_release(&p.text);
  if (p.main_seen && p.main_end < p.main_start + MAIN_MIN) p.main_seen = false;
  if (p.main_seen) keep_range(out, p.main_start, p.main_end);
  collapse_title(&out->title);
  return out->text.len > 0 || !p.dropped;
}

void html_extract(const char *html, size_t len, html_document *out) {
  cli_bytes clean = {0};
  size_t bad = 0;
  static pthread_once_t ready = PTHREAD_ONCE_INIT; /* libxml2 wants that before two threads use it */
  char charset[CHARSET_MAX] = "UTF-8";
  (void)pthread_once(&ready, xmlInitParser);
  bool utf16 = len >= 2 && (memcmp(html, "\xFF\xFE", 2) == 0 || memcmp(html, "\xFE\xFF", 2) == 0);
  *out = (html_document){0};
  if (utf16) {
    cli_add(&clean, html, len);
    snprintf(charset, sizeof charset, "UTF-16");
  } else {
    to_utf8(html, len, &clean, &bad);
  }
  if (bad > len / 1000) {
    declared_charset(html, len, charset);
    cli_clear(&clean);
    cli_add(&clean, html, len);
    for (size_t i = 0; i < clean.len; i++) {
      if (clean.data[i] == '\0') clean.data[i] = ' ';
    }
  }
  if (clean.len > 0 && !read_page(clean.data, clean.len, charset, false, out)) {
    html_release(out);
    read_page(clean.data, clean.len, charset, true, out);
  }
  cli_release(&clean);
}

void html_release(html_document *document) {
  for (size_t i = 0; i < document->anchor_count; i++) free(document->anchors[i].name);
  free(document->anchors);
  cli_release(&document->title);
  cli_release(&document->text);
  *document = (html_document){0};
}
