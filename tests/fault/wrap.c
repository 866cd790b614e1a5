/* The calls of the C library that can fail: see wrap.h. */
#include "wrap.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* A sanitizer has a malloc of its own. */
#if defined(__SANITIZE_ADDRESS__)
#define WRAP_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WRAP_SANITIZED 1
#endif
#endif
#ifndef WRAP_SANITIZED
#define WRAP_SANITIZED 0
#endif

enum { KILLED = 9 };

static const struct {
  const char *name;
  int errors[5];
} calls[WRAP_CALLS] = {
    [WRAP_ALLOC] = {"alloc", {ENOMEM}},
    [WRAP_MALLOC] = {"malloc", {ENOMEM}},
    [WRAP_OPEN] = {"open", {EMFILE, EACCES, ENOSPC, EIO}},
    [WRAP_CLOSE] = {"close", {EIO}},
    [WRAP_READ] = {"read", {EIO}},
    [WRAP_PREAD] = {"pread", {EIO}},
    [WRAP_WRITE] = {"write", {ENOSPC, EIO, -1}},
    [WRAP_PWRITE] = {"pwrite", {ENOSPC, EIO, -1}},
    [WRAP_FSYNC] = {"fsync", {EIO, ENOSPC}},
    [WRAP_FDATASYNC] = {"fdatasync", {EIO, ENOSPC}},
    [WRAP_FTRUNCATE] = {"ftruncate", {EIO, ENOSPC}},
    [WRAP_UNLINK] = {"unlink", {EIO, EACCES}},
    [WRAP_RENAME] = {"rename", {EIO}},
    [WRAP_MKDIR] = {"mkdir", {EACCES, ENOSPC, EROFS}},
    [WRAP_STAT] = {"stat", {EACCES, EIO}},
    [WRAP_FSTAT] = {"fstat", {EIO}},
    [WRAP_ACCESS] = {"access", {EACCES}},
    [WRAP_FCNTL] = {"fcntl", {ENOLCK, EIO, EINTR}},
    [WRAP_MMAP] = {"mmap", {ENOMEM}},
    [WRAP_MADVISE] = {"madvise", {EINVAL}},
    [WRAP_THREAD] = {"thread", {EAGAIN}},
    [WRAP_MUTEX] = {"mutex", {ENOMEM}},
    [WRAP_COND] = {"cond", {ENOMEM}},
    [WRAP_CLOCK] = {"clock", {EINVAL}},
    [WRAP_RANDOM] = {"random", {EIO, EINTR, -1}},
    [WRAP_EVENTFD] = {"eventfd", {EMFILE}},
    [WRAP_EPOLL] = {"epoll", {EMFILE}},
    [WRAP_TIMERFD] = {"timerfd", {EMFILE}},
    [WRAP_SOCKET] = {"socket", {EMFILE, ENOBUFS, EACCES}},
    [WRAP_SOCKETPAIR] = {"socketpair", {EMFILE}},
    [WRAP_CONNECT] = {"connect", {ECONNREFUSED, ENETUNREACH, EADDRNOTAVAIL}},
    [WRAP_SEND] = {"send", {EPIPE, ECONNRESET, EINTR, -1}},
    [WRAP_RECV] = {"recv", {ECONNRESET, ETIMEDOUT, EINTR, -1}},
    [WRAP_SOCKOPT] = {"sockopt", {EINVAL}},
    [WRAP_SOCKNAME] = {"sockname", {ENOBUFS}},
    [WRAP_POLL] = {"poll", {ENOMEM, EINTR}},
    [WRAP_EPOLL_WAIT] = {"epoll_wait", {EINTR}},
};

static wrap_plan plan;
static atomic_bool armed, healed;
static atomic_long counts[WRAP_CALLS], matched, injected;

const char *wrap_name(wrap_call call) { return calls[call].name; }
const int *wrap_errors(wrap_call call) { return calls[call].errors; }

void wrap_arm(const wrap_plan *p) {
  atomic_store(&armed, false);
  plan = *p;
  for (int i = 0; i < WRAP_CALLS; i++) atomic_store(&counts[i], 0);
  atomic_store(&matched, 0);
  atomic_store(&injected, 0);
  atomic_store(&healed, false);
  atomic_store(&armed, true);
}

void wrap_pause(void) { atomic_store(&armed, false); }
void wrap_resume(void) { atomic_store(&armed, true); }
void wrap_heal(void) { atomic_store(&healed, true); }
long wrap_count(wrap_call call) { return atomic_load(&counts[call]); }
long wrap_matched(void) { return atomic_load(&matched); }
long wrap_injected(void) { return atomic_load(&injected); }

static void die(void) {
  (void)syscall(SYS_kill, getpid(), KILLED);
  for (;;) (void)pause();
}

/* What becomes of this call: the action, or -1 for none. */
static int strike(wrap_call call) {
  if (!atomic_load_explicit(&armed, memory_order_relaxed)) return -1;
  atomic_fetch_add_explicit(&counts[call], 1, memory_order_relaxed);
  if ((plan.calls & WRAP_BIT(call)) == 0) return -1;
  long number = atomic_fetch_add(&matched, 1) + 1;
  if (plan.at == 0 || atomic_load(&healed) || number < plan.at || (number > plan.at && !plan.from_on)) return -1;
  atomic_fetch_add(&injected, 1);
  if (plan.action == WRAP_KILL) die();
  return (int)plan.action;
}

static _Thread_local bool exempt; /* this thread is in code of others that is known to crash without memory */

/* For a call that can only fail. */
static bool fails(wrap_call call) {
  if (call == WRAP_MALLOC && exempt) return false;
  int action = strike(call);
  if (action < 0) return false;
  if (action == WRAP_TORN) die();
  errno = plan.error;
  return true;
}

bool wrap_alloc_fails(void) { return fails(WRAP_ALLOC); }

ssize_t wrap_real_write(int fd, const void *bytes, size_t n) { return syscall(SYS_write, fd, bytes, n); }

/* ---- the functions that stand behind ours ------------------------------------------------------------------------ */

/* glibc keeps old versions of some names, and the lookup without a version may find one of them. */
static void *find(const char *name) {
  void *p = NULL;
  if (strncmp(name, "pthread_cond_", 13) == 0) p = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
  if (p == NULL) p = dlsym(RTLD_NEXT, name);
  if (p == NULL) abort();
  return p;
}

/* The pointer to the next function of this name, looked up once; two threads that do so at once find the same. */
#define NEXT(result, name, ...)                              \
  static result (*next)(__VA_ARGS__);                        \
  if (next == NULL) {                                        \
    bool was_armed = atomic_exchange(&armed, false);         \
    void *found = find(name);                                \
    memcpy(&next, &found, sizeof next);                      \
    atomic_store(&armed, was_armed);                         \
  }

/* ---- memory ------------------------------------------------------------------------------------------------------ */

#if !WRAP_SANITIZED
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

void *malloc(size_t size) { return fails(WRAP_MALLOC) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails(WRAP_MALLOC) ? NULL : __libc_calloc(count, size); }
void *realloc(void *memory, size_t size) { return fails(WRAP_MALLOC) ? NULL : __libc_realloc(memory, size); }
#endif

/* PCRE2 10.42 crashes when malloc fails in its JIT compiler: nothing that its caller could prevent. */
int pcre2_jit_compile_8(void *code, uint32_t options);
int pcre2_jit_compile_8(void *code, uint32_t options) {
  NEXT(int, "pcre2_jit_compile_8", void *, uint32_t)
  exempt = true;
  int result = next(code, options);
  exempt = false;
  return result;
}

static void *map(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
  NEXT(void *, "mmap", void *, size_t, int, int, int, off_t)
  return fails(WRAP_MMAP) ? MAP_FAILED : next(at, n, protection, flags, fd, offset);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset) {
  return map(at, n, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset) {
  return map(at, n, protection, flags, fd, offset);
}

int madvise(void *at, size_t n, int advice) {
  NEXT(int, "madvise", void *, size_t, int)
  return fails(WRAP_MADVISE) ? -1 : next(at, n, advice);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static int open_file(const char *path, int flags, mode_t mode) {
  NEXT(int, "open64", const char *, int, ...)
  return fails(WRAP_OPEN) ? -1 : next(path, flags, mode);
}

#define MODE_OF(flags, mode)                            \
  mode_t mode = 0;                                      \
  if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) {       \
    va_list args;                                       \
    va_start(args, flags);                              \
    mode = va_arg(args, mode_t);                        \
    va_end(args);                                       \
  }

int open(const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  MODE_OF(flags, mode)
  return open_file(path, flags, mode);
}

int close(int fd) {
  NEXT(int, "close", int)
  bool failed = fails(WRAP_CLOSE);
  int code = next(fd);
  if (!failed) return code;
  errno = plan.error;
  return -1;
}

/* What wakes threads (an eventfd, a socket) does not fail for want of room or by EIO. */
static bool is_file(int fd) {
  struct stat info;
  return syscall(SYS_fstat, fd, &info) == 0 && S_ISREG(info.st_mode);
}

ssize_t read(int fd, void *into, size_t n) {
  NEXT(ssize_t, "read", int, void *, size_t)
  return is_file(fd) && fails(WRAP_READ) ? -1 : next(fd, into, n);
}

static ssize_t read_at(int fd, void *into, size_t n, off_t at) {
  NEXT(ssize_t, "pread64", int, void *, size_t, off_t)
  return fails(WRAP_PREAD) ? -1 : next(fd, into, n, at);
}

ssize_t pread(int fd, void *into, size_t n, off_t at) { return read_at(fd, into, n, at); }
ssize_t pread64(int fd, void *into, size_t n, off64_t at) { return read_at(fd, into, n, at); }

ssize_t write(int fd, const void *bytes, size_t n) {
  NEXT(ssize_t, "write", int, const void *, size_t)
  int action = is_file(fd) ? strike(WRAP_WRITE) : -1;
  if (action < 0) return next(fd, bytes, n);
  if (action == WRAP_FAIL) {
    errno = plan.error;
    return -1;
  }
  ssize_t wrote = next(fd, bytes, n / 2);
  if (action == WRAP_TORN) die();
  return wrote;
}

static ssize_t write_at(int fd, const void *bytes, size_t n, off_t at) {
  NEXT(ssize_t, "pwrite64", int, const void *, size_t, off_t)
  int action = strike(WRAP_PWRITE);
  if (action < 0) return next(fd, bytes, n, at);
  if (action == WRAP_FAIL) {
    errno = plan.error;
    return -1;
  }
  ssize_t wrote = next(fd, bytes, n / 2, at);
  if (action == WRAP_TORN) die();
  return wrote;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) { return write_at(fd, bytes, n, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) { return write_at(fd, bytes, n, at); }

int fsync(int fd) {
  NEXT(int, "fsync", int)
  return fails(WRAP_FSYNC) ? -1 : next(fd);
}

int fdatasync(int fd) {
  NEXT(int, "fdatasync", int)
  return fails(WRAP_FDATASYNC) ? -1 : next(fd);
}

static int cut(int fd, off_t n) {
  NEXT(int, "ftruncate64", int, off_t)
  return fails(WRAP_FTRUNCATE) ? -1 : next(fd, n);
}

int ftruncate(int fd, off_t n) { return cut(fd, n); }
int ftruncate64(int fd, off64_t n) { return cut(fd, n); }

int unlink(const char *path) {
  NEXT(int, "unlink", const char *)
  return fails(WRAP_UNLINK) ? -1 : next(path);
}

int rename(const char *from, const char *to) {
  NEXT(int, "rename", const char *, const char *)
  return fails(WRAP_RENAME) ? -1 : next(from, to);
}

int mkdir(const char *path, mode_t mode) {
  NEXT(int, "mkdir", const char *, mode_t)
  return fails(WRAP_MKDIR) ? -1 : next(path, mode);
}

/* struct stat and struct stat64 are one on 64-bit systems. */
static int status_of(const char *path, void *out) {
  NEXT(int, "stat64", const char *, void *)
  return fails(WRAP_STAT) ? -1 : next(path, out);
}

int stat(const char *path, struct stat *out) { return status_of(path, out); }
int stat64(const char *path, struct stat64 *out) { return status_of(path, out); }

int lstat64(const char *path, struct stat64 *out) {
  NEXT(int, "lstat64", const char *, struct stat64 *)
  return fails(WRAP_STAT) ? -1 : next(path, out);
}

static int status_of_open(int fd, void *out) {
  NEXT(int, "fstat64", int, void *)
  return fails(WRAP_FSTAT) ? -1 : next(fd, out);
}

int fstat(int fd, struct stat *out) { return status_of_open(fd, out); }
int fstat64(int fd, struct stat64 *out) { return status_of_open(fd, out); }

int access(const char *path, int mode) {
  NEXT(int, "access", const char *, int)
  return fails(WRAP_ACCESS) ? -1 : next(path, mode);
}

/* The third argument is a number or a pointer; either travels in one register. Giving a lock back cannot fail. */
static int control(int fd, int command, void *argument) {
  NEXT(int, "fcntl64", int, int, ...)
  bool lock = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
  bool gives_back = lock && ((const struct flock *)argument)->l_type == F_UNLCK;
  return !gives_back && fails(WRAP_FCNTL) ? -1 : next(fd, command, argument);
}

#define ARGUMENT_OF(command, argument) \
  va_list args;                        \
  va_start(args, command);             \
  void *argument = va_arg(args, void *); \
  va_end(args);

int fcntl(int fd, int command, ...) {
  ARGUMENT_OF(command, argument)
  return control(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
  ARGUMENT_OF(command, argument)
  return control(fd, command, argument);
}

/* SQLite waits for a lock up to a hundred times, ten seconds in all, whatever the error was: under a fault, less. */
int usleep(useconds_t us) {
  NEXT(int, "usleep", useconds_t)
  bool hurry = atomic_load(&armed) && (plan.calls & WRAP_BIT(WRAP_FCNTL)) != 0 && atomic_load(&injected) > 0;
  return next(hurry ? us / 100 : us);
}

/* ---- threads, clocks, random bytes, descriptors ------------------------------------------------------------------ */

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *argument) {
  NEXT(int, "pthread_create", pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
  return fails(WRAP_THREAD) ? plan.error : next(thread, attr, run, argument);
}

int pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr) {
  NEXT(int, "pthread_mutex_init", pthread_mutex_t *, const pthread_mutexattr_t *)
  return fails(WRAP_MUTEX) ? plan.error : next(mutex, attr);
}

int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr) {
  NEXT(int, "pthread_cond_init", pthread_cond_t *, const pthread_condattr_t *)
  return fails(WRAP_COND) ? plan.error : next(cond, attr);
}

int pthread_condattr_init(pthread_condattr_t *attr) {
  NEXT(int, "pthread_condattr_init", pthread_condattr_t *)
  return fails(WRAP_COND) ? plan.error : next(attr);
}

int pthread_attr_init(pthread_attr_t *attr) {
  NEXT(int, "pthread_attr_init", pthread_attr_t *)
  return fails(WRAP_THREAD) ? plan.error : next(attr);
}

int clock_gettime(clockid_t clock, struct timespec *out) {
  NEXT(int, "clock_gettime", clockid_t, struct timespec *)
  return fails(WRAP_CLOCK) ? -1 : next(clock, out);
}

ssize_t getrandom(void *into, size_t n, unsigned flags) {
  NEXT(ssize_t, "getrandom", void *, size_t, unsigned)
  int action = strike(WRAP_RANDOM);
  if (action == WRAP_SHORT) return next(into, n > 1 ? n / 2 : n, flags);
  if (action < 0) return next(into, n, flags);
  errno = plan.error;
  return -1;
}

int eventfd(unsigned value, int flags) {
  NEXT(int, "eventfd", unsigned, int)
  return fails(WRAP_EVENTFD) ? -1 : next(value, flags);
}

int epoll_create1(int flags) {
  NEXT(int, "epoll_create1", int)
  return fails(WRAP_EPOLL) ? -1 : next(flags);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event) {
  NEXT(int, "epoll_ctl", int, int, int, struct epoll_event *)
  return fails(WRAP_EPOLL) ? -1 : next(epoll, what, fd, event);
}

int timerfd_create(clockid_t clock, int flags) {
  NEXT(int, "timerfd_create", clockid_t, int)
  return fails(WRAP_TIMERFD) ? -1 : next(clock, flags);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *before) {
  NEXT(int, "timerfd_settime", int, int, const struct itimerspec *, struct itimerspec *)
  return fails(WRAP_TIMERFD) ? -1 : next(fd, flags, when, before);
}

/* ---- sockets ------------------------------------------------------------------------------------------------------ */

int socket(int family, int type, int protocol) {
  NEXT(int, "socket", int, int, int)
  return fails(WRAP_SOCKET) ? -1 : next(family, type, protocol);
}

int socketpair(int family, int type, int protocol, int out[2]) {
  NEXT(int, "socketpair", int, int, int, int *)
  return fails(WRAP_SOCKETPAIR) ? -1 : next(family, type, protocol, out);
}

/* Addresses as glibc declares them: a union of pointers to all their kinds. */
int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t n) {
  NEXT(int, "connect", int, const struct sockaddr *, socklen_t)
  return fails(WRAP_CONNECT) ? -1 : next(fd, address.__sockaddr__, n);
}

/* Short: a byte of what was to go or to come. */
ssize_t send(int fd, const void *bytes, size_t n, int flags) {
  NEXT(ssize_t, "send", int, const void *, size_t, int)
  int action = strike(WRAP_SEND);
  if (action < 0) return next(fd, bytes, n, flags);
  if (action == WRAP_SHORT) return next(fd, bytes, n > 0 ? 1 : 0, flags);
  errno = plan.error;
  return -1;
}

ssize_t recv(int fd, void *into, size_t n, int flags) {
  NEXT(ssize_t, "recv", int, void *, size_t, int)
  int action = strike(WRAP_RECV);
  if (action < 0) return next(fd, into, n, flags);
  if (action == WRAP_SHORT) return next(fd, into, n > 0 ? 1 : 0, flags);
  errno = plan.error;
  return -1;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t n) {
  NEXT(int, "setsockopt", int, int, int, const void *, socklen_t)
  return fails(WRAP_SOCKOPT) ? -1 : next(fd, level, name, value, n);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *n) {
  NEXT(int, "getsockopt", int, int, int, void *, socklen_t *)
  return fails(WRAP_SOCKOPT) ? -1 : next(fd, level, name, value, n);
}

int getsockname(int fd, __SOCKADDR_ARG address, socklen_t *n) {
  NEXT(int, "getsockname", int, struct sockaddr *, socklen_t *)
  return fails(WRAP_SOCKNAME) ? -1 : next(fd, address.__sockaddr__, n);
}

int getpeername(int fd, __SOCKADDR_ARG address, socklen_t *n) {
  NEXT(int, "getpeername", int, struct sockaddr *, socklen_t *)
  return fails(WRAP_SOCKNAME) ? -1 : next(fd, address.__sockaddr__, n);
}

int poll(struct pollfd *fds, nfds_t n, int timeout_ms) {
  NEXT(int, "poll", struct pollfd *, nfds_t, int)
  return fails(WRAP_POLL) ? -1 : next(fds, n, timeout_ms);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms) {
  NEXT(int, "epoll_wait", int, struct epoll_event *, int, int)
  return fails(WRAP_EPOLL_WAIT) ? -1 : next(epoll, events, most, timeout_ms);
}
