/*
 * Help that teaches: what a command does, its options, and an example to copy.
 */
#include "cli.h"

#include <string.h>

static void print_option(const cli *c, int id, FILE *out) {
  const cli_option_spec *spec = cli_option(id);
  cli_bytes left = {0};
  cli_addz(&left, spec->name);
  if (spec->argument) cli_addf(&left, " %s", spec->argument);
  if (left.len > 24) {
    fprintf(out, "  %s\n  %26s%s\n", cli_z(&left), "", spec->help);
  } else {
    fprintf(out, "  %-24s  %s\n", cli_z(&left), spec->help);
  }
  cli_release(&left);
  (void)c;
}

static void print_globals(const cli *c, FILE *out) {
  fprintf(out, "%sGlobal options%s (before or after the command)\n", cli_on(c, STYLE_BOLD), cli_off(c));
  for (int id = 0; id < OPT_GLOBALS; id++) print_option(c, id, out);
}

void cli_help_overview(const cli *c, FILE *out) {
  const char *bold = cli_on(c, STYLE_BOLD), *off = cli_off(c);
  fprintf(out,
          "%saiorch%s - answers from your documents, in seven stages:\n"
          "validate, rate_limit, cache_lookup, retrieve, generate, log_cost, cache_store\n\n"
          "%sUsage%s: aiorch COMMAND [ARGUMENTS] [OPTIONS]\n\n%sCommands%s\n",
          bold, off, bold, off, bold, off);
  for (size_t i = 0; cli_commands[i].name; i++) {
    fprintf(out, "  %-10s %s\n", cli_commands[i].name, cli_commands[i].summary);
  }
  fprintf(out,
          "\n%sFirst steps%s\n"
          "  aiorch ingest ~/manuals                 # take in a folder of text, Markdown and HTML\n"
          "  aiorch ask 'How do I change the port?'  # an answer with its sources\n"
          "  aiorch model pull all-MiniLM-L6-v2      # then questions and passages meet by meaning, too\n"
          "  aiorch ask --help                       # what a command can do, with an example\n\n",
          bold, off);
  print_globals(c, out);
  fprintf(out,
          "\n%sExit codes%s\n"
          "  0 ok   1 internal   2 usage   3 refused by a check   4 rate or budget limit   5 no provider\n"
          "  6 store   7 configuration   8 deadline   9 not found   130 interrupted\n",
          bold, off);
}

void cli_help_command(const cli *c, const cli_command *command, FILE *out) {
  const char *bold = cli_on(c, STYLE_BOLD), *off = cli_off(c);
  fprintf(out, "%saiorch %s%s - %s\n\n%sUsage%s: aiorch %s%s%s [OPTIONS]\n\n%s\n\n", bold, command->name, off,
          command->summary, bold, off, command->name, *command->arguments ? " " : "", command->arguments,
          command->text);
  fprintf(out, "%sExample%s\n%s\n", bold, off, command->example);
  if (command->options) {
    fprintf(out, "%sOptions%s\n", bold, off);
    for (int id = OPT_GLOBALS; id < OPT_COUNT; id++) {
      if (command->options & (UINT64_C(1) << id)) print_option(c, id, out);
    }
    fputc('\n', out);
  }
  print_globals(c, out);
}
