/*
 * What the files of the command line share. Of libaiorch it uses the public headers and nothing else.
 */
#ifndef CLI_H
#define CLI_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <aiorch/aiorch.h>

/* ---- exit codes: session.c maps every status to one of them ---- */
typedef enum cli_exit {
  CLI_EXIT_OK = 0,
  CLI_EXIT_INTERNAL = 1,
  CLI_EXIT_USAGE = 2,
  CLI_EXIT_REFUSED = 3,
  CLI_EXIT_LIMITED = 4,
  CLI_EXIT_PROVIDERS = 5,
  CLI_EXIT_STORE = 6,
  CLI_EXIT_CONFIG = 7,
  CLI_EXIT_DEADLINE = 8,
  CLI_EXIT_NOT_FOUND = 9,
  CLI_EXIT_INTERRUPTED = 130
} cli_exit;

/* ---- bytes.c: memory that never fails (the program ends with a message instead), growing text, files ---- */
typedef struct cli_bytes {
  char *data; /* followed by a NUL byte when not NULL */
  size_t len, cap;
} cli_bytes;

void *cli_alloc(size_t size);                        /* zeroed */
void *cli_grow(void *memory, size_t count, size_t size);
char *cli_copy(const char *text, size_t len);
void cli_fit(char *out, size_t room, const char *text); /* as much of it as there is room for, and a NUL */
void cli_reserve(cli_bytes *b, size_t more);         /* room for so many, that they come without moving what is there */
void cli_add(cli_bytes *b, const char *text, size_t len);
void cli_addz(cli_bytes *b, const char *text);
void cli_addc(cli_bytes *b, char c);
void cli_addf(cli_bytes *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_addv(cli_bytes *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
const char *cli_z(const cli_bytes *b);               /* "" when empty */
void cli_clear(cli_bytes *b);                        /* keeps the memory */
void cli_release(cli_bytes *b);
/* Reads a stream to its end, at most `max` bytes. 0, or an errno (EFBIG above max). */
int cli_read_all(int fd, size_t max, cli_bytes *out);
/* The length of the valid UTF-8 character at `text`, 0 when there is none. */
size_t cli_utf8_len(const char *text, size_t len);
bool cli_utf8_valid(const char *text, size_t len);
/* Writes a code point, also half of a surrogate pair: how many bytes. */
size_t cli_utf8_put(char to[4], uint32_t code_point);
int cli_hex(char c);                                 /* of a hexadecimal digit; -1: it is none */
/* Reads what follows "\u" in JSON, with the other half of a surrogate pair where that is there, and moves past it. */
bool cli_unicode_escape(const char **at, const char *end, uint32_t *code_point);

typedef struct cli_list { /* of texts that it owns */
  char **items;
  size_t count, cap;
} cli_list;
void cli_list_add(cli_list *list, const char *text, size_t len);
void cli_list_free(cli_list *list);

/* ---- arguments.c: what was written on the command line ---- */
typedef enum cli_color { CLI_COLOR_AUTO, CLI_COLOR_ALWAYS, CLI_COLOR_NEVER } cli_color;

typedef struct cli_options {
  const char *config, *store, *tenant, *user, *since, *until, *by, *after, *system;
  const char *source, *ca, *model, *precision, *purpose, *cache, *max_age, *cache_threshold;
  const char *provider, *tier, *schema, *effort, *runs_before, *from_schema, *listen, *name, *expires;
  bool json, stream_json, quiet, help, version, prune, dry_run;
  bool status, unpinned, offline, no_embed, forget_old, no_cache, any_store, poison, settings;
  cli_color color;
  int64_t limit, timeout_s, threads, seconds, max_tokens, history, to; /* 0: not given */
  cli_list set, filter, metadata, sha256, image, roles;
} cli_options;

typedef enum cli_option_id {
  OPT_CONFIG, OPT_STORE, OPT_TENANT, OPT_USER, OPT_SET, OPT_JSON, OPT_STREAM_JSON, OPT_QUIET, OPT_COLOR, OPT_HELP,
  OPT_VERSION, /* up to here: global */
  OPT_LIMIT, OPT_FILTER, OPT_METADATA, OPT_PRUNE, OPT_DRY_RUN, OPT_SINCE, OPT_UNTIL, OPT_BY, OPT_AFTER, OPT_SYSTEM,
  OPT_NO_CACHE, OPT_CACHE, OPT_MAX_AGE, OPT_CACHE_THRESHOLD, OPT_NO_EMBED, OPT_THREADS, OPT_MAX_TIME, OPT_FORGET_OLD,
  OPT_MODEL, OPT_PRECISION, OPT_PURPOSE, OPT_SOURCE, OPT_SHA256, OPT_UNPINNED, OPT_OFFLINE, OPT_CA, OPT_TIMEOUT,
  OPT_PROVIDER, OPT_ASK_MODEL, OPT_TIER, OPT_IMAGE, OPT_SCHEMA, OPT_MAX_TOKENS, OPT_EFFORT, OPT_HISTORY, OPT_CHECK_TIMEOUT,
  OPT_ANY_STORE, OPT_POISON, OPT_TO, OPT_STATUS, OPT_DRY_MIGRATION, OPT_DRY, OPT_RUNS_BEFORE, OPT_FROM_SCHEMA, OPT_FOR_ROLE, OPT_LISTEN, OPT_SETTINGS,
  OPT_KEY_NAME, OPT_EXPIRES,
  OPT_COUNT
} cli_option_id;

enum { OPT_GLOBALS = OPT_VERSION + 1 };

typedef struct cli_option_spec {
  const char *name;     /* "--limit" */
  const char *argument; /* NULL: takes none */
  const char *help;
} cli_option_spec;

/* Two options may have one name, when it means different things to different commands. */
const cli_option_spec *cli_option(int id);

struct cli;
typedef struct cli_command {
  const char *name;
  const char *arguments;     /* "QUERY..." */
  const char *summary;       /* one line for the overview */
  const char *text;          /* what it does, a paragraph or two */
  const char *example;       /* commands and what they show */
  int (*run)(struct cli *cli);
  size_t args_min, args_max; /* args_max 0: none; SIZE_MAX: any number */
  uint64_t options;          /* bits of its own options, 1 << cli_option_id */
} cli_command;

/* The one thing handed to every command. */
typedef struct cli {
  cli_options opt;
  const cli_command *command;
  char **args; /* after the command's name */
  size_t arg_count;
  bool out_is_terminal, err_is_terminal, color_out, color_err;
  int width;   /* columns of the terminal, 80 when there is none */
  aiorch_config *config;
  aiorch *orch;
  aiorch_error *error;
  int64_t timeout_ms;
} cli;

extern const cli_command cli_commands[];
/* Fills cli->opt, command and args. CLI_EXIT_OK, or CLI_EXIT_USAGE after a message. */
int cli_parse(cli *c, int argc, char **argv);
void cli_options_free(cli *c);
/* "NAME=VALUE" cut in two; false when there is no '=' or no name. */
bool cli_pair(const char *text, const char **value, size_t *name_len);
/* All arguments from `from` on, joined by spaces; "-" alone reads stdin. Usage or system errors are printed. */
int cli_text_argument(cli *c, size_t from, cli_bytes *out);

/* ---- nearest.c ---- */
/* The candidate nearest to `word` by edits, NULL when none is near. `next` gives NULL past the last. */
const char *cli_nearest(const char *word, const char *(*next)(size_t index, void *context), void *context);

/* ---- help.c ---- */
void cli_help_overview(const cli *c, FILE *out);
void cli_help_command(const cli *c, const cli_command *command, FILE *out);

/* ---- session.c: configuration, orchestrator, exit codes ---- */
int cli_configure(cli *c);              /* defaults, environment, --config, --store, --set */
int cli_open(cli *c);                   /* cli_configure, then aiorch_open */
void cli_close(cli *c);
cli_exit cli_exit_of(aiorch_status status);
int cli_fail_error(cli *c, const aiorch_error *error); /* prints it; returns its exit code */
int cli_fail(cli *c);                                  /* cli->error */
size_t cli_tenant_len(const cli *c);
/* "config show": the type of a setting (AIORCH_TYPE_*), 0 when there is none of this name. */
int cli_setting_type(const char *key);

/* ---- terminal.c: colours, widths, errors ---- */
typedef enum cli_style { STYLE_BOLD, STYLE_DIM, STYLE_GREEN, STYLE_YELLOW, STYLE_RED, STYLE_CYAN } cli_style;
void cli_terminal_init(cli *c);
const char *cli_on(const cli *c, cli_style style); /* for stdout; "" without colour */
const char *cli_off(const cli *c);
/* Text from documents, models or the store: on a terminal, control characters are made visible as '?'. */
void cli_put(const cli *c, const char *text, size_t len);
void cli_putz(const cli *c, const char *text);
/* The same, wrapped at words to the terminal's width, each line after `indent` spaces; at most `lines` (0: all). */
void cli_put_wrapped(const cli *c, const char *text, size_t len, int indent, int lines);
size_t cli_columns(const char *text, size_t len); /* how wide it stands on a terminal */
/* One line "aiorch: ..." on stderr; with --json also the error object on stdout. Returns the exit code. */
int cli_error(cli *c, cli_exit code, aiorch_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
int cli_usage(cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
void cli_error_line(const cli *c, const char *message);
void cli_warn(const cli *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- format.c: numbers for people ---- */
void cli_size_text(uint64_t bytes, char out[32]);        /* "4.2 MB" */
void cli_time_text(int64_t us, char out[32]);            /* "12 ms", "3.4 s", "2 min 5 s" */
void cli_usd_text(int64_t nano_usd, char out[40]);       /* "$0.00125", exact */
void cli_date_text(int64_t ms, char out[32]);            /* "2026-01-31 14:05" (local) */
bool cli_moment(const char *text, int64_t now_ms, int64_t *out); /* "2026-01-31", "...T14:00Z", "7d", "12h" */
bool cli_seconds(const char *text, int64_t *out);                /* "90", "90s", "15m", "12h", "7d", "4w" */
int64_t cli_now_ms(void);
int64_t cli_mono_ms(void);
int64_t cli_mono_us(void);

/* ---- json_read.c: reads JSON ---- */
typedef enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT } json_type;
typedef struct json_value {
  json_type type;
  bool truth;
  char *text;                /* JSON_TEXT: decoded; JSON_NUMBER: as written; NUL-terminated */
  size_t len;
  char *name;                /* its key, when a member of an object */
  struct json_value *child, *next;
} json_value;
/* NULL when it is not JSON; `where` is then the byte at which it went wrong. Depth at most 64. */
json_value *json_parse(const char *text, size_t len, size_t *where);
json_value *json_take(aiorch_text *text); /* parsed; the text is freed. NULL makes NULL */
void json_free(json_value *value);
const json_value *json_get(const json_value *object, const char *name);
const char *json_text(const json_value *object, const char *name); /* "" when absent or null */
int64_t json_i64(const json_value *object, const char *name);      /* 0 when absent or null */
bool json_is_null(const json_value *object, const char *name);     /* absent or null */
double json_f64(const json_value *object, const char *name);       /* NaN when absent or null */
bool json_truth(const json_value *object, const char *name);       /* false when absent or null */
/* Pieces of a valid JSON text as they stand. The place after '[' or '{' of the member `name` of the outermost object; NULL
 * when there is none such. */
const char *json_raw_member(const char *json, size_t len, const char *name);
/* The next element of an array from *at on; false after the last. */
bool json_raw_next(const char **at, const char *end, const char **element, size_t *len);

/* ---- json_print.c: writes JSON ---- */
typedef struct json_print {
  cli_bytes out;
  bool comma;
} json_print;
void jp_open(json_print *p, char bracket);            /* '{' or '[' */
void jp_close(json_print *p, char bracket);           /* '}' or ']' */
void jp_key(json_print *p, const char *name);
void jp_str(json_print *p, const char *text, size_t len); /* bytes that are not UTF-8 become U+FFFD */
void jp_z(json_print *p, const char *text);           /* NULL writes null */
void jp_i64(json_print *p, int64_t value);
void jp_bool(json_print *p, bool value);
void jp_raw(json_print *p, const char *json, size_t len);
void jp_kz(json_print *p, const char *name, const char *text);
void jp_ki64(json_print *p, const char *name, int64_t value);
void jp_error(json_print *p, const aiorch_error *error);   /* the object of the member "error" */
void jp_finish(json_print *p);                        /* one line on stdout, and release */
void json_pretty(const char *json, size_t len);       /* indented, on stdout */

/* ---- interrupt.c: Ctrl-C asks for the end; twice ends at once ---- */
void cli_interrupt_init(void);
bool cli_interrupted(void);
bool cli_wait_readable(int fd);  /* waits until there is something to read; false when Ctrl-C came */
void cli_interrupt_forget(void); /* what it was for has ended: the next one is the first again */

/* ---- progress.c: a bar on a terminal, nothing elsewhere ---- */
typedef struct cli_progress {
  bool shown;
  int width;
  bool color;
  const char *unit; /* what is counted in place of files and bytes; NULL: those */
  int64_t started_ms, drawn_ms;
  uint64_t files, files_all, bytes, bytes_all, bytes_before; /* before: when it began */
} cli_progress;
void cli_progress_begin(cli_progress *p, const cli *c, uint64_t files, uint64_t bytes);
/* A bar that counts things of one kind: "passages". */
void cli_progress_count(cli_progress *p, const cli *c, const char *unit, uint64_t all);
void cli_progress_to(cli_progress *p, uint64_t done);    /* so many bytes, or things, are done */
void cli_progress_step(cli_progress *p, uint64_t bytes); /* one file done */
void cli_progress_clear(cli_progress *p);                /* takes the bar away, so that a line can be printed */

#endif
