/*
 * The tokenizer of the BERT family (WordPiece): text to token ids, as the reference does it, but that "[SEP]" and its
 * like in a text stay text: who writes a message must not be able to write special tokens.
 *
 * Clean -> space around ideographs -> NFD without marks -> lower case -> split at white space and punctuation -> greedy
 * longest match in the vocabulary. Source of the rules: google-research/bert tokenization.py and the Hugging Face
 * `tokenizers` BertNormalizer; differences between the two are decided for the latter.
 */
#ifndef AIO_EMBEDDERS_WORDPIECE_H
#define AIO_EMBEDDERS_WORDPIECE_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/str.h"

typedef struct aio__wordpiece aio__wordpiece;

enum {
  AIO__WORDPIECE_VOCABULARY_MAX = 1 << 20,    /* entries */
  AIO__WORDPIECE_FILE_MAX = 32 << 20,         /* bytes of vocab.txt or tokenizer.json */
  AIO__WORDPIECE_WORD_MAX = 100               /* characters; a longer word is one [UNK] */
};

/* From the bytes of a vocab.txt (one entry a line, its number is the line's; lines may end in CR LF). The names of the
 * special tokens are [PAD], [UNK], [CLS], [SEP]. `lower` as do_lower_case: accents go with it. AIORCH_E_MODEL: an entry
 * that is missing, empty, twice there, longer than any word, or no UTF-8; the message names `path` and the line.
 * AIORCH_E_NOMEM. `text` may go afterwards. */
aiorch_status aio__wordpiece_from_vocabulary(const aio__alloc *al, aio__str text, bool lower, const char *path,
                                             aio__wordpiece **out, aiorch_error *error);
/* From the bytes of a tokenizer.json: model WordPiece with ## and words of 100 characters, BertNormalizer (any
 * strip_accents, lowercase and handle_chinese_chars; clean_text must be true), BertPreTokenizer, [CLS] text [SEP],
 * special tokens the only ones added. What it says of truncation and padding is not used. AIORCH_E_MODEL names what is
 * missing or not supported. It takes about five times as long to load as the vocab.txt of the same model. */
aiorch_status aio__wordpiece_from_json(const aio__alloc *al, aio__str text, const char *path, aio__wordpiece **out,
                                       aiorch_error *error);
void aio__wordpiece_free(aio__wordpiece *tokenizer);
size_t aio__wordpiece_size(const aio__wordpiece *tokenizer); /* entries: the largest id is one less */
/* SHA-256 of the vocabulary, the rules and their version, the same from both files: part of a fingerprint. */
void aio__wordpiece_digest(const aio__wordpiece *tokenizer, uint8_t out[32]);

/* [CLS], the first max_tokens - 2 pieces, [SEP]. `ids` has room for max_tokens (3 or more). Bytes that are no UTF-8
 * count as U+FFFD, which the rules drop. A text of any length takes time in proportion to what is read until max_tokens
 * are full and it is known whether anything follows: *truncated is true only when a piece was cut off. AIORCH_OK; no
 * allocation, 5 KiB of stack. Threads: any. */
aiorch_status aio__wordpiece_encode(const aio__wordpiece *tokenizer, aio__str text, size_t max_tokens, int32_t *ids,
                                    size_t *count, bool *truncated);

#endif
