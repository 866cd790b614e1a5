/*
 * What a file is: by its name where that tells, else by its first bytes.
 */
#include "ingest.h"

#include <string.h>
#include <strings.h>

enum { SNIFF_BYTES = 65536 };

static const char *const markdown_names[] = {"md", "markdown", "mdown", "mkd", "mdx", "rmd", "qmd"};
static const char *const html_names[] = {"html", "htm", "xhtml", "xht"};

static const struct {
  const char *names; /* separated by spaces */
  const char *reason;
} others[] = {
    {"pdf", "PDF is not read; make text of it: pdftotext -layout FILE.pdf"},
    {"doc docx odt rtf pages", "a word processor's file is not read; make Markdown of it: pandoc FILE -o FILE.md"},
    {"xls xlsx ods numbers", "a spreadsheet is not read; export it as CSV"},
    {"ppt pptx odp key", "slides are not read; export them as HTML or text"},
    {"epub mobi azw3", "an e-book is not read; make Markdown of it: pandoc FILE -o FILE.md"},
    {"ps eps dvi", "a print file is not read; make text of it: ps2ascii FILE"},
    {"png jpg jpeg gif webp svg ico bmp tif tiff heic avif psd ai", "an image is not read; describe it in a text file"},
    {"mp3 wav ogg flac m4a mp4 mkv mov avi webm", "sound and film are not read; ingest a transcript"},
    {"zip gz tgz bz2 xz zst 7z rar tar jar deb rpm iso dmg", "an archive is not read; unpack it first"},
    {"css scss less map", "a style sheet or source map holds nothing to answer from"},
    {"woff woff2 ttf otf eot", "a font holds nothing to answer from"},
    {"o a so dll exe bin class pyc wasm dylib lib obj db sqlite sqlite3 parquet safetensors onnx gguf pt npy pkl",
     "a binary file is not read"},
};

static const char *extension(const char *path) {
  const char *name = strrchr(path, '/');
  name = name ? name + 1 : path;
  const char *dot = strrchr(name, '.');
  return dot && dot != name ? dot + 1 : "";
}

static bool among(const char *word, const char *const *words, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (strcasecmp(word, words[i]) == 0) return true;
  }
  return false;
}

static bool in_list(const char *word, const char *list) {
  size_t len = strlen(word);
  for (const char *at = list; len > 0 && *at;) {
    size_t n = strcspn(at, " ");
    if (n == len && strncasecmp(at, word, len) == 0) return true;
    at += n + (at[n] == ' ');
  }
  return false;
}

file_kind file_kind_of_name(const char *path, const char **reason) {
  const char *ext = extension(path);
  if (among(ext, markdown_names, sizeof markdown_names / sizeof markdown_names[0])) return KIND_MARKDOWN;
  if (among(ext, html_names, sizeof html_names / sizeof html_names[0])) return KIND_HTML;
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    if (!in_list(ext, others[i].names)) continue;
    *reason = others[i].reason;
    return KIND_OTHER;
  }
  return KIND_TEXT;
}

static bool starts_as_html(const char *text, size_t len) {
  size_t i = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  while (i < len && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t')) i++;
  return (len - i >= 14 && strncasecmp(text + i, "<!doctype html", 14) == 0) ||
         (len - i >= 5 && strncasecmp(text + i, "<html", 5) == 0);
}

static bool is_utf16(const char *text, size_t len) {
  return len >= 2 && (memcmp(text, "\xFF\xFE", 2) == 0 || memcmp(text, "\xFE\xFF", 2) == 0);
}

/* The library's own rule (knowledge.h) is more than 1 character in 1,000 that is no text; here it saves the reading of
 * what is plainly something else, and gives the better hint. */
static bool looks_binary(const char *text, size_t len) {
  size_t bad = 0, characters = 0, end = len < SNIFF_BYTES ? len : SNIFF_BYTES;
  for (size_t i = 0; i < end; characters++) {
    size_t n = cli_utf8_len(text + i, len - i);
    if (n == 0 || text[i] == '\0') bad++;
    i += n ? n : 1;
  }
  return bad > characters / 100 + 1;
}

file_kind file_kind_of(const char *path, const char *text, size_t len, const char **reason) {
  static const char signatures[][5] = {"%PDF", "PK\3\4", "\x89PNG", "\177ELF", "\xFF\xD8\xFF", "GIF8", "\x1F\x8B"};
  file_kind kind = file_kind_of_name(path, reason);
  if (kind == KIND_OTHER || len == 0) return kind;
  for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++) {
    size_t n = strlen(signatures[i]);
    if (len < n || memcmp(text, signatures[i], n) != 0) continue;
    *reason = i == 0 ? others[0].reason : "a binary file is not read";
    return KIND_OTHER;
  }
  if (kind == KIND_TEXT && starts_as_html(text, len)) kind = KIND_HTML;
  if (kind == KIND_HTML) return kind; /* other encodings are declared there, or guessed */
  if (is_utf16(text, len)) {
    *reason = "it is UTF-16; make UTF-8 of it: iconv -f UTF-16 -t UTF-8 FILE";
    return KIND_OTHER;
  }
  if (looks_binary(text, len)) {
    *reason = "it is binary, or text that is not UTF-8; for the latter: " FILE_HINT_UTF8;
    return KIND_OTHER;
  }
  return kind;
}
