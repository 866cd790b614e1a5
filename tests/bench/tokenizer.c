/*
 * How fast the tokenizer of the local embedder is: loading a vocabulary, and text to ids on one core.
 *
 *   tokenizer [--json] MODEL TEXT...
 *
 * MODEL is a folder with vocab.txt and tokenizer.json, each TEXT a file. Text is cut into pieces of about 1,000 bytes
 * at line ends, as an embedder meets it, and encoded without a limit that cuts. Each figure is the best of many rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "embedders/local/wordpiece.h"
#include "support/figures.h"

enum { ROUNDS = 30, PIECE = 1000, TOKENS_MAX = 1 << 16 };

static aio__str read_file(const char *path) {
  struct stat st;
  FILE *file = fopen(path, "rb");
  if (!file || fstat(fileno(file), &st) != 0) die(path, "it cannot be read");
  char *bytes = malloc((size_t)st.st_size + 1);
  if (!bytes || fread(bytes, 1, (size_t)st.st_size, file) != (size_t)st.st_size) die(path, "it cannot be read");
  fclose(file);
  return (aio__str){bytes, (size_t)st.st_size};
}

static aio__wordpiece *load(aio__str file, const char *path, int json) {
  aiorch_error *error = NULL;
  aio__wordpiece *tokenizer = NULL;
  if (aiorch_error_new(&error)) die(path, "out of memory");
  const aio__alloc *al = aio__alloc_default();
  aiorch_status status = json ? aio__wordpiece_from_json(al, file, path, &tokenizer, error)
                              : aio__wordpiece_from_vocabulary(al, file, true, path, &tokenizer, error);
  if (status) die("the model", aiorch_error_message(error));
  aiorch_error_free(error);
  return tokenizer;
}

static double load_ms(aio__str file, const char *path, int json) {
  double best = 1e9;
  for (int i = 0; i < ROUNDS; i++) {
    double begin = now_s();
    aio__wordpiece *tokenizer = load(file, path, json);
    double took = now_s() - begin;
    if (took < best) best = took;
    aio__wordpiece_free(tokenizer);
  }
  return best * 1e3;
}

static size_t encode_all(const aio__wordpiece *tokenizer, aio__str text) {
  static int32_t ids[TOKENS_MAX];
  size_t tokens = 0;
  for (size_t at = 0; at < text.n;) {
    size_t n = text.n - at < PIECE ? text.n - at : PIECE, count;
    const char *feed = memchr(text.p + at + n, '\n', text.n - at - n);
    n = feed ? (size_t)(feed - text.p) - at + 1 : text.n - at;
    bool truncated;
    aio__wordpiece_encode(tokenizer, aio__str_n(text.p + at, n), TOKENS_MAX, ids, &count, &truncated);
    if (truncated) die("a text", "it has too long a line");
    tokens += count;
    at += n;
  }
  return tokens;
}

int main(int argc, char **argv) {
  char path[2][4096];
  int at = 1, json = argc > 1 && strcmp(argv[1], "--json") == 0;
  at += json;
  if (argc - at < 2) return fprintf(stderr, "usage: tokenizer [--json] MODEL TEXT...\n"), 2;
  snprintf(path[0], sizeof path[0], "%s/vocab.txt", argv[at]);
  snprintf(path[1], sizeof path[1], "%s/tokenizer.json", argv[at]);
  aio__str file[2] = {read_file(path[0]), read_file(path[1])};
  double took[2] = {load_ms(file[0], path[0], 0), load_ms(file[1], path[1], 1)};
  aio__wordpiece *tokenizer = load(file[0], path[0], 0);
  if (!json) printf("vocab.txt loaded in %.2f ms, tokenizer.json in %.2f ms\n", took[0], took[1]);
  for (at++; at < argc; at++) {
    aio__str text = read_file(argv[at]);
    double best = 1e9;
    size_t tokens = 0;
    for (int i = 0; i < ROUNDS; i++) {
      double begin = now_s();
      tokens = encode_all(tokenizer, text);
      double seconds = now_s() - begin;
      if (seconds < best) best = seconds;
    }
    double rate = (double)text.n / 1e6 / best;
    if (json)
      printf("{\"text\": \"%s\", \"mb_per_s\": %.1f, \"tokens\": %zu, \"vocab_ms\": %.3f, \"json_ms\": %.3f}\n",
             argv[at], rate, tokens, took[0], took[1]);
    else
      printf("%s: %zu bytes, %zu tokens, %.1f MB/s\n", argv[at], text.n, tokens, rate);
    free((char *)(uintptr_t)text.p);
  }
  aio__wordpiece_free(tokenizer);
  free((char *)(uintptr_t)file[0].p);
  free((char *)(uintptr_t)file[1].p);
  return 0;
}
