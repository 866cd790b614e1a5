/*
 * .gitignore rules (gitignore(5)): the last rule that matches decides, deeper files come later, '!' takes back, a '/'
 * inside ties a pattern to its folder, "**" stands for any folders.
 *
 * Matching is by segments between slashes. In a segment, and over the segments with "**", a mismatch only ever has to
 * go back to the last star, so that no pattern takes more than (pattern x path) steps.
 */
#include "ingest.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RULE_FILE_MAX = 1 << 20, RULES_MAX = 100000 };

static bool class_named(const char *name, size_t len, unsigned char c) {
  static const struct {
    const char *name;
    int (*test)(int c);
  } classes[] = {{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl},
                 {"digit", isdigit}, {"graph", isgraph}, {"lower", islower}, {"print", isprint},
                 {"punct", ispunct}, {"space", isspace}, {"upper", isupper}, {"xdigit", isxdigit}};
  for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
    if (strlen(classes[i].name) == len && strncmp(classes[i].name, name, len) == 0) return classes[i].test(c) != 0;
  }
  return false;
}

/* "[...]" at *p (after the bracket). Moves *p behind it, or to `end` when it has none: then *closed is false. */
static bool class_matches(const char **p, const char *end, unsigned char c, bool *closed) {
  const char *at = *p;
  bool negated = at < end && (*at == '!' || *at == '^'), hit = false, first = true;
  if (negated) at++;
  for (; at < end && (*at != ']' || first); first = false) {
    const char *close = at + 1 < end && at[0] == '[' && at[1] == ':' ? strstr(at + 2, ":]") : NULL;
    if (close && close < end) {
      hit |= class_named(at + 2, (size_t)(close - at - 2), c);
      at = close + 2;
      continue;
    }
    if (*at == '\\' && at + 1 < end) at++;
    unsigned char low = (unsigned char)*at++, high = low;
    if (at + 1 < end && at[0] == '-' && at[1] != ']') {
      at++;
      if (*at == '\\' && at + 1 < end) at++;
      high = (unsigned char)*at++;
    }
    hit |= c == low || (c >= low && c <= high); /* to git the first character counts also in a range that is none */
  }
  *closed = at < end;
  *p = *closed ? at + 1 : end;
  return *closed && hit != negated;
}

/* One character of the pattern at *p against `c`; moves *p behind it. */
static bool step_matches(const char **p, const char *end, unsigned char c) {
  char pattern = *(*p)++;
  if (pattern == '?') return true;
  bool closed;
  if (pattern == '[') return class_matches(p, end, c, &closed);
  if (pattern == '\\') {
    if (*p == end) return false;
    pattern = *(*p)++;
  }
  return (unsigned char)pattern == c;
}

static bool segment_matches(const char *p, const char *p_end, const char *t, const char *t_end) {
  const char *star = NULL, *star_text = NULL;
  while (t < t_end) {
    if (p < p_end && *p == '*') {
      while (p < p_end && *p == '*') p++;
      star = p;
      star_text = t;
      continue;
    }
    if (p < p_end && step_matches(&p, p_end, (unsigned char)*t)) {
      t++;
      continue;
    }
    if (!star) return false;
    p = star;
    t = ++star_text;
  }
  while (p < p_end && *p == '*') p++;
  return p == p_end;
}

static const char *segment_end(const char *text) {
  const char *slash = strchr(text, '/');
  return slash ? slash : text + strlen(text);
}

/* A '/' inside "[...]" or after a backslash ends no segment of a pattern. */
static const char *pattern_segment_end(const char *p) {
  const char *end = p + strlen(p);
  while (p < end && *p != '/') {
    const char *after = p + 1;
    bool closed = false;
    if (*p == '[') class_matches(&after, end, '/', &closed);
    if (*p == '\\' && p + 1 < end) closed = ++after > p;
    p = closed ? after : p + 1;
  }
  return p;
}

static const char *segment_next(const char *end) { return *end == '/' ? end + 1 : NULL; }

bool ignore_pattern_matches(const char *pattern, const char *path) {
  const char *p = pattern, *t = path, *star = NULL, *star_text = NULL;
  while (t) {
    const char *t_end = segment_end(t);
    if (p) {
      const char *p_end = pattern_segment_end(p);
      if (p_end - p == 2 && p[0] == '*' && p[1] == '*') {
        p = segment_next(p_end);
        if (!p) return true; /* a last "**" takes all that is inside */
        star = p;
        star_text = t;
        continue;
      }
      if (segment_matches(p, p_end, t, t_end)) {
        p = segment_next(p_end);
        t = segment_next(t_end);
        continue;
      }
    }
    if (!star) return false;
    star_text = segment_next(segment_end(star_text));
    p = star;
    t = star_text;
  }
  return p == NULL;
}

static void add_rule(ignore_rules *rules, const char *line, size_t len, size_t base_len) {
  ignore_rule rule = {.base_len = base_len};
  while (len > 0 && line[len - 1] == ' ' && (len < 2 || line[len - 2] != '\\')) len--;
  if (len == 0 || line[0] == '#' || rules->count >= RULES_MAX) return;
  if (line[0] == '!') {
    rule.negated = true;
    line++;
    len--;
  }
  if (len > 0 && line[len - 1] == '/') {
    rule.folder_only = true;
    len--;
  }
  rule.anchored = memchr(line, '/', len) != NULL;
  if (len > 0 && line[0] == '/') {
    line++;
    len--;
  }
  if (len == 0) return;
  rule.pattern = cli_copy(line, len);
  if (rules->count == rules->cap) {
    rules->cap = rules->cap ? rules->cap * 2 : 32;
    rules->items = cli_grow(rules->items, rules->cap, sizeof *rules->items);
  }
  rules->items[rules->count++] = rule;
}

static size_t base_length(const char *base) {
  size_t len = strlen(base);
  return len == 1 ? 0 : len; /* "/" */
}

void ignore_load(ignore_rules *rules, const char *file, const char *base) {
  struct stat st;
  cli_bytes text = {0};
  int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return;
  bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && cli_read_all(fd, RULE_FILE_MAX, &text) == 0;
  close(fd);
  const char *at = cli_z(&text), *end = at + text.len;
  if (text.len >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
  while (good && at < end) {
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    if (!line_end) line_end = end;
    size_t len = (size_t)(line_end - at);
    if (len > 0 && line_end < end && at[len - 1] == '\r') len--;
    add_rule(rules, at, len, base_length(base));
    at = line_end < end ? line_end + 1 : end;
  }
  cli_release(&text);
}

void ignore_cut(ignore_rules *rules, size_t count) {
  while (rules->count > count) free(rules->items[--rules->count].pattern);
  if (count == 0) {
    free(rules->items);
    *rules = (ignore_rules){0};
  }
}

bool ignore_matches(const ignore_rules *rules, const char *path, bool is_folder) {
  const char *name = strrchr(path, '/') + 1;
  for (size_t i = rules->count; i > 0; i--) {
    const ignore_rule *rule = &rules->items[i - 1];
    if (rule->folder_only && !is_folder) continue;
    const char *below = path + rule->base_len + 1;
    bool hit = rule->anchored ? ignore_pattern_matches(rule->pattern, below)
                              : segment_matches(rule->pattern, rule->pattern + strlen(rule->pattern), name,
                                                name + strlen(name));
    if (hit) return !rule->negated;
  }
  return false;
}

/* ---- what holds above a folder ---- */

static void load_in(ignore_rules *rules, const char *folder, const char *name, const char *base) {
  cli_bytes file = {0};
  cli_addf(&file, "%s/%s", folder, name);
  ignore_load(rules, cli_z(&file), base);
  cli_release(&file);
}

static void load_user_rules(ignore_rules *rules, const char *base) {
  const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
  if (config && *config) {
    load_in(rules, config, "git/ignore", base);
  } else if (home && *home) {
    load_in(rules, home, ".config/git/ignore", base);
  }
}

/* Length of the path of the repository that `path` is in, SIZE_MAX when in none. */
static size_t find_repository(const char *path) {
  size_t len = strlen(path);
  cli_bytes probe = {0};
  struct stat st;
  bool found = false;
  for (;;) {
    cli_clear(&probe);
    cli_add(&probe, path, len);
    cli_addz(&probe, "/.git");
    found = lstat(cli_z(&probe), &st) == 0;
    if (found || len == 0) break;
    do len--;
    while (len > 0 && path[len] != '/');
  }
  cli_release(&probe);
  return found ? len : SIZE_MAX;
}

void ignore_load_above(ignore_rules *rules, const char *path) {
  size_t root = find_repository(path);
  if (root == SIZE_MAX) return;
  char *folder = cli_copy(path, strlen(path));
  folder[root] = '\0';
  const char *base = root ? folder : "/";
  load_user_rules(rules, base);
  load_in(rules, folder, ".git/info/exclude", base);
  /* Down to the parent of `path`. Whoever names an ignored folder wants it: then what is above does not hold. */
  for (size_t at = root; path[at] != '\0';) {
    load_in(rules, folder, ".gitignore", at ? folder : "/");
    folder[at] = '/';
    do at++;
    while (path[at] != '/' && path[at] != '\0');
    folder[at] = '\0';
    if (ignore_matches(rules, folder, true)) {
      ignore_cut(rules, 0);
      break;
    }
  }
  free(folder);
}
