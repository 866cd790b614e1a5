/*
 * The forward pass: token ids to unit vectors.
 *
 * Texts of any length lie one after the other without padding; products with weights go over all their tokens at once,
 * attention over one text at a time. Each token's arithmetic is the same whatever else is in the batch, so that a vector is bit
 * for bit the one that its text gets alone.
 */
#ifndef AIO_EMBEDDERS_BERT_ENCODER_H
#define AIO_EMBEDDERS_BERT_ENCODER_H

#include "embedders/local/bert_weights.h"
#include "embedders/local/bert_kernels.h"

enum {
  AIO__ENCODER_TOKENS = 128 /* of a batch, beyond which more texts make nothing faster */
};

/* Bytes of room that a batch of `tokens` in all needs, no text longer than `longest`. */
size_t aio__encoder_room(const aio__bert *bert, const aio__bert_kernels *kernels, size_t tokens, size_t longest);

/* `ids`: the texts' tokens one after the other, each below bert->config.vocabulary; `lengths`: 1 to max_tokens each. `room`
 * as above, any alignment of malloc. out: count rows of hidden. False when a vector comes out that is none: weights too large.
 * Threads: any, several at once with rooms of their own. */
bool aio__encoder_run(const aio__bert *bert, const aio__bert_kernels *kernels, const int32_t *ids, const size_t *lengths,
                      size_t count, void *room, float *out);

#endif
