/* Files of the spool: whatever is in one, each byte of it is a record's, damaged, or cut off; and what a record with the right sums
 * holds is a row or refused with words. The first byte chooses: a whole file, or the payload of one record. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/hash.h"
#include "fuzz.h"
#include "stores/spool.h"

static const char *const name = "01900000-0000-7000-8000-000000000000.0123456789abcdef.spool";

static void check_text(aio__str text, aio__str record) {
  FUZZ_CHECK(text.n == 0 || (text.p >= record.p && text.p + text.n <= record.p + record.n));
}

static void check_row(aio__str record) {
  aio__arena arena;
  aio__spool_row row;
  aiorch_error *error = NULL;
  if (aiorch_error_new(&error) != AIORCH_OK) abort();
  aio__arena_init(&arena, aio__alloc_default(), 1024);
  aiorch_status status = aio__spool_record_read(record, &arena, &row, error);
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_STORE_CORRUPT || status == AIORCH_E_STORE_NEWER);
  FUZZ_CHECK(status == AIORCH_OK || aiorch_error_message(error)[0] != '\0');
  if (status == AIORCH_OK && row.kind == AIO__SPOOL_REFUSED) {
    check_text(row.reason, record);
    check_text(row.record, record);
    FUZZ_CHECK(aio__spool_record_is_whole(row.record));
  } else if (status == AIORCH_OK) {
    check_text(row.tenant, record);
    FUZZ_CHECK((row.run != NULL) == (row.kind == AIO__SPOOL_SETTLE) && (row.count == 1 || row.run != NULL));
    for (size_t i = 0; i < row.count; i++) {
      check_text(row.attempts[i].provider, record);
      check_text(row.attempts[i].model, record);
      check_text(row.attempts[i].request_id, record);
      FUZZ_CHECK(strlen(row.attempts[i].id) <= AIO__UUID_LEN && strlen(row.attempts[i].run_id) <= AIO__UUID_LEN);
    }
  }
  aio__arena_free(&arena);
  aiorch_error_free(error);
}

static void little(uint32_t value, char *to) {
  for (int i = 0; i < 4; i++) to[i] = (char)(uint8_t)(value >> (8 * i));
}

static void check_payload(const uint8_t *data, size_t size) {
  char *record = calloc(1, AIO__SPOOL_HEAD + size);
  if (record == NULL) abort();
  memcpy(record, "ASR1", 4);
  little((uint32_t)(size - 1), record + 4);
  little(aio__crc32c(0, data + 1, size - 1), record + 8);
  record[12] = (char)data[0];
  record[13] = 1;
  little(aio__crc32c(0, record, AIO__SPOOL_HEAD - 4), record + AIO__SPOOL_HEAD - 4);
  memcpy(record + AIO__SPOOL_HEAD, data + 1, size - 1);
  check_row(aio__str_n(record, AIO__SPOOL_HEAD + size - 1));
  free(record);
}

static void check_file(const uint8_t *data, size_t size) {
  char path[AIO__SPOOL_PATH_MAX];
  aio__spool_reader reader;
  aio__str record;
  uint64_t whole = 0;
  const char *folder = fuzz_folder();
  (void)snprintf(path, sizeof path, "%.3000s/%s", folder, name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0) abort();
  aiorch_status status = aio__spool_reader_open(aio__alloc_default(), folder, name, true, &reader, NULL);
  FUZZ_CHECK(status == AIORCH_OK || status == AIORCH_E_STORE_NEWER);
  if (status == AIORCH_OK) {
    if (reader.damaged == 0 && reader.torn == 0) whole = AIO__SPOOL_FILE_HEAD;
    while ((status = aio__spool_reader_next(&reader, &record, NULL)) == AIORCH_OK) {
      FUZZ_CHECK(aio__spool_record_is_whole(record));
      whole += record.n;
      check_row(record);
    }
    FUZZ_CHECK(status == AIORCH_DONE);
    FUZZ_CHECK(whole + reader.damaged + reader.torn == size);
    bool damaged = reader.damaged > 0;
    FUZZ_CHECK(aio__spool_reader_finish(&reader, NULL) == AIORCH_OK);
    FUZZ_CHECK(access(path, F_OK) != 0);
    memcpy(strrchr(path, '.'), ".damaged", sizeof ".damaged");
    FUZZ_CHECK((access(path, F_OK) == 0) == damaged);
  }
  (void)unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  if (data[0] < 8)
    check_payload(data, size);
  else
    check_file(data + 1, size - 1);
  return 0;
}
