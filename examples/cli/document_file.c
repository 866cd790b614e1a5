/*
 * One file into the store: read whole and unchanged, told what it is, made a document, added.
 */
#include "document_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_TRIES = 3 };

static bool same_file(const struct stat *a, const struct stat *b) {
  return a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
         a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void say_too_large(uint64_t bytes, uint64_t max_bytes, cli_bytes *reason) {
  char size[32], limit[32];
  cli_size_text(bytes, size);
  cli_size_text(max_bytes, limit);
  cli_addf(reason, "%s is above knowledge.document_max_bytes (%s); split it, or raise the setting", size, limit);
}

/* One try; *changed when somebody wrote to the file meanwhile. */
static bool read_once(const char *path, uint64_t max_bytes, cli_bytes *text, bool *changed, cli_bytes *reason) {
  struct stat before, after;
  *changed = false;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0 || fstat(fd, &before) != 0) {
    cli_addf(reason, "cannot read it: %s", strerror(errno));
    if (fd >= 0) close(fd);
    return false;
  }
  int error = 0;
  bool fits = before.st_size >= 0 && (uint64_t)before.st_size <= max_bytes;
  if (fits) error = cli_read_all(fd, (size_t)max_bytes, text);
  if (fits && !error && fstat(fd, &after) != 0) error = errno;
  close(fd);
  if (!fits) {
    say_too_large((uint64_t)before.st_size, max_bytes, reason);
  } else if (error == EFBIG || (!error && (!same_file(&before, &after) || text->len != (size_t)after.st_size))) {
    *changed = true;
  } else if (error) {
    cli_addf(reason, "cannot read it: %s", strerror(error));
  }
  return fits && !error && !*changed;
}

static bool read_file(const char *path, uint64_t max_bytes, cli_bytes *text, cli_bytes *reason) {
  bool changed = true;
  for (int i = 0; i < READ_TRIES && changed && !cli_interrupted(); i++) {
    cli_clear(text);
    if (read_once(path, max_bytes, text, &changed, reason)) return true;
  }
  if (changed) cli_addz(reason, "it changed while it was read; ingest it again when it is at rest");
  return false;
}

static aiorch_status set_html(aiorch_document *d, const char *text, size_t len) {
  html_document page;
  html_extract(text, len, &page);
  aiorch_status status = aiorch_document_set_text(d, AIORCH_FORMAT_MARKDOWN, cli_z(&page.text), page.text.len);
  if (status == AIORCH_OK && page.title.len > 0) status = aiorch_document_set_title(d, page.title.data, page.title.len);
  for (size_t i = 0; i < page.anchor_count && status == AIORCH_OK; i++) {
    const html_anchor *anchor = &page.anchors[i];
    status = aiorch_document_add_anchor(d, anchor->offset, anchor->name, strlen(anchor->name));
  }
  html_release(&page);
  return status;
}

static aiorch_status set_content(aiorch_document *d, file_kind kind, const cli_bytes *text) {
  const char *at = cli_z(text);
  size_t len = text->len;
  if (kind == KIND_HTML) return set_html(d, at, len);
  if (len >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) {
    at += 3;
    len -= 3;
  }
  return aiorch_document_set_text(d, kind == KIND_MARKDOWN ? AIORCH_FORMAT_MARKDOWN : AIORCH_FORMAT_PLAIN, at, len);
}

/* Plain text has no heading to be called by: its file's name, rather than the whole path. */
static aiorch_status set_title(aiorch_document *d, const char *path) {
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  return aiorch_document_set_title(d, name, strlen(name));
}

static aiorch_status set_metadata(const cli *c, aiorch_document *d) {
  aiorch_status status = AIORCH_OK;
  for (size_t i = 0; i < c->opt.metadata.count && status == AIORCH_OK; i++) {
    const char *name = c->opt.metadata.items[i], *value = NULL;
    size_t name_len = 0;
    cli_pair(name, &value, &name_len);
    status = aiorch_document_add_metadata(d, name, name_len, value, strlen(value));
  }
  return status;
}

static bool is_blank_text(const cli_bytes *text) {
  for (size_t i = 0; i < text->len; i++) {
    if (!strchr(" \t\r\n\f", text->data[i])) return false;
  }
  return true;
}

/* The library's words without the path, which stands before every reason. */
static void say_refusal(const char *path, const char *message, const cli_bytes *text, cli_bytes *reason) {
  size_t len = strlen(path);
  if (strncmp(message, path, len) == 0 && strncmp(message + len, ": ", 2) == 0) message += len + 2;
  cli_addz(reason, message);
  if (!cli_utf8_valid(cli_z(text), text->len)) cli_addz(reason, "; " FILE_HINT_UTF8);
}

static file_result add_document(cli *c, const char *path, file_kind kind, const cli_bytes *text, size_t *chunks,
                                cli_bytes *reason) {
  aiorch_document *d;
  if (aiorch_document_new(&d) != AIORCH_OK) return FILE_FAILED;
  aiorch_status status = aiorch_document_set_source(d, path, strlen(path));
  if (status == AIORCH_OK && kind == KIND_TEXT) status = set_title(d, path);
  if (status == AIORCH_OK) status = set_content(d, kind, text);
  if (status == AIORCH_OK) status = set_metadata(c, d);
  bool made = status == AIORCH_OK;
  if (made) {
    status = aiorch_knowledge_add(c->orch, c->opt.tenant, cli_tenant_len(c), d, c->timeout_ms, c->error);
  }
  file_result result = FILE_FAILED;
  if (status == AIORCH_OK) {
    int32_t outcome = aiorch_document_outcome(d);
    *chunks = aiorch_document_chunks(d);
    result = outcome == AIORCH_DOCUMENT_UNCHANGED ? FILE_UNCHANGED
             : outcome == AIORCH_DOCUMENT_UPDATED ? FILE_UPDATED
                                                  : FILE_ADDED;
  } else if (!made || status == AIORCH_E_DOCUMENT || status == AIORCH_E_TOO_LARGE) {
    say_refusal(path, made ? aiorch_error_message(c->error) : aiorch_strerror(status), text, reason);
    result = FILE_SKIPPED;
  }
  aiorch_document_free(d);
  return result;
}

file_result document_file_add(cli *c, const walk_file *file, uint64_t max_bytes, size_t *chunks, cli_bytes *reason) {
  cli_bytes text = {0};
  const char *why = NULL;
  file_result result = FILE_SKIPPED;
  *chunks = 0;
  if (file_kind_of_name(file->path, &why) == KIND_OTHER) {
    cli_addz(reason, why);
    return FILE_SKIPPED;
  }
  if (read_file(file->path, max_bytes, &text, reason)) {
    file_kind kind = file_kind_of(file->path, cli_z(&text), text.len, &why);
    if (kind == KIND_OTHER) {
      cli_addz(reason, why);
    } else if (is_blank_text(&text)) {
      cli_addz(reason, "it is empty");
    } else {
      result = add_document(c, file->path, kind, &text, chunks, reason);
    }
  }
  cli_release(&text);
  return result;
}
