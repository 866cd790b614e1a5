/*
 * How fast the local embedder is, beside ONNX Runtime in the same run.
 *
 *   local_embedder [--json] [--cpu NAME] [--rounds N] [--peer PYTHON SCRIPT CACHE] FOLDER
 *
 * FOLDER is a model with a vocab.txt (scripts/get-test-models.sh). PYTHON has onnx, onnxruntime and numpy, SCRIPT is
 * tests/bench/local_embedder_peer.py, and CACHE a folder for the graphs that it makes. Ours and the peer's take turns, N rounds (21)
 * of a few runs each: "p50" is the median over the rounds of the median of a round, "best" the shortest of all. Ours goes
 * from text to vector; the peer gets token ids.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "embedders/local/local.h"
#include "support/figures.h"

enum { ROUNDS_MAX = 101, RUNS_MAX = 101, WORDS_MAX = 20000, TEXT_MAX = 4096, BATCH = 32, BATCH_TOKENS = 64 };

typedef struct bench {
  const char *folder, *peer[3];
  aio__cpu cpu;
  int rounds, json;
  char *words[WORDS_MAX];
  size_t word_count;
  FILE *ask, *answer;
} bench;

/* ---- texts: words that are one token each ---- */

static void read_words(bench *b) {
  char path[4096], line[256];
  snprintf(path, sizeof path, "%s/vocab.txt", b->folder);
  FILE *file = fopen(path, "r");
  if (!file) die(path, "it cannot be read");
  while (b->word_count < WORDS_MAX && fgets(line, sizeof line, file)) {
    size_t n = strspn(line, "abcdefghijklmnopqrstuvwxyz");
    if (n < 3 || (line[n] != '\n' && line[n] != '\r')) continue;
    line[n] = '\0';
    b->words[b->word_count++] = strdup(line);
  }
  fclose(file);
  if (b->word_count < 1000) die(path, "it has too few words");
}

/* Of `tokens` tokens with [CLS] and [SEP]. */
static aio__str make_text(const bench *b, size_t tokens, size_t seed, char *out) {
  size_t n = 0;
  for (size_t i = 0; i + 2 < tokens; i++)
    n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s ", b->words[(seed * 131 + i * 7919) % b->word_count]);
  return aio__str_n(out, n);
}

/* ---- ours ---- */

static aio__local *open_model(const bench *b, aio__local_precision precision) {
  aio__local *local = NULL;
  aiorch_error *error = NULL;
  aio__local_args args = {b->folder, precision, b->cpu, NULL};
  if (aiorch_error_new(&error)) die("memory", "none is left");
  if (aio__local_open(aio__alloc_default(), &args, &local, error)) die(b->folder, aiorch_error_message(error));
  aiorch_error_free(error);
  return local;
}

typedef struct times {
  double best, p50;
} times;

static times run_ours(const bench *b, const aio__local *local, size_t batch, size_t length, int runs) {
  static char memory[BATCH][TEXT_MAX];
  static float out[BATCH * 4096];
  aio__str texts[BATCH];
  double took[RUNS_MAX];
  size_t tokens, truncated;
  for (size_t i = 0; i < batch; i++) texts[i] = make_text(b, length, i, memory[i]);
  for (int i = 0; i < runs; i++) {
    double begin = now_s();
    if (aio__local_embed(local, AIORCH_PURPOSE_PASSAGE, texts, batch, out, &tokens, &truncated, NULL, NULL))
      die("embedding", "it failed");
    took[i] = now_s() - begin;
    if (tokens != batch * length) die("embedding", "a word is not one token");
  }
  double middle = at_part(took, (size_t)runs, .5);
  return (times){took[0], middle};
}

static long resident_kib(void) {
  char line[256];
  long kib = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file)) {
    if (strncmp(line, "VmRSS:", 6) == 0) kib = strtol(line + 6, NULL, 10);
  }
  if (file) fclose(file);
  return kib;
}

/* In a process of its own: seconds to open, and KiB of resident memory after the first text more than before. */
static void load_ours(const bench *b, aio__local_precision precision, double *seconds, double *kib) {
  int ends[2];
  double values[2];
  if (pipe(ends)) die("pipe", "it cannot be made");
  pid_t child = fork();
  if (child == 0) {
    long before = resident_kib();
    double begin = now_s();
    aio__local *local = open_model(b, precision);
    values[0] = now_s() - begin;
    (void)run_ours(b, local, 1, 64, 1);
    values[1] = (double)(resident_kib() - before);
    _exit(write(ends[1], values, sizeof values) == (ssize_t)sizeof values ? 0 : 1);
  }
  close(ends[1]);
  if (child < 0 || read(ends[0], values, sizeof values) != (ssize_t)sizeof values) die("a process", "it failed");
  close(ends[0]);
  waitpid(child, NULL, 0);
  *seconds = values[0];
  *kib = values[1];
}

/* ---- the peer ---- */

static void start_peer(bench *b) {
  int to[2], from[2];
  char line[256];
  if (pipe(to) || pipe(from)) die("pipe", "it cannot be made");
  pid_t child = fork();
  if (child < 0) die("a process", "it cannot be made");
  if (child == 0) {
    dup2(to[0], 0);
    dup2(from[1], 1);
    for (int i = 0; i < 2; i++) close(to[i]), close(from[i]);
    execlp(b->peer[0], b->peer[0], b->peer[1], b->folder, b->peer[2], (char *)NULL);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  b->ask = fdopen(to[1], "w");
  b->answer = fdopen(from[0], "r");
  if (!b->ask || !b->answer || !fgets(line, sizeof line, b->answer) || strncmp(line, "ready", 5) != 0)
    die(b->peer[1], "it does not start; see what it says above");
  if (!b->json) printf("beside ONNX Runtime %s", line + 6);
}

/* Two numbers are what it answers. */
static times ask_peer(const bench *b, const char *question) {
  char line[256], *rest;
  if (!b->ask) return (times){0, 0};
  fprintf(b->ask, "%s\n", question);
  fflush(b->ask);
  if (!fgets(line, sizeof line, b->answer)) die("the peer", "it ended");
  double first = strtod(line, &rest);
  return (times){first, strtod(rest, NULL)};
}

/* ---- the table ---- */

typedef struct figure {
  times ours, peer;
} figure;

static figure compare(const bench *b, const aio__local *local, const char *precision, size_t batch, size_t length) {
  double ours[ROUNDS_MAX], peer[ROUNDS_MAX];
  figure f = {{1e9, 0}, {1e9, 0}};
  char question[128];
  double once = run_ours(b, local, batch, length, 3).p50;
  int runs = once > 0.1 ? 1 : once > 0.02 ? 3 : once > 0.004 ? 5 : 15;
  snprintf(question, sizeof question, "run %s %zu %zu %d", precision, batch, length, runs);
  for (int i = 0; i < b->rounds; i++) {
    times mine = run_ours(b, local, batch, length, runs), other = ask_peer(b, question);
    ours[i] = mine.p50;
    peer[i] = other.p50;
    if (mine.best < f.ours.best) f.ours.best = mine.best;
    if (other.best < f.peer.best) f.peer.best = other.best;
  }
  f.ours.p50 = at_part(ours, (size_t)b->rounds, .5);
  f.peer.p50 = at_part(peer, (size_t)b->rounds, .5);
  return f;
}

static void print_figure(const bench *b, const char *what, const char *precision, figure f, double tokens) {
  if (b->json) {
    printf(",\n  \"%s_%s\": {\"p50_ms\": %.4f, \"best_ms\": %.4f, \"tokens_per_s\": %.0f, \"peer_p50_ms\": %.4f,"
           " \"peer_best_ms\": %.4f}",
           precision, what, f.ours.p50 * 1e3, f.ours.best * 1e3, tokens / f.ours.p50, f.peer.p50 * 1e3, f.peer.best * 1e3);
    return;
  }
  printf("%-5s %-8s p50 %8.3f best %8.3f ms %7.0f tokens/s", precision, what, f.ours.p50 * 1e3, f.ours.best * 1e3,
         tokens / f.ours.p50);
  if (b->ask)
    printf("   peer p50 %8.3f best %8.3f ms   ratio %.2f best %.2f", f.peer.p50 * 1e3, f.peer.best * 1e3,
           f.ours.p50 / f.peer.p50, f.ours.best / f.peer.best);
  printf("\n");
}

static void measure(const bench *b, aio__local_precision precision, const char *name) {
  static const size_t lengths[] = {8, 16, 64, 128};
  char what[32];
  aio__local *local = open_model(b, precision);
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    snprintf(what, sizeof what, "%zu", lengths[i]);
    print_figure(b, what, name, compare(b, local, name, 1, lengths[i]), (double)lengths[i]);
  }
  snprintf(what, sizeof what, "%dx%d", BATCH, BATCH_TOKENS);
  print_figure(b, what, name, compare(b, local, name, BATCH, BATCH_TOKENS), (double)BATCH * BATCH_TOKENS);
  aio__local_free(local);
}

static void measure_load(const bench *b, aio__local_precision precision, const char *name) {
  double seconds[ROUNDS_MAX], kib[ROUNDS_MAX];
  char question[32];
  for (int i = 0; i < b->rounds; i++) load_ours(b, precision, &seconds[i], &kib[i]);
  snprintf(question, sizeof question, "load %s", name);
  double took = at_part(seconds, (size_t)b->rounds, .5), mib = at_part(kib, (size_t)b->rounds, .5) / 1024;
  times peer = ask_peer(b, question); /* seconds, and KiB */
  double peer_mib = peer.p50 / 1024;
  if (b->json) {
    printf(",\n  \"%s_load\": {\"ours_ms\": %.2f, \"ours_mib\": %.1f, \"peer_ms\": %.2f, \"peer_mib\": %.1f}", name,
           took * 1e3, mib, peer.best * 1e3, peer_mib);
    return;
  }
  printf("%-5s load      %9.2f ms %8.1f MiB resident", name, took * 1e3, mib);
  if (b->ask) printf("   peer %8.1f ms %6.1f MiB", peer.best * 1e3, peer_mib);
  printf("\n");
}

int main(int argc, char **argv) {
  static bench b = {.rounds = 21};
  const char *cpu = "auto";
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) b.json = 1;
    else if (strcmp(argv[i], "--cpu") == 0 && i + 1 < argc) cpu = argv[++i];
    else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) b.rounds = (int)strtol(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--peer") == 0 && i + 3 < argc)
      for (int j = 0; j < 3; j++) b.peer[j] = argv[++i];
    else if (argv[i][0] != '-' && !b.folder) b.folder = argv[i];
    else b.rounds = 0;
  }
  if (!b.folder || b.rounds < 1 || b.rounds > ROUNDS_MAX)
    return fprintf(stderr, "usage: local_embedder [--json] [--cpu NAME] [--rounds N] [--peer PYTHON SCRIPT CACHE] FOLDER\n"),
           2;
  if (aio__cpu_from_setting(cpu, &b.cpu, NULL)) die(cpu, "this machine lacks it");
  read_words(&b);
  aio__local_free(open_model(&b, AIO__LOCAL_INT8)); /* makes the file of int8 weights */
  if (b.json) printf("{\n  \"cpu\": \"%s\"", aio__cpu_name(b.cpu));
  else printf("%s, kernels for %s\n", b.folder, aio__cpu_name(b.cpu));
  if (b.peer[0]) start_peer(&b);
  measure_load(&b, AIO__LOCAL_INT8, "int8");
  measure_load(&b, AIO__LOCAL_F32, "f32");
  measure(&b, AIO__LOCAL_INT8, "int8");
  measure(&b, AIO__LOCAL_F32, "f32");
  if (b.json) printf("\n}\n");
  if (b.ask) fprintf(b.ask, "quit\n"), fclose(b.ask);
  return 0;
}
