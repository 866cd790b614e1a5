/*
 * Dates: months, weekdays, today and its like, last week, times of day, decades. A date in figures is its month here;
 * day and year are numbers like others (hit_guard_numbers.c), so that "May 3, 2024", "2024-05-03" and "3rd of May 2024"
 * have the same facts.
 */
#include "guard/hit_guard_parts.h"

enum { MONTH = 1, WEEKDAY, DAY, STEP, CLOCK, DECADE, DAY_OR_MONTH };

static void add(aio__hit_text *text, uint64_t kind, uint64_t value, uint32_t first, uint32_t last) {
  aio__hit_facts *facts = &text->dates;
  if (facts->n == facts->cap) {
    facts->full = true;
    return;
  }
  facts->fact[facts->n++] =
    (aio__hit_fact){.a = kind, .b = value, .first = first, .last = last, .passing = kind == DAY || kind == STEP};
}

/* ---- in figures -------------------------------------------------------------------------------------------------- */

static unsigned number_at(aio__str text, size_t *pos) {
  unsigned n = 0;
  while (*pos < text.n && text.p[*pos] >= '0' && text.p[*pos] <= '9' && n < 100000)
    n = n * 10 + (unsigned)(text.p[(*pos)++] - '0');
  (*pos)++; /* the separator */
  return n;
}

bool aio__hit_date_parts(aio__str text, unsigned *year, unsigned *month, unsigned *day) {
  size_t pos = 0;
  unsigned a = number_at(text, &pos);
  bool year_first = pos == 5, points = pos <= text.n && text.p[pos - 1] == '.';
  unsigned b = number_at(text, &pos), c = number_at(text, &pos);
  if (year_first) {
    *year = a, *month = b, *day = c;
  } else {
    *year = c < 100 ? 2000 + c : c, *month = a, *day = b;
    if (points || a > 12) *month = b, *day = a; /* 3.5.2024 is the third of May; there is no month 25 */
  }
  if (*day < 1 || *day > 31 || *month < 1 || *month > 12) return false;
  bool unclear = !year_first && !points && a <= 12 && b <= 12 && a != b;
  if (unclear) *month = 0, *day = 32 * a + b;
  return true;
}

static bool is_number(const aio__hit_token *t) {
  return t->kind == AIO__HIT_NUMBER || AIO__HIT_HAS(t->entry, ORDINAL) ||
         (AIO__HIT_HAS(t->entry, NUMBER) && t->entry->number > 0);
}

/* Minutes of the day of "5", "5:30" or "five", with am or pm behind it or not; -1 when it is none. */
static int minutes_of(const aio__hit_token *t, bool am, bool pm) {
  size_t pos = 0;
  unsigned hour = 0, minute = 0;
  if (t->kind == AIO__HIT_WORD) {
    if (!AIO__HIT_HAS(t->entry, NUMBER)) return -1;
    hour = (unsigned)(t->entry->number < 25 ? t->entry->number : 25);
  } else {
    if (t->text.n > 5) return -1;
    for (size_t i = 0; i < t->text.n; i++) {
      if (t->text.p[i] == '.' || t->text.p[i] == '-') return -1;
    }
    hour = number_at(t->text, &pos);
    if (t->kind == AIO__HIT_CLOCK) minute = number_at(t->text, &pos);
  }
  if (hour > 24 || minute > 59) return -1;
  if ((am || pm) && hour == 12) hour = 0;
  if (pm && hour < 12) hour += 12;
  return (int)(hour % 24 * 60 + minute);
}

/* ---- in words ---------------------------------------------------------------------------------------------------- */

/* "may", "march", "sun" are dates when their neighbours or their capital say so. */
static bool is_date_word(const aio__hit_text *text, uint32_t i) {
  const aio__hit_token *t = &text->tokens[i];
  if (!AIO__HIT_HAS(t->entry, AMBIGUOUS_DATE)) return true;
  if (t->kind != AIO__HIT_WORD) return false;
  const aio__hit_token *before = i > 0 ? t - 1 : NULL, *after = i + 1 < text->n ? t + 1 : NULL;
  bool month = AIO__HIT_HAS(t->entry, MONTH);
  if (month && after != NULL && (after->kind == AIO__HIT_NUMBER || AIO__HIT_HAS(after->entry, ORDINAL))) return true;
  if (month && before != NULL && (before->kind == AIO__HIT_NUMBER || AIO__HIT_HAS(before->entry, ORDINAL))) return true;
  if (!text->flat && (t->flags & AIO__HIT_CAPITAL) != 0 && (t->flags & (AIO__HIT_STARTS | AIO__HIT_CAPS)) == 0)
    return true;
  return before != NULL && AIO__HIT_HAS(before->entry, BEFORE_DATE) && (t->flags & AIO__HIT_STARTS) == 0;
}

/* last week, next Monday, this year. */
static uint32_t find_step(aio__hit_text *text, uint32_t i) {
  const aio__hit_token *t = &text->tokens[i];
  if (i + 1 == text->n || (t->flags & AIO__HIT_ENDS) != 0) return 0;
  const aio__hit_entry *step = t->entry, *after = t[1].entry;
  if (AIO__HIT_HAS(after, PERIOD)) {
    add(text, STEP, step->step * 256u + after->period, i, i + 1);
    return 2;
  }
  bool named = AIO__HIT_HAS(after, WEEKDAY) || (AIO__HIT_HAS(after, MONTH) && is_date_word(text, i + 1));
  if (named && step->step != 2) add(text, STEP, step->step * 256u, i, i + 1); /* "this Monday" is Monday */
  return named ? 1 : 0;
}

static uint32_t find_clock(aio__hit_text *text, uint32_t i) {
  aio__hit_token *t = &text->tokens[i];
  const aio__hit_entry *after = i + 1 < text->n && (t->flags & AIO__HIT_ENDS) == 0 ? t[1].entry : NULL;
  bool am = AIO__HIT_HAS(after, AM) && t[1].kind == AIO__HIT_WORD, pm = AIO__HIT_HAS(after, PM);
  if (t->kind != AIO__HIT_CLOCK && !am && !pm) return 0;
  int minutes = minutes_of(t, am, pm);
  if (minutes < 0 || (t->kind != AIO__HIT_CLOCK && !am && !pm)) return 0;
  uint32_t last = am || pm ? i + 1 : i;
  add(text, CLOCK, (uint64_t)minutes, i, last);
  for (uint32_t k = i; k <= last; k++) text->tokens[k].flags = (uint16_t)(text->tokens[k].flags | AIO__HIT_USED);
  return last - i + 1;
}

static void find_date(aio__hit_text *text, uint32_t i) {
  unsigned year, month, day;
  if (!aio__hit_date_parts(text->tokens[i].text, &year, &month, &day)) return;
  if (month > 0)
    add(text, MONTH, month, i, i);
  else
    add(text, DAY_OR_MONTH, day, i, i);
}

static void find_decade(aio__hit_text *text, uint32_t i) {
  size_t pos = 0;
  aio__hit_token *t = &text->tokens[i];
  unsigned decade = number_at(t->text, &pos);
  if (decade < 100) decade += decade < 30 ? 2000 : 1900;
  add(text, DECADE, decade, i, i);
  t->flags = (uint16_t)(t->flags | AIO__HIT_USED);
}

void aio__hit_dates_find(aio__hit_text *text) {
  for (uint32_t i = 0; i < text->n;) {
    aio__hit_token *t = &text->tokens[i];
    const aio__hit_entry *e = t->entry;
    uint32_t used = 0;
    if (t->kind == AIO__HIT_DATE) {
      find_date(text, i);
    } else if ((t->flags & AIO__HIT_DECADE) != 0) {
      find_decade(text, i);
    } else if (t->kind == AIO__HIT_CLOCK || is_number(t)) {
      used = find_clock(text, i);
    } else if (AIO__HIT_HAS(e, MONTH) || AIO__HIT_HAS(e, WEEKDAY)) {
      bool month = AIO__HIT_HAS(e, MONTH);
      if (is_date_word(text, i)) add(text, month ? MONTH : WEEKDAY, month ? e->month : e->weekday, i, i);
    } else if (AIO__HIT_HAS(e, DAY)) {
      add(text, DAY, e->day, i, i);
    } else if (AIO__HIT_HAS(e, TIME)) {
      bool twelve = i > 0 && t[-1].kind == AIO__HIT_NUMBER && aio__hit_is(&t[-1], "12"); /* 12 noon */
      if (twelve) t[-1].flags = (uint16_t)(t[-1].flags | AIO__HIT_USED);
      add(text, CLOCK, e->minute, i, i);
    } else if (AIO__HIT_HAS(e, STEP)) {
      used = find_step(text, i);
    }
    i += used > 0 ? used : 1;
  }
}
