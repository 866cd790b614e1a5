/* One file into the store. */
#ifndef DOCUMENT_FILE_H
#define DOCUMENT_FILE_H

#include "ingest.h"

typedef enum file_result { FILE_ADDED, FILE_UPDATED, FILE_UNCHANGED, FILE_SKIPPED, FILE_FAILED } file_result;

/* FILE_SKIPPED: `reason` says why. FILE_FAILED: the store or the library failed; c->error has it. */
file_result document_file_add(cli *c, const walk_file *file, uint64_t max_bytes, size_t *chunks, cli_bytes *reason);

#endif
