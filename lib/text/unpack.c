/* See unpack.h. The only file that includes zlib.h. */
#include "text/unpack.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

static voidpf take(voidpf al, uInt count, uInt size) { return aio__calloc(al, count, size); }

static void give_back(voidpf al, voidpf memory) { aio__free(al, memory); }

static bool inflate_all(const aio__packed *data, const aio__alloc *al, char *out) {
  z_stream stream = {.zalloc = take, .zfree = give_back, .opaque = (voidpf)(uintptr_t)al};
  stream.next_in = (z_const Bytef *)(uintptr_t)data->bytes;
  stream.avail_in = (uInt)data->packed_len;
  stream.next_out = (Bytef *)out;
  stream.avail_out = (uInt)data->all;
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_out == 0;
  (void)inflateEnd(&stream);
  return whole;
}

char *aio__unpack(const aio__packed *data, const aio__alloc *al) {
  if (data->all > INT_MAX || data->packed_len > INT_MAX || data->from > data->all || data->len > data->all - data->from) return NULL;
  char *text = aio__malloc(al, data->all + 1);
  if (!text) return NULL;
  if (!inflate_all(data, al, text)) {
    aio__free(al, text);
    return NULL;
  }
  if (data->from > 0) memmove(text, text + data->from, data->len);
  text[data->len] = '\0';
  return text;
}
