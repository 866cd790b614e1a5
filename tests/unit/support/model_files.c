/* Files that tests read: see model_files.h. */
#include "support/model_files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool aio__test_model_path(const char *model, const char *file, char *out, size_t cap) {
  const char *folder = getenv("AIORCH_TEST_MODELS");
  if (folder == NULL) {
    (void)printf("SKIP: AIORCH_TEST_MODELS is not set\n");
    return false;
  }
  (void)snprintf(out, cap, "%s/%s/%s", folder, model, file);
  if (access(out, R_OK) == 0) return true;
  (void)printf("SKIP: the model %s is not there (sh scripts/get-test-models.sh)\n", model);
  return false;
}

aio__str aio__test_read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  char *bytes = NULL;
  size_t n = 0, got = 0;
  if (file != NULL && fseek(file, 0, SEEK_END) == 0) {
    n = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(n + 1);
    if (bytes != NULL) got = fread(bytes, 1, n, file);
  }
  if (bytes == NULL || got != n) {
    (void)fprintf(stderr, "%s cannot be read\n", path);
    exit(1);
  }
  (void)fclose(file);
  bytes[n] = '\0';
  return (aio__str){bytes, n};
}

aio__str aio__test_read_data(const char *file) {
  char path[PATH_MAX];
  const char *root = getenv("AIORCH_ROOT");
  (void)snprintf(path, sizeof path, "%s/tests/data/%s", root != NULL ? root : ".", file);
  return aio__test_read_file(path);
}

void aio__test_free_file(aio__str file) {
  free((void *)(uintptr_t)file.p);
}
