/* Lists as settings have them: "https://a.example/v1 *3, https://b.example/v1". */
#ifndef AIO_CORE_WEIGHTED_LIST_H
#define AIO_CORE_WEIGHTED_LIST_H

#include "core/error.h"

enum { AIO__WEIGHTED_ITEMS_MAX = 64, AIO__WEIGHT_MAX = 1000 };

typedef struct aio__weighted_item {
  aio__str text;    /* into the text that was parsed; never empty */
  uint32_t weight;  /* 1 to AIO__WEIGHT_MAX */
} aio__weighted_item;

typedef struct aio__weighted_list {
  aio__weighted_item items[AIO__WEIGHTED_ITEMS_MAX];
  size_t count;
} aio__weighted_list;

/*
 * Items are separated by commas, a weight follows behind a space as "*3", and is 1 when none is said. An empty text is an empty list.
 * AIORCH_E_CONFIG_RANGE for an empty item, white space inside one, a weight that is none, too many items. The message names the setting by
 * `key` and the item by its number, never by its text: it may be a secret.
 */
aiorch_status aio__weighted_list_parse(aio__str text, const char *key, aio__weighted_list *out, aiorch_error *error);

#endif
