/*
 * What --filter says.
 */
#include "filter_option.h"

#include <stdlib.h>
#include <string.h>

typedef struct parts {
  const char *name, *value, *to; /* to: where a range's second bound stands */
  size_t name_len, value_len;
  enum { PART_IS, PART_PREFIX, PART_RANGE } kind;
} parts;

static parts take_apart(const char *given) {
  parts p = {.name = given, .kind = PART_IS};
  cli_pair(given, &p.value, &p.name_len);
  p.value_len = strlen(p.value);
  if (*p.value == '=') {
    p.value++;
    p.value_len--;
    return p;
  }
  const char *dots = strstr(p.value, "..");
  if (dots && p.value_len > 2) {
    p.kind = PART_RANGE;
    p.value_len = (size_t)(dots - p.value);
    p.to = dots + 2;
  } else if (p.value_len > 1 && p.value[p.value_len - 1] == '*') {
    p.kind = PART_PREFIX;
    p.value_len--;
  }
  return p;
}

aiorch_status filter_add(aiorch_run *run, const char *given) {
  parts p = take_apart(given);
  if (p.kind == PART_PREFIX) return aiorch_run_add_filter_prefix(run, p.name, p.name_len, p.value, p.value_len);
  if (p.kind == PART_RANGE) {
    size_t to_len = strlen(p.to);
    return aiorch_run_add_filter_range(run, p.name, p.name_len, p.value_len ? p.value : NULL, p.value_len,
                                       to_len ? p.to : NULL, to_len);
  }
  return aiorch_run_add_filter(run, p.name, p.name_len, p.value, p.value_len);
}

static void add_form(json_print *out, const parts *p) {
  if (p->kind == PART_IS) {
    jp_str(out, p->value, p->value_len);
    return;
  }
  jp_open(out, '{');
  if (p->kind == PART_PREFIX) {
    jp_key(out, "prefix");
    jp_str(out, p->value, p->value_len);
  }
  if (p->kind == PART_RANGE && p->value_len > 0) {
    jp_key(out, "from");
    jp_str(out, p->value, p->value_len);
  }
  if (p->kind == PART_RANGE && *p->to) jp_kz(out, "to", p->to);
  jp_close(out, '}');
}

/* Forms of one name stand in one list. */
char *filter_json(const cli_list *given) {
  json_print out = {0};
  if (given->count == 0) return NULL;
  jp_open(&out, '{');
  for (size_t i = 0; i < given->count; i++) {
    parts p = take_apart(given->items[i]);
    size_t earlier = 0;
    while (earlier < i && strncmp(given->items[earlier], p.name, p.name_len + 1) != 0) earlier++;
    if (earlier < i) continue;
    char *name = cli_copy(p.name, p.name_len);
    jp_key(&out, name);
    jp_open(&out, '[');
    for (size_t j = i; j < given->count; j++) {
      parts other = take_apart(given->items[j]);
      if (strncmp(given->items[j], p.name, p.name_len + 1) == 0) add_form(&out, &other);
    }
    jp_close(&out, ']');
    free(name);
  }
  jp_close(&out, '}');
  return out.out.data;
}
