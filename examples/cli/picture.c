/*
 * Pictures: from a file or a URL onto a run.
 */
#include "picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_url(const char *where) {
  return strncmp(where, "https://", 8) == 0 || strncmp(where, "http://", 7) == 0 || strncmp(where, "data:", 5) == 0;
}

static bool begins(const cli_bytes *b, size_t at, const char *mark, size_t len) {
  return b->len >= at + len && memcmp(b->data + at, mark, len) == 0;
}

/* By its first bytes: names lie. NULL when it is none of the four. */
static const char *media_type_of(const cli_bytes *b) {
  if (begins(b, 0, "\x89PNG\r\n\x1a\n", 8)) return "image/png";
  if (begins(b, 0, "\xFF\xD8\xFF", 3)) return "image/jpeg";
  if (begins(b, 0, "GIF87a", 6) || begins(b, 0, "GIF89a", 6)) return "image/gif";
  if (begins(b, 0, "RIFF", 4) && begins(b, 8, "WEBP", 4)) return "image/webp";
  return NULL;
}

static void encode(const cli_bytes *in, cli_bytes *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *s = (const unsigned char *)in->data;
  for (size_t i = 0; i < in->len; i += 3) {
    size_t left = in->len - i;
    uint32_t bits = (uint32_t)s[i] << 16 | (left > 1 ? (uint32_t)s[i + 1] << 8 : 0) | (left > 2 ? s[i + 2] : 0u);
    char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], left > 1 ? digits[bits >> 6 & 63] : '=',
                    left > 2 ? digits[bits & 63] : '='};
    cli_add(out, four, sizeof four);
  }
}

static int read_file(cli *c, const char *path, cli_bytes *out) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int error = fd < 0 ? errno : cli_read_all(fd, PICTURE_MAX_BYTES, out);
  if (fd >= 0) close(fd);
  if (!error) return CLI_EXIT_OK;
  if (error == EFBIG) {
    char limit[32];
    cli_size_text(PICTURE_MAX_BYTES, limit);
    return cli_error(c, CLI_EXIT_USAGE, AIORCH_E_TOO_LARGE, "the picture %s has more than %s; make it smaller, or give its URL",
                     path, limit);
  }
  bool missing = error == ENOENT;
  return cli_error(c, missing ? CLI_EXIT_NOT_FOUND : CLI_EXIT_INTERNAL, missing ? AIORCH_E_NOT_FOUND : AIORCH_E_SYSTEM,
                   "the picture %s cannot be read: %s", path, strerror(error));
}

int picture_read(cli *c, const char *where, picture *out) {
  cli_bytes file = {0};
  *out = (picture){0};
  if (is_url(where)) {
    out->name = cli_copy(where, strlen(where));
    return CLI_EXIT_OK;
  }
  int code = read_file(c, where, &file);
  const char *type = code == CLI_EXIT_OK ? media_type_of(&file) : NULL;
  if (code == CLI_EXIT_OK && !type) {
    code = cli_error(c, CLI_EXIT_USAGE, AIORCH_E_INVALID,
                     "the picture %s is no PNG, JPEG, GIF or WebP, by its first bytes; convert it to one of them", where);
  }
  if (code == CLI_EXIT_OK) {
    out->name = cli_copy(where, strlen(where));
    out->media_type = type;
    encode(&file, &out->data);
  }
  cli_release(&file);
  return code;
}

void picture_free(picture *p) {
  free(p->name);
  cli_release(&p->data);
  *p = (picture){0};
}

aiorch_status picture_add(aiorch_run *run, const picture *p) {
  if (!p->media_type) return aiorch_run_add_image_url(run, p->name, strlen(p->name));
  return aiorch_run_add_image(run, p->media_type, cli_z(&p->data), p->data.len);
}
