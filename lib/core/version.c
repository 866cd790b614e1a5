/* The version and the features of this build. */
#include <aiorch/version.h>

#include <string.h>

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

static const char *const FEATURES[] = {"sqlite", "memory", "extractive", "fts5", "full_text",
#ifdef AIORCH_WITH_HTTP
                                       "http",
#endif
#ifdef AIORCH_WITH_POSTGRES
                                       "postgres",
#endif
};

enum { FEATURE_COUNT = sizeof FEATURES / sizeof FEATURES[0] };

int32_t aiorch_version(void) {
  return AIORCH_VERSION;
}

const char *aiorch_version_string(void) {
  return TEXT(AIORCH_VERSION_MAJOR) "." TEXT(AIORCH_VERSION_MINOR) "." TEXT(AIORCH_VERSION_PATCH);
}

int32_t aiorch_has_feature(const char *name) {
  for (size_t i = 0; name != NULL && i < FEATURE_COUNT; i++) {
    if (strcmp(FEATURES[i], name) == 0) return 1;
  }
  return 0;
}

const char *aiorch_feature_name(size_t index) {
  return index < FEATURE_COUNT ? FEATURES[index] : NULL;
}
