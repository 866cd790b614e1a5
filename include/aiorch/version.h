/*
 * libaiorch - version and build features.
 *
 * The numbers here are the only place where the version is written; the build reads them from this file.
 */
#ifndef AIORCH_VERSION_H
#define AIORCH_VERSION_H

#include <aiorch/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AIORCH_VERSION_MAJOR 0
#define AIORCH_VERSION_MINOR 1
#define AIORCH_VERSION_PATCH 0

/** The version of the headers as one number: major * 1,000,000 + minor * 1,000 + patch. */
#define AIORCH_VERSION (AIORCH_VERSION_MAJOR * 1000000 + AIORCH_VERSION_MINOR * 1000 + AIORCH_VERSION_PATCH)

/**
 * The version of the library that is loaded, in the form of AIORCH_VERSION.
 *
 * Threads: any.  Since: 0.1
 */
AIORCH_API int32_t aiorch_version(void);

/**
 * The version of the library that is loaded, as "major.minor.patch".
 *
 * Ownership: static text.  Threads: any.  Since: 0.1
 */
AIORCH_API const char *aiorch_version_string(void);

/**
 * Says whether this build has a feature, by its name: "sqlite", "memory", "extractive", "fts5", ...
 *
 * @param name  NUL-terminated; NULL and unknown names give 0.
 * @return 1 when it has, 0 when not.
 * Threads: any.  Since: 0.1
 */
AIORCH_API int32_t aiorch_has_feature(const char *name);

/**
 * The name of feature number `index`, counted from 0; NULL past the last.
 *
 * Ownership: static text.  Threads: any.  Since: 0.1
 */
AIORCH_API const char *aiorch_feature_name(size_t index);

#ifdef __cplusplus
}
#endif
#endif
