/* Threads of the library's own. */
#ifndef AIO_CORE_THREAD_H
#define AIO_CORE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* Starts one in which all signals are blocked: they are the host's. An errno. */
int aio__thread_start(pthread_t *thread, size_t stack_bytes, void *(*run)(void *ctx), void *ctx);

#endif
