/* Safetensors: the header's checks, and reads that are checked. */
#include "embedders/local/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text/json.h"

enum { LENGTH_BYTES = 8, READ_ELEMENTS = 4096 };

struct aio__safetensors {
  const aio__alloc *al;
  char *path;
  int fd; /* -1: only a header */
  aio__file_stamp stamp;
  aio__json *header; /* owns names and types */
  aio__tensor *tensors; /* by begin */
  size_t count;
};

static aiorch_status bad(const aio__safetensors *file, aiorch_error *error, const char *name, const char *what) {
  return aio__error_set(error, AIORCH_E_MODEL, "%s: tensor \"%s\": %s", file->path, name, what);
}

static aiorch_status nomem(aiorch_error *error) {
  return aio__error_set(error, AIORCH_E_NOMEM, "out of memory for a model's weights");
}

/* ---- one tensor ---- */

/* The types that the format knows. */
static const struct {
  const char *name;
  uint8_t width;
  aio__dtype dtype;
} types[] = {
  {"F32", 4, AIO__DTYPE_F32},       {"F16", 2, AIO__DTYPE_F16},    {"BF16", 2, AIO__DTYPE_BF16},
  {"I64", 8, AIO__DTYPE_OTHER},     {"I32", 4, AIO__DTYPE_OTHER},  {"I16", 2, AIO__DTYPE_OTHER},
  {"I8", 1, AIO__DTYPE_OTHER},      {"U64", 8, AIO__DTYPE_OTHER},  {"U32", 4, AIO__DTYPE_OTHER},
  {"U16", 2, AIO__DTYPE_OTHER},     {"U8", 1, AIO__DTYPE_OTHER},   {"F64", 8, AIO__DTYPE_OTHER},
  {"F8_E4M3", 1, AIO__DTYPE_OTHER}, {"F8_E5M2", 1, AIO__DTYPE_OTHER}, {"BOOL", 1, AIO__DTYPE_OTHER},
};

static bool read_type(aio__tensor *t, const aio__json_value *value) {
  aio__str name;
  if (!aio__json_str(value, &name)) return false;
  t->type = name.p;
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    if (!aio__str_eqz(name, types[i].name)) continue;
    t->dtype = types[i].dtype;
    t->width = types[i].width;
    return true;
  }
  return false;
}

/* The bytes that the shape needs; false when it is no shape, or they are beyond 2^53. */
static bool read_shape(aio__tensor *t, const aio__json_value *value, uint64_t *bytes) {
  if (value == NULL || aio__json_typeof(value) != AIO__JSON_ARRAY) return false;
  t->rank = aio__json_size(value);
  if (t->rank > AIO__SAFETENSORS_RANK_MAX) return false;
  uint64_t total = t->width;
  size_t i = 0;
  for (const aio__json_value *at = aio__json_first(value); at != NULL; at = aio__json_next(at), i++) {
    int64_t n;
    if (!aio__json_i64(at, &n) || n < 0) return false;
    t->shape[i] = (uint64_t)n;
    if (__builtin_mul_overflow(total, (uint64_t)n, &total) || total > UINT64_C(1) << 53) return false;
  }
  *bytes = total;
  return true;
}

static aiorch_status read_place(aio__safetensors *file, aio__tensor *t, const aio__json_value *value, uint64_t start,
                                uint64_t bytes, aiorch_error *error) {
  int64_t begin, end;
  const aio__json_value *first = aio__json_first(value);
  if (value == NULL || aio__json_typeof(value) != AIO__JSON_ARRAY || aio__json_size(value) != 2 ||
      !aio__json_i64(first, &begin) || !aio__json_i64(aio__json_next(first), &end) || begin < 0 || end < begin)
    return bad(file, error, t->name, "data_offsets must be two whole numbers, the first not above the second");
  uint64_t size = file->stamp.size - start;
  if ((uint64_t)end > size)
    return aio__error_set(error, AIORCH_E_MODEL,
                          "%s: tensor \"%s\" ends at byte %" PRId64 ", but only %" PRIu64 " bytes follow the header;"
                          " the file was cut short",
                          file->path, t->name, end, size);
  if ((uint64_t)(end - begin) != bytes)
    return aio__error_set(error, AIORCH_E_MODEL,
                          "%s: tensor \"%s\" has %" PRId64 " bytes, its shape and type need %" PRIu64, file->path,
                          t->name, end - begin, bytes);
  t->begin = start + (uint64_t)begin;
  t->end = start + (uint64_t)end;
  return AIORCH_OK;
}

static aiorch_status read_tensor(aio__safetensors *file, const aio__json_value *member, uint64_t start, aio__tensor *t,
                                 aiorch_error *error) {
  aio__str name = aio__json_key(member);
  uint64_t bytes;
  t->name = name.p;
  if (name.n == 0 || name.n > AIO__SAFETENSORS_NAME_MAX)
    return aio__error_set(error, AIORCH_E_MODEL, "%s: a tensor's name has %zu bytes, it can have 1 to %d", file->path,
                          name.n, AIO__SAFETENSORS_NAME_MAX);
  if (aio__json_typeof(member) != AIO__JSON_OBJECT) return bad(file, error, t->name, "is not described by an object");
  if (!read_type(t, aio__json_get(member, "dtype")))
    return bad(file, error, t->name, "its dtype is missing or none that safetensors has");
  if (!read_shape(t, aio__json_get(member, "shape"), &bytes))
    return bad(file, error, t->name, "its shape must be at most 8 whole numbers, their product below 2^53 bytes");
  return read_place(file, t, aio__json_get(member, "data_offsets"), start, bytes, error);
}

/* ---- the header ---- */

static int by_place(const void *a, const void *b) {
  const aio__tensor *x = a, *y = b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return x->end < y->end ? -1 : x->end > y->end;
}

/* Each begins where the one before it ends, and the last ends with the file. */
static aiorch_status check_places(aio__safetensors *file, uint64_t start, aiorch_error *error) {
  uint64_t at = start;
  for (size_t i = 0; i < file->count; i++) {
    const aio__tensor *t = &file->tensors[i];
    if (t->begin < at) {
      return aio__error_set(error, AIORCH_E_MODEL, "%s: tensors \"%s\" and \"%s\" overlap", file->path,
                            file->tensors[i - 1].name, t->name);
    }
    if (t->begin > at) return bad(file, error, t->name, "before it are bytes that belong to no tensor");
    at = t->end;
  }
  if (at == file->stamp.size) return AIORCH_OK;
  return aio__error_set(error, AIORCH_E_MODEL,
                        "%s has %" PRIu64 " bytes, its header describes %" PRIu64 "; get the file anew", file->path,
                        file->stamp.size, at);
}

static aiorch_status parse_header(aio__safetensors *file, aio__str text, aiorch_error *error) {
  const aio__json_limits limits = {AIO__SAFETENSORS_HEADER_MAX, 8, AIORCH_E_MODEL, file->path};
  uint64_t start = LENGTH_BYTES + (uint64_t)text.n;
  aiorch_status status = aio__json_parse(file->al, text, &limits, &file->header, error);
  if (status != AIORCH_OK) return status;
  const aio__json_value *root = aio__json_root(file->header);
  size_t members = aio__json_size(root);
  if (aio__json_typeof(root) != AIO__JSON_OBJECT)
    return aio__error_set(error, AIORCH_E_MODEL, "%s: its header is no JSON object", file->path);
  if (members == 0 || members > AIO__SAFETENSORS_TENSORS_MAX)
    return aio__error_set(error, AIORCH_E_MODEL, "%s has %zu tensors, it can have 1 to %d", file->path, members,
                          AIO__SAFETENSORS_TENSORS_MAX);
  file->tensors = aio__calloc(file->al, members, sizeof *file->tensors);
  if (file->tensors == NULL) return nomem(error);
  for (const aio__json_value *at = aio__json_first(root); at != NULL; at = aio__json_next(at)) {
    if (aio__str_eqz(aio__json_key(at), "__metadata__")) continue;
    status = read_tensor(file, at, start, &file->tensors[file->count], error);
    if (status != AIORCH_OK) return status;
    file->count++;
  }
  qsort(file->tensors, file->count, sizeof *file->tensors, by_place);
  return check_places(file, start, error);
}

static aiorch_status new_file(const aio__alloc *al, const char *path, aio__safetensors **out, aiorch_error *error) {
  aio__safetensors *file = aio__calloc(al, 1, sizeof *file);
  if (file == NULL) return nomem(error);
  file->al = al;
  file->fd = -1;
  file->path = aio__strndup(al, path, strlen(path));
  if (file->path == NULL) {
    aio__free(al, file);
    return nomem(error);
  }
  *out = file;
  return AIORCH_OK;
}

aiorch_status aio__safetensors_parse(const aio__alloc *al, const char *path, aio__str header, uint64_t file_size,
                                     aio__safetensors **out, aiorch_error *error) {
  aio__safetensors *file = NULL;
  aiorch_status status = new_file(al, path, &file, error);
  if (status != AIORCH_OK) return status;
  file->stamp.size = file_size;
  if (header.n > AIO__SAFETENSORS_HEADER_MAX || file_size < LENGTH_BYTES + header.n)
    status = aio__error_set(error, AIORCH_E_MODEL, "%s: its header does not fit into the file, or is above %d bytes",
                            path, AIO__SAFETENSORS_HEADER_MAX);
  else
    status = parse_header(file, header, error);
  if (status == AIORCH_OK) *out = file;
  else aio__safetensors_free(file);
  return status;
}

/* ---- the file ---- */

static aio__file_stamp stamp_of(const struct stat *st) {
  const int64_t second = 1000000000;
  return (aio__file_stamp){(uint64_t)st->st_size, (uint64_t)st->st_ino,
                           (int64_t)st->st_mtim.tv_sec * second + st->st_mtim.tv_nsec,
                           (int64_t)st->st_ctim.tv_sec * second + st->st_ctim.tv_nsec};
}

/* All of it, or AIORCH_E_MODEL when the file ends before, AIORCH_E_SYSTEM when it cannot be read. */
static aiorch_status read_at(const aio__safetensors *file, uint64_t at, void *out, size_t len, aiorch_error *error) {
  for (size_t done = 0; done < len;) {
    ssize_t n = pread(file->fd, (char *)out + done, len - done, (off_t)(at + done));
    if (n > 0) done += (size_t)n;
    else if (n == 0)
      return aio__error_set(error, AIORCH_E_MODEL, "%s ends at byte %" PRIu64 ", inside of what its header describes",
                            file->path, at + done);
    else if (errno != EINTR)
      return aio__error_set(error, AIORCH_E_SYSTEM, "%s cannot be read: %s", file->path, strerror(errno));
  }
  return AIORCH_OK;
}

static aiorch_status read_header(aio__safetensors *file, aiorch_error *error) {
  uint8_t bytes[LENGTH_BYTES];
  uint64_t len = 0;
  if (file->stamp.size < LENGTH_BYTES)
    return aio__error_set(error, AIORCH_E_MODEL, "%s has %" PRIu64 " bytes: too short to be a safetensors file",
                          file->path, file->stamp.size);
  aiorch_status status = read_at(file, 0, bytes, sizeof bytes, error);
  if (status != AIORCH_OK) return status;
  for (int i = 0; i < LENGTH_BYTES; i++) len |= (uint64_t)bytes[i] << (8 * i);
  if (len == 0 || len > AIO__SAFETENSORS_HEADER_MAX || len > file->stamp.size - LENGTH_BYTES)
    return aio__error_set(error, AIORCH_E_MODEL,
                          "%s says that its header has %" PRIu64 " bytes; it can have 1 to %d, and not more than the"
                          " file: it is no safetensors file, or damaged",
                          file->path, len, AIO__SAFETENSORS_HEADER_MAX);
  char *text = aio__malloc(file->al, (size_t)len);
  if (text == NULL) return nomem(error);
  status = read_at(file, LENGTH_BYTES, text, (size_t)len, error);
  if (status == AIORCH_OK) status = parse_header(file, aio__str_n(text, (size_t)len), error);
  aio__free(file->al, text);
  return status;
}

static aiorch_status open_file(aio__safetensors *file, aiorch_error *error) {
  struct stat st;
  /* O_NONBLOCK: a named pipe would wait for its writer. */
  file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file->fd < 0) {
    if (errno == ENOENT)
      return aio__error_set(error, AIORCH_E_MODEL, "%s is not there: the model's folder is not complete", file->path);
    return aio__error_set(error, errno == EMFILE || errno == ENFILE ? AIORCH_E_SYSTEM : AIORCH_E_MODEL,
                          "%s cannot be opened: %s", file->path, strerror(errno));
  }
  if (fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode))
    return aio__error_set(error, AIORCH_E_MODEL, "%s is no regular file", file->path);
  file->stamp = stamp_of(&st);
  return read_header(file, error);
}

aiorch_status aio__safetensors_open(const aio__alloc *al, const char *path, aio__safetensors **out,
                                    aiorch_error *error) {
  aio__safetensors *file = NULL;
  aiorch_status status = new_file(al, path, &file, error);
  if (status != AIORCH_OK) return status;
  status = open_file(file, error);
  if (status == AIORCH_OK) *out = file;
  else aio__safetensors_free(file);
  return status;
}

void aio__safetensors_free(aio__safetensors *file) {
  if (file == NULL) return;
  if (file->fd >= 0) (void)close(file->fd);
  aio__json_free(file->header);
  aio__free(file->al, file->tensors);
  aio__free(file->al, file->path);
  aio__free(file->al, file);
}

const aio__tensor *aio__safetensors_find(const aio__safetensors *file, const char *name) {
  for (size_t i = 0; i < file->count; i++) {
    if (strcmp(file->tensors[i].name, name) == 0) return &file->tensors[i];
  }
  return NULL;
}

const char *aio__safetensors_path(const aio__safetensors *file) {
  return file->path;
}

aio__file_stamp aio__safetensors_stamp(const aio__safetensors *file) {
  return file->stamp;
}

aiorch_status aio__safetensors_unchanged(const aio__safetensors *file, aiorch_error *error) {
  struct stat now, there;
  if (fstat(file->fd, &now) == 0 && stat(file->path, &there) == 0 && now.st_ino == there.st_ino) {
    aio__file_stamp stamp = stamp_of(&now);
    if (stamp.size == file->stamp.size && stamp.modified_ns == file->stamp.modified_ns &&
        stamp.changed_ns == file->stamp.changed_ns)
      return AIORCH_OK;
  }
  return aio__error_set(error, AIORCH_E_MODEL, "%s was changed while it was read; try again", file->path);
}

/* ---- elements ---- */

static uint32_t bits_of_half(uint32_t half) {
  uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 0x1F, fraction = half & 0x3FF;
  if (exponent == 0x1F) return sign | 0x7F800000 | fraction << 13;
  if (exponent != 0) return sign | (exponent + 112) << 23 | fraction << 13;
  if (fraction == 0) return sign;
  for (exponent = 113; (fraction & 0x400) == 0; exponent--) fraction <<= 1;
  return sign | exponent << 23 | (fraction & 0x3FF) << 13;
}

/* False when one of them is no finite number. */
static bool decode(aio__dtype dtype, const uint8_t *bytes, size_t count, float *out) {
  uint32_t beyond = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    if (dtype == AIO__DTYPE_F32) {
      bits = (uint32_t)bytes[4 * i] | (uint32_t)bytes[4 * i + 1] << 8 | (uint32_t)bytes[4 * i + 2] << 16 |
             (uint32_t)bytes[4 * i + 3] << 24;
    } else {
      bits = (uint32_t)bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
      bits = dtype == AIO__DTYPE_F16 ? bits_of_half(bits) : bits << 16;
    }
    beyond |= (bits & 0x7F800000) == 0x7F800000;
    memcpy(&out[i], &bits, sizeof bits);
  }
  return beyond == 0;
}

aiorch_status aio__safetensors_read(const aio__safetensors *file, const aio__tensor *tensor, uint64_t first,
                                    size_t count, float *out, aio__sha256 *digest, aiorch_error *error) {
  uint8_t bytes[READ_ELEMENTS * 4];
  if (tensor->dtype == AIO__DTYPE_OTHER)
    return aio__error_set(error, AIORCH_E_MODEL, "%s: tensor \"%s\" is of type %s; weights are F32, F16 or BF16",
                          file->path, tensor->name, tensor->type);
  for (size_t done = 0, n; done < count; done += n) {
    n = count - done < READ_ELEMENTS ? count - done : READ_ELEMENTS;
    aiorch_status status =
      read_at(file, tensor->begin + (first + done) * tensor->width, bytes, n * tensor->width, error);
    if (status != AIORCH_OK) return status;
    if (digest != NULL) aio__sha256_add(digest, bytes, n * tensor->width);
    if (!decode(tensor->dtype, bytes, n, out + done))
      return bad(file, error, tensor->name, "one of its numbers is NaN or infinite; the file is damaged");
  }
  return AIORCH_OK;
}
