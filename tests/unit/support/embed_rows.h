/* Answers of embedding services, one line each. */
#ifndef AIO_TESTS_EMBED_ROWS_H
#define AIO_TESTS_EMBED_ROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <aiorch/error.h>

#include "embedders/embed_codec.h"

/* The request for `count` texts "a", "b", ... of model "org/m": its URL and its body. `options` may be NULL. */
void expect_embed_request(const aio__embed_codec *codec, const char *base_url, size_t count, size_t dimensions, const char *options, const char *url, const char *body);
/*
 * What is read from the body of an answer to `texts` texts: "1,0.5;2,3 tokens=7" for two vectors, or "!STATUS message" ("!RESPONSE",
 * "!PROVIDER_BUSY retry=1000 words").
 */
void expect_vectors(const aio__embed_codec *codec, int32_t http_status, const char *body, size_t texts, size_t dimensions, const char *want);
/* Request and answer, with each allocation failing in turn. */
void expect_embed_without_memory(const aio__embed_codec *codec, int32_t http_status, const char *body, size_t texts);

#endif
