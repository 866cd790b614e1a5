/*
 * Replays inputs without a fuzzer: every file named, and every file in every folder named, is handed to the target
 * once. Prints how many there were; none is an error.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_MAX = 16 << 20 };

static size_t inputs, failures;

static void replay_file(const char *path) {
  FILE *file = fopen(path, "rb");
  uint8_t *data = file != NULL ? malloc(INPUT_MAX) : NULL;
  if (data == NULL) {
    (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
    failures++;
  } else {
    size_t n = fread(data, 1, INPUT_MAX, file);
    uint8_t *exact = malloc(n > 0 ? n : 1); /* so that a read past its end is found */
    if (exact == NULL) abort();
    memcpy(exact, data, n);
    (void)LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    inputs++;
  }
  free(data);
  if (file != NULL) (void)fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static void replay(const char *path) {
  struct dirent **names = NULL;
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
    replay_file(path);
    return;
  }
  int n = scandir(path, &names, NULL, by_name);
  for (int i = 0; i < n; i++) {
    char inner[PATH_MAX + 300];
    (void)snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name);
    if (names[i]->d_name[0] != '.') replay(inner);
    free(names[i]);
  }
  free(names);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) replay(argv[i]);
  (void)printf("%zu inputs\n", inputs);
  return inputs == 0 || failures > 0;
}
