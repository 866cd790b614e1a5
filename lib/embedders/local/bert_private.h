/* What bert_weights.c, bert_fill.c and int8_file.c share. */
#ifndef AIO_EMBEDDERS_BERT_PRIVATE_H
#define AIO_EMBEDDERS_BERT_PRIVATE_H

#include "embedders/local/bert_weights.h"
#include "embedders/local/safetensors.h"

/* Reads all weights in a fixed order, which is that of the digest, into bert->block; with `fill` false only for the digest. */
aiorch_status aio__bert_fill(aio__bert *bert, const aio__safetensors *file, bool fill, uint8_t digest[AIO__SHA256_SIZE],
                             aiorch_error *error);

/* ---- the file of int8 weights ---- */

typedef enum aio__int8_state {
  AIO__INT8_FRESH = 0, /* it was made of this very model.safetensors: the block is filled */
  AIO__INT8_DOUBT,     /* filled, but model.safetensors was written to since: whether it is the same, its digest tells */
  AIO__INT8_USELESS    /* not there, damaged, or of another shape: make it anew */
} aio__int8_state;

/* Reads bert->block and bert->digest. */
aio__int8_state aio__int8_read(aio__bert *bert, const char *folder, const aio__file_stamp *source);
/* Writes them beside the model, so that a reader sees the old file or the new one. NULL, or what went wrong, in few words. */
const char *aio__int8_write(const aio__bert *bert, const char *folder, const aio__file_stamp *source);

#endif
