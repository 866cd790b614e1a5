/*
 * Reading a safetensors file: an 8-byte length, a JSON header that says where each tensor lies, and the bytes.
 *
 * The file is read, not mapped: a mapped file that is cut short under a running process ends it. Each read is checked, so
 * that a file which changes meanwhile is an error.
 *
 * Everything the header says is checked before any of it is used: its length, each name, type, shape and place, and that the
 * tensors follow each other without gap or overlap to the end of the file, as the format demands.
 */
#ifndef AIO_EMBEDDERS_SAFETENSORS_H
#define AIO_EMBEDDERS_SAFETENSORS_H

#include "core/alloc.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/str.h"

enum {
  AIO__SAFETENSORS_HEADER_MAX = 4 << 20, /* bytes */
  AIO__SAFETENSORS_TENSORS_MAX = 65536,
  AIO__SAFETENSORS_RANK_MAX = 8,
  AIO__SAFETENSORS_NAME_MAX = 255
};

typedef enum aio__dtype {
  AIO__DTYPE_F32 = 0,
  AIO__DTYPE_F16,
  AIO__DTYPE_BF16,
  AIO__DTYPE_OTHER /* known to the format, but no weights of an encoder */
} aio__dtype;

typedef struct aio__tensor {
  const char *name, *type; /* as the header writes them */
  aio__dtype dtype;
  size_t width;            /* bytes of an element */
  size_t rank;
  uint64_t shape[AIO__SAFETENSORS_RANK_MAX];
  uint64_t begin, end;     /* in the file */
} aio__tensor;

/* What tells one state of a file from another. */
typedef struct aio__file_stamp {
  uint64_t size, inode;
  int64_t modified_ns, changed_ns;
} aio__file_stamp;

typedef struct aio__safetensors aio__safetensors;

/* AIORCH_E_MODEL: not there, no file, or anything of the above; AIORCH_E_SYSTEM, AIORCH_E_NOMEM. */
aiorch_status aio__safetensors_open(const aio__alloc *al, const char *path, aio__safetensors **out, aiorch_error *error);
/* From the bytes of a header alone (nothing can be read from it), in a file of `file_size` bytes. */
aiorch_status aio__safetensors_parse(const aio__alloc *al, const char *path, aio__str header, uint64_t file_size,
                                     aio__safetensors **out, aiorch_error *error);
void aio__safetensors_free(aio__safetensors *file);

const aio__tensor *aio__safetensors_find(const aio__safetensors *file, const char *name); /* NULL: not there */
const char *aio__safetensors_path(const aio__safetensors *file);
aio__file_stamp aio__safetensors_stamp(const aio__safetensors *file); /* when it was opened */

/* `count` elements from number `first` on, as f32. `digest` (may be NULL) is fed their bytes as they are. AIORCH_E_MODEL
 * for a type other than F32, F16, BF16, for NaN and infinities, and when the file has become shorter. */
aiorch_status aio__safetensors_read(const aio__safetensors *file, const aio__tensor *tensor, uint64_t first,
                                    size_t count, float *out, aio__sha256 *digest, aiorch_error *error);
/* AIORCH_E_MODEL when the file was written to or replaced since it was opened. */
aiorch_status aio__safetensors_unchanged(const aio__safetensors *file, aiorch_error *error);

#endif
