/*
 * See line_edit.h.
 */
#include "line_edit.h"

#include "lines.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef CLI_WITH_LIBEDIT
#include <histedit.h>
#include <wchar.h>
#endif

enum { LINES_BACK = 500 /* that the arrow keys bring back */ };

struct line_edit {
  lines in;
  const char *prompt;
  FILE *prompt_out;
#ifdef CLI_WITH_LIBEDIT
  EditLine *editor;
  History *history;
#endif
};

#ifdef CLI_WITH_LIBEDIT

static bool is_blank(const char *text, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') return false;
  }
  return true;
}

static char *prompt_of(EditLine *editor) {
  line_edit *l = NULL;
  el_get(editor, EL_CLIENTDATA, &l);
  return (char *)(uintptr_t)l->prompt;
}

static ssize_t read_byte(unsigned char *out) {
  ssize_t got;
  do {
    if (!cli_wait_readable(STDIN_FILENO)) return -1;
    got = read(STDIN_FILENO, out, 1);
  } while (got < 0 && errno == EINTR);
  return got;
}

/* One character. libedit's own reading goes on after Ctrl-C. */
static int read_character(EditLine *editor, wchar_t *out) {
  unsigned char bytes[4];
  ssize_t got = read_byte(bytes);
  (void)editor;
  if (got <= 0) return (int)got;
  size_t n = bytes[0] < 0xC0 ? 1 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
  for (size_t i = 1; i < n; i++) {
    if (read_byte(bytes + i) <= 0) return -1;
  }
  *out = (wchar_t)bytes[0];
  if (n == 1) return 1;
  if (cli_utf8_len((const char *)bytes, n) != n) {
    *out = L'?';
    return 1;
  }
  *out = (wchar_t)(bytes[0] & (0x7F >> n));
  for (size_t i = 1; i < n; i++) *out = (wchar_t)(*out << 6 | (bytes[i] & 0x3F));
  return 1;
}

static void begin_editing(line_edit *l) {
  HistEvent event;
  /* libedit thinks in characters; of the locale only that part is set. */
  if (!setlocale(LC_CTYPE, "") || MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
  l->editor = el_init("aiorch", stdin, stdout, stderr);
  l->history = history_init();
  if (!l->editor || !l->history) return;
  history(l->history, &event, H_SETSIZE, LINES_BACK);
  el_set(l->editor, EL_CLIENTDATA, l);
  el_set(l->editor, EL_PROMPT, prompt_of);
  el_set(l->editor, EL_EDITOR, "emacs");
  el_set(l->editor, EL_HIST, history, l->history);
  el_set(l->editor, EL_GETCFN, read_character);
}

static bool edited_line(line_edit *l, const char **line, size_t *len) {
  HistEvent event;
  int count = 0;
  const char *text;
  for (;;) {
    el_set(l->editor, EL_PREP_TERM, 1); /* before the prompt, so that nothing that is typed at it is taken by the terminal */
    if (cli_interrupted() || (text = el_gets(l->editor, &count)) == NULL || count <= 0) break;
    *line = text;
    *len = (size_t)count - (text[count - 1] == '\n');
    if (is_blank(*line, *len)) continue;
    history(l->history, &event, H_ENTER, text);
    return true;
  }
  el_set(l->editor, EL_PREP_TERM, 0);
  return false;
}

static void end_editing(line_edit *l) {
  if (l->editor) el_end(l->editor);
  if (l->history) history_end(l->history);
}

#endif

line_edit *line_edit_new(const cli *c, const char *prompt) {
  line_edit *l = cli_alloc(sizeof *l);
  bool shown = c->out_is_terminal && !c->opt.json && !c->opt.stream_json;
  l->in.fd = STDIN_FILENO;
  l->prompt = prompt;
  l->prompt_out = shown ? stdout : stderr;
#ifdef CLI_WITH_LIBEDIT
  const char *term = getenv("TERM");
  if (*prompt && shown && term && *term && strcmp(term, "dumb") != 0) begin_editing(l);
#endif
  return l;
}

bool line_edit_next(line_edit *l, const char **line, size_t *len) {
  lines_result result;
#ifdef CLI_WITH_LIBEDIT
  if (l->editor && l->history) return edited_line(l, line, len);
#endif
  do {
    if (*l->prompt) fputs(l->prompt, l->prompt_out);
    fflush(l->prompt_out);
    result = lines_next(&l->in, line, len);
  } while (result == LINES_TOO_LONG);
  if (result == LINES_LINE && (*line)[*len - 1] == '\r') (*len)--;
  return result == LINES_LINE;
}

int line_edit_error(const line_edit *l) { return l->in.error; }

void line_edit_free(line_edit *l) {
#ifdef CLI_WITH_LIBEDIT
  end_editing(l);
#endif
  lines_free(&l->in);
  free(l);
}
