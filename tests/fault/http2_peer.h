/* http2_server.mjs as a process beside ours. */
#ifndef AIO_TESTS_HTTP2_PEER_H
#define AIO_TESTS_HTTP2_PEER_H

#include <stdbool.h>
#include <stdint.h>

enum { HTTP2_LINE = 4096 };

/* False, with words: it cannot be had here. `ca`: the file with its certificate. */
bool http2_peer_start(char ca[HTTP2_LINE]);
int http2_peer_port(void);
void http2_peer_seen(int64_t *connections, int64_t *requests, int64_t *dropped);
void http2_peer_end(void);

#endif
