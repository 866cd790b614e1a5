/*
 * The settings: one table (options_table.h) defines every key: name, type, default, range, whether a run may override
 * it, one line of help. Everything else about a key (the struct below, setters, docs, describe) is made from the
 * table. Beside it stand the settings of providers, with keys "providers.NAME.KEY" (provider_settings.h): the setters, get and type know
 * both kinds of keys.
 */
#ifndef AIO_CORE_OPTIONS_H
#define AIO_CORE_OPTIONS_H

#include <aiorch/config.h>

#include "core/alloc.h"
#include "core/buf.h"
#include "core/error.h"
#include "core/json_writer.h"
#include "core/options_table.h"
#include "core/provider_settings.h"

/* One member a key: int64_t, double, bool (as int32_t) or a NUL-terminated text of the allocator (never NULL). */
typedef struct aio__options {
  const aio__alloc *al;
#define AIO__STR(member, key, default_, values, per_run, help) char *member;
#define AIO__I64(member, key, default_, min, max, per_run, help) int64_t member;
#define AIO__F64(member, key, default_, min, max, per_run, help) double member;
#define AIO__BOOL(member, key, default_, per_run, help) int32_t member;
  AIO__OPTIONS(AIO__STR, AIO__I64, AIO__F64, AIO__BOOL)
#undef AIO__STR
#undef AIO__I64
#undef AIO__F64
#undef AIO__BOOL
  aio__provider_list providers;
} aio__options;

enum { AIO__OPTION_TEXT_MAX = 1 << 20 };

/* "scheme://user:password@host?password=password" is "scheme://user@host?password=" afterwards; what is no URL stays. */
void aio__url_hide_password(char *url);

aiorch_status aio__options_init(aio__options *options, const aio__alloc *al);
aiorch_status aio__options_copy(aio__options *to, const aio__options *from); /* `to` is raw memory; `al` is copied,
    too */
void aio__options_free(aio__options *options);                               /* may be called again */

/* Setters check type and range; a message names the key, what is allowed and, for an unknown key, the nearest. With
 * `per_run` only keys that a run may override are accepted. ${NAME} is expanded by aio__options_set_str alone, and not
 * for per_run. */
aiorch_status aio__options_set_str(aio__options *options, aio__str key, aio__str value, bool per_run,
                                   aiorch_error *error);
aiorch_status aio__options_set_i64(aio__options *options, aio__str key, int64_t value, bool per_run,
                                   aiorch_error *error);
aiorch_status aio__options_set_f64(aio__options *options, aio__str key, double value, bool per_run,
                                   aiorch_error *error);
aiorch_status aio__options_set_bool(aio__options *options, aio__str key, bool value, bool per_run,
                                    aiorch_error *error);
/* Any type from text: "60", "0.5", "true", "text" (that as aio__options_set_str). */
aiorch_status aio__options_set_text(aio__options *options, aio__str key, aio__str value, bool per_run,
                                    aiorch_error *error);
/* The same, but ${NAME} stays as it is: for text that comes from the environment itself. */
aiorch_status aio__options_set_plain(aio__options *options, aio__str key, aio__str value, aiorch_error *error);
/* The number of a key in the table; SIZE_MAX for that of a provider. When there is none: AIORCH_E_CONFIG_KEY and words that name the nearest, among
 * those that a run may override with `per_run`; the same for a key that a run may not override. `error` may be NULL. */
aiorch_status aio__options_find(aio__str key, bool per_run, size_t *index, aiorch_error *error);
bool aio__options_has_section(aio__str section);            /* does any key begin with "section."? */
/* "providers.NAME", as an empty section of a file has it: makes the provider. False for what is no such section. */
bool aio__options_is_provider(aio__str section);
aiorch_status aio__options_add_provider(aio__options *options, aio__str section, aiorch_error *error);
/* The value as text, a URL without its password; of a secret "(set)" or nothing; of "providers" the names, separated by commas; of "providers.NAME.KEY" with that very
 * NAME the default. AIORCH_E_CONFIG_KEY, also for a provider of which nothing was set. */
aiorch_status aio__options_get(const aio__options *options, aio__str key, aio__buf *out, aiorch_error *error);
int aio__options_type(aio__str key);                        /* AIORCH_TYPE_*, 0 for an unknown key */
size_t aio__options_described(void);                        /* the table, and "providers.NAME.KEY" once a key */
void aio__options_describe(size_t index, aio__json_writer *w); /* as aiorch_config_describe says */

#endif
