/*
 * What 'ingest' is made of: finding files (walk, ignore), telling what they are (file_kind), and reading HTML.
 */
#ifndef INGEST_H
#define INGEST_H

#include "cli.h"

/* ---- ignore.c: the rules of .gitignore files ---- */
typedef struct ignore_rule {
  char *pattern;     /* without '!', leading and trailing '/' */
  size_t base_len;   /* length of the folder's path that the rule stands in */
  bool negated, folder_only, anchored;
} ignore_rule;

typedef struct ignore_rules {
  ignore_rule *items;
  size_t count, cap;
} ignore_rules;

/* Reads one file of rules that hold under the folder `base`; a file that is not there adds nothing. */
void ignore_load(ignore_rules *rules, const char *file, const char *base);
/* All that holds for entries of the folder `path`, from the top of its repository down to `path`'s parent. */
void ignore_load_above(ignore_rules *rules, const char *path);
void ignore_cut(ignore_rules *rules, size_t count); /* back to the first `count` rules */
bool ignore_matches(const ignore_rules *rules, const char *path, bool is_folder);
/* One pattern against one path below its folder, as .gitignore says. */
bool ignore_pattern_matches(const char *pattern, const char *path);

/* ---- walk.c ---- */
typedef struct walk_file {
  char *path; /* absolute, links resolved */
  uint64_t bytes;
} walk_file;

typedef struct walk_skip {
  char *path, *reason;
} walk_skip;

typedef struct walk {
  walk_file *files;
  size_t file_count, file_cap;
  uint64_t bytes;
  walk_skip *skips;
  size_t skip_count, skip_cap;
  size_t skips_more; /* above the limit of remembered ones */
} walk;

/* Finds what `root` (absolute, links resolved) names: the file itself, or all files in the folder. */
void walk_add(walk *w, const char *root);
void walk_sort(walk *w); /* by path; each once */
void walk_skip_add(walk *w, const char *path, const char *format, ...) __attribute__((format(printf, 3, 4)));
void walk_free(walk *w);

/* ---- file_kind.c ---- */
#define FILE_HINT_UTF8 "iconv -f LATIN1 -t UTF-8 FILE"
typedef enum file_kind { KIND_TEXT, KIND_MARKDOWN, KIND_HTML, KIND_OTHER } file_kind;
/* By its name alone; KIND_OTHER with a reason and a hint, KIND_TEXT also for names that tell nothing. */
file_kind file_kind_of_name(const char *path, const char **reason);
/* By its bytes too. */
file_kind file_kind_of(const char *path, const char *text, size_t len, const char **reason);

/* ---- html.c, html_text.c ---- */
typedef struct html_anchor {
  size_t offset;
  char *name;
} html_anchor;

typedef struct html_document {
  cli_bytes title, text; /* Markdown */
  html_anchor *anchors;  /* offsets do not go down */
  size_t anchor_count, anchor_cap;
} html_document;

/* Never fails: what cannot be read as HTML gives less text, or none. */
void html_extract(const char *html, size_t len, html_document *out);
void html_release(html_document *document);

#endif
