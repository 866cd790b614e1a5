/*
 * Finds the files under a folder. Skips what git would skip: .git itself and what .gitignore files name; symbolic links
 * are not followed, so that no loop can catch it. What cannot be read is skipped with the reason.
 */
#include "ingest.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 100, FILES_MAX = 2000000, SKIPS_MAX = 10000, SOURCE_MAX = 4096 };

void walk_skip_add(walk *w, const char *path, const char *format, ...) {
  if (w->skip_count >= SKIPS_MAX) {
    w->skips_more++;
    return;
  }
  if (w->skip_count == w->skip_cap) {
    w->skip_cap = w->skip_cap ? w->skip_cap * 2 : 16;
    w->skips = cli_grow(w->skips, w->skip_cap, sizeof *w->skips);
  }
  char reason[1200];
  va_list args;
  va_start(args, format);
  vsnprintf(reason, sizeof reason, format, args);
  va_end(args);
  w->skips[w->skip_count++] = (walk_skip){cli_copy(path, strlen(path)), cli_copy(reason, strlen(reason))};
}

static void add_file(walk *w, const char *path, uint64_t bytes) {
  size_t len = strlen(path);
  if (len > SOURCE_MAX) {
    walk_skip_add(w, path, "its path is longer than %d bytes", SOURCE_MAX);
    return;
  }
  if (!cli_utf8_valid(path, len)) {
    walk_skip_add(w, path, "its name is not UTF-8; rename it");
    return;
  }
  if (w->file_count >= FILES_MAX) {
    walk_skip_add(w, path, "more than %d files; ingest a smaller folder", FILES_MAX);
    return;
  }
  if (w->file_count == w->file_cap) {
    w->file_cap = w->file_cap ? w->file_cap * 2 : 256;
    w->files = cli_grow(w->files, w->file_cap, sizeof *w->files);
  }
  w->files[w->file_count++] = (walk_file){cli_copy(path, len), bytes};
  w->bytes += bytes;
}

static int compare_names(const void *a, const void *b) {
  const char *const *x = a;
  const char *const *y = b;
  return strcmp(*x, *y);
}

static bool list_folder(walk *w, const char *path, cli_list *names) {
  DIR *folder = opendir(path);
  if (!folder) {
    walk_skip_add(w, path, "cannot read the folder: %s", strerror(errno));
    return false;
  }
  const struct dirent *entry;
  errno = 0;
  while ((entry = readdir(folder)) != NULL) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, ".git") != 0) {
      cli_list_add(names, name, strlen(name));
    }
    errno = 0;
  }
  if (errno) walk_skip_add(w, path, "the folder was read in part: %s", strerror(errno));
  closedir(folder);
  if (names->count > 1) qsort(names->items, names->count, sizeof *names->items, compare_names);
  return true;
}

static void walk_folder(walk *w, ignore_rules *rules, cli_bytes *path, int depth);

static void walk_entry(walk *w, ignore_rules *rules, cli_bytes *path, int depth) {
  struct stat st;
  if (lstat(path->data, &st) != 0) {
    if (errno != ENOENT) walk_skip_add(w, path->data, "cannot look at it: %s", strerror(errno));
    return;
  }
  if (ignore_matches(rules, path->data, S_ISDIR(st.st_mode))) return;
  if (S_ISLNK(st.st_mode)) {
    walk_skip_add(w, path->data, "a symbolic link; name what it points to if you want it");
  } else if (S_ISDIR(st.st_mode)) {
    walk_folder(w, rules, path, depth + 1);
  } else if (S_ISREG(st.st_mode)) {
    add_file(w, path->data, (uint64_t)st.st_size);
  } else {
    walk_skip_add(w, path->data, "no regular file");
  }
}

static void walk_folder(walk *w, ignore_rules *rules, cli_bytes *path, int depth) {
  cli_list names = {0};
  size_t rules_before = rules->count, len = path->len;
  if (depth > DEPTH_MAX) {
    walk_skip_add(w, path->data, "more than %d folders deep; ingest it by its own path", DEPTH_MAX);
    return;
  }
  if (cli_interrupted() || !list_folder(w, path->data, &names)) return;
  cli_addz(path, "/.gitignore");
  char *rule_file = cli_copy(path->data, path->len);
  path->len = len;
  path->data[len] = '\0';
  ignore_load(rules, rule_file, len ? path->data : "/");
  free(rule_file);
  for (size_t i = 0; i < names.count; i++) {
    cli_addf(path, "%s%s", len > 1 ? "/" : "", names.items[i]);
    walk_entry(w, rules, path, depth);
    path->len = len;
    path->data[len] = '\0';
  }
  ignore_cut(rules, rules_before);
  cli_list_free(&names);
}

void walk_add(walk *w, const char *root) {
  struct stat st;
  if (stat(root, &st) != 0) {
    walk_skip_add(w, root, "cannot look at it: %s", strerror(errno));
  } else if (S_ISREG(st.st_mode)) {
    add_file(w, root, (uint64_t)st.st_size);
  } else if (S_ISDIR(st.st_mode)) {
    ignore_rules rules = {0};
    cli_bytes path = {0};
    ignore_load_above(&rules, root);
    cli_addz(&path, root);
    walk_folder(w, &rules, &path, 0);
    cli_release(&path);
    ignore_cut(&rules, 0);
  } else {
    walk_skip_add(w, root, "no regular file");
  }
}

static int compare_files(const void *a, const void *b) {
  const walk_file *x = a;
  const walk_file *y = b;
  return strcmp(x->path, y->path);
}

void walk_sort(walk *w) {
  size_t kept = 0;
  if (w->file_count > 1) qsort(w->files, w->file_count, sizeof *w->files, compare_files);
  for (size_t i = 0; i < w->file_count; i++) {
    if (kept > 0 && strcmp(w->files[kept - 1].path, w->files[i].path) == 0) {
      w->bytes -= w->files[i].bytes;
      free(w->files[i].path);
    } else {
      w->files[kept++] = w->files[i];
    }
  }
  w->file_count = kept;
}

void walk_free(walk *w) {
  for (size_t i = 0; i < w->file_count; i++) free(w->files[i].path);
  for (size_t i = 0; i < w->skip_count; i++) {
    free(w->skips[i].path);
    free(w->skips[i].reason);
  }
  free(w->files);
  free(w->skips);
  *w = (walk){0};
}
