/*
 * Stands between the program (the library in it, SQLite beside it) and the C library, counts the calls that can fail,
 * and makes one of them, or all from one on, fail, come short, or end the process with SIGKILL.
 *
 * The functions in wrap.c have the names of those of the C library, so that the dynamic linker gives them to the
 * executable and to every shared library. Nothing is counted and nothing fails until wrap_arm.
 */
#ifndef AIO_TESTS_FAULT_WRAP_H
#define AIO_TESTS_FAULT_WRAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum wrap_call {
  WRAP_ALLOC, /* the allocator that the scenario gives the library */
  WRAP_MALLOC, WRAP_OPEN, WRAP_CLOSE, WRAP_READ, WRAP_PREAD, WRAP_WRITE, WRAP_PWRITE, WRAP_FSYNC, WRAP_FDATASYNC,
  WRAP_FTRUNCATE, WRAP_UNLINK, WRAP_RENAME, WRAP_MKDIR, WRAP_STAT, WRAP_FSTAT, WRAP_ACCESS, WRAP_FCNTL, WRAP_MMAP,
  WRAP_MADVISE, WRAP_THREAD, WRAP_MUTEX, WRAP_COND, WRAP_CLOCK, WRAP_RANDOM, WRAP_EVENTFD, WRAP_EPOLL, WRAP_TIMERFD,
  WRAP_SOCKET, WRAP_SOCKETPAIR, WRAP_CONNECT, WRAP_SEND, WRAP_RECV, WRAP_SOCKOPT, WRAP_SOCKNAME, WRAP_POLL, WRAP_EPOLL_WAIT,
  WRAP_CALLS
} wrap_call;

#define WRAP_BIT(call) (UINT64_C(1) << (call))
/* What changes a file: the places where a process may die. */
#define WRAP_CHANGES                                                                                                  \
  (WRAP_BIT(WRAP_WRITE) | WRAP_BIT(WRAP_PWRITE) | WRAP_BIT(WRAP_FSYNC) | WRAP_BIT(WRAP_FDATASYNC) |                    \
   WRAP_BIT(WRAP_FTRUNCATE) | WRAP_BIT(WRAP_UNLINK) | WRAP_BIT(WRAP_RENAME) | WRAP_BIT(WRAP_MKDIR))

typedef enum wrap_action {
  WRAP_FAIL,
  WRAP_SHORT, /* half of what was to be written or read is; other calls fail */
  WRAP_KILL,  /* the process ends before the call */
  WRAP_TORN   /* half is written, then the process ends; before the call where there is nothing to halve */
} wrap_action;

typedef struct wrap_plan {
  uint64_t calls;     /* WRAP_BIT of those that are counted together */
  long at;            /* which of them, from 1; 0: count only */
  bool from_on;       /* and all that follow */
  wrap_action action;
  int error;          /* errno, or what a pthread function returns */
} wrap_plan;

const char *wrap_name(wrap_call call);
/* The errors that are worth trying for a call: at most 4, ends with 0. -1 stands for WRAP_SHORT. */
const int *wrap_errors(wrap_call call);

void wrap_arm(const wrap_plan *plan); /* all counts at 0 */
void wrap_pause(void);                /* neither counts nor fails; a kill neither */
void wrap_resume(void);
void wrap_heal(void);                 /* counts, but nothing fails any more */
long wrap_count(wrap_call call);      /* since wrap_arm */
long wrap_matched(void);              /* calls of plan.calls since wrap_arm */
long wrap_injected(void);             /* faults since wrap_arm */

/* The allocator's hook: true when this allocation is to fail. */
bool wrap_alloc_fails(void);
/* What the test itself writes: never counted. */
ssize_t wrap_real_write(int fd, const void *bytes, size_t n);

#endif
