/* The table of options_table.h as data, for options*.c alone. */
#ifndef AIO_CORE_OPTIONS_PRIVATE_H
#define AIO_CORE_OPTIONS_PRIVATE_H

#include "core/options.h"

typedef struct aio__option {
  const char *key, *help;
  int type;                    /* AIORCH_TYPE_* */
  uint16_t offset;             /* of the member in aio__options */
  bool per_run;
  bool secret;                 /* of a provider; ask aio__option_secret */
  union {                      /* by the type: default, and what is allowed */
    struct { const char *text, *values; }; /* _STR; values separated by '|', or NULL */
    struct { int64_t i64, i64_min, i64_max; }; /* _I64; _BOOL: default alone */
    struct { double f64, f64_min, f64_max; };
  };
} aio__option;

const aio__option *aio__option_at(size_t index);                        /* NULL past the last */
const aio__option *aio__provider_option_at(size_t index);               /* of the settings of a provider: its key is the last part */
const aio__option *aio__provider_option_find(aio__str last);            /* NULL */
/* The member in an aio__options or aio__provider_settings. */
char **aio__option_str(void *base, const aio__option *option);
int64_t *aio__option_i64(void *base, const aio__option *option);
double *aio__option_f64(void *base, const aio__option *option);
int32_t *aio__option_bool(void *base, const aio__option *option);
bool aio__option_secret(const aio__option *option);
/* AIORCH_E_NOMEM. */
aiorch_status aio__option_set_default(const aio__alloc *al, void *base, const aio__option *option);
void aio__option_free_text(const aio__alloc *al, void *base, const aio__option *option); /* of AIORCH_TYPE_STR; overwritten when secret */

/* A key and where its value lies: in the aio__options, or in the settings of one provider. Not to be copied. */
typedef struct aio__option_place {
  aio__option option;          /* its key is the key in full */
  aio__str provider;           /* its name; empty: a setting of the table */
  char key[AIO__PROVIDER_SETTINGS_NAME_MAX + 64];
} aio__option_place;

#define AIO__PROVIDERS_SECTION "providers"

/* As aio__options_find. */
aiorch_status aio__option_locate(aio__str key, bool per_run, aio__option_place *place, aiorch_error *error);
/* Parses "providers.NAME.KEY"; true when `key` begins with "providers.", whatever follows. Parts that are not there are empty. */
bool aio__provider_key_split(aio__str key, aio__str *name, aio__str *last);
/* What the members of `place` lie in; makes the provider. As aio__provider_list_add. */
aiorch_status aio__option_base(aio__options *options, const aio__option_place *place, void **base, aiorch_error *error);

/* How many bytes must be put in, left out, changed or swapped with their neighbour to make one text of the other; each
 * has at most AIO__OPTION_KEY_MAX. */
enum { AIO__OPTION_KEY_MAX = 64 };
size_t aio__option_distance(aio__str a, aio__str b);

/* Replaces ${NAME} from the environment; "$${" is a literal "${". AIORCH_E_CONFIG_ENV, _RANGE (too long), _E_NOMEM. */
aiorch_status aio__option_expand(const aio__option *option, aio__str value, aio__buf *out, aiorch_error *error);
/* Decimal numbers in the forms of JSON, whatever the locale. False for anything else. */
bool aio__parse_i64(aio__str text, int64_t *out);
bool aio__parse_f64(aio__str text, double *out);

#endif
