/* The table of options_table.h as data, for options*.c alone. */
#ifndef AIO_CORE_OPTIONS_PRIVATE_H
#define AIO_CORE_OPTIONS_PRIVATE_H

#include "core/options.h"

typedef struct aio__option {
  const char *key;
  int type;                    /* AIORCH_TYPE_* */
  bool per_run;
  size_t offset;               /* of the member in aio__options */
  const char *text, *values;   /* AIORCH_TYPE_STR: default; allowed values separated by '|', or NULL */
  int64_t i64, i64_min, i64_max; /* _I64; _BOOL: default */
  double f64, f64_min, f64_max;
  const char *help;
} aio__option;

const aio__option *aio__option_at(size_t index);                        /* NULL past the last */
char **aio__option_str(aio__options *options, const aio__option *option);
int64_t *aio__option_i64(aio__options *options, const aio__option *option);
double *aio__option_f64(aio__options *options, const aio__option *option);
int32_t *aio__option_bool(aio__options *options, const aio__option *option);

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
