/*
 * The settings of the server: the member "server" of the configuration's file, and --set server.NAME=VALUE. One table says all of them
 * (server_settings.c); `aiorch serve --settings` prints it, and docs/server.md repeats it.
 */
#ifndef SERVER_SETTINGS_H
#define SERVER_SETTINGS_H

#include "cli.h"

typedef struct server_settings {
  char *listen;                 /* "127.0.0.1:8484"; several, separated by commas */
  bool anonymous;
  char *anonymous_tenant;
  char *tls_certificate, *tls_key;
  char *models;                 /* model_catalog.h */
  int64_t body_max_bytes, bodies_max_bytes, head_max_bytes, uri_max_bytes;
  int64_t connections_max, connections_per_address, calls_max;
  int64_t head_timeout_ms, body_timeout_ms, body_bytes_per_s, idle_ms, write_timeout_ms;
  int64_t heartbeat_ms, first_byte_ms, stream_buffer_bytes;
  int64_t workers, worker_queue;
  int64_t drain_ms;
  bool access_log, half_closed, metrics_open;
  char *metrics_tenant;         /* who may read the sums of all; "": nobody */
  char *keys;                   /* where keys are; "": beside the store */
  int64_t anonymous_per_minute; /* a client's address */
  bool anonymous_documents;
  bool limit_search, limit_documents;
  char *trusted_proxies;
  char *hosts;                  /* host_names.h */
  char *cors_origins;
  int64_t cors_max_age_s;
  char *jwt_algorithms;         /* "": no tokens */
  char *jwt_secret, *jwt_jwks, *jwt_jwks_ca;
  int64_t jwt_jwks_max_age_s, jwt_jwks_stale_s;
  char *jwt_issuer, *jwt_audience;
  int64_t jwt_leeway_s;
  char *jwt_tenant_claim, *jwt_tenant, *jwt_user_claim, *jwt_role_claim, *jwt_roles;
} server_settings;

typedef struct server_setting {
  const char *name;             /* without "server." */
  char type;                    /* 's' text, 'i' integer, 'b' yes or no */
  size_t offset;                /* in server_settings */
  const char *standard;         /* the default as text */
  int64_t min, max;             /* of 'i' */
  const char *help;             /* one line */
} server_setting;

void server_settings_init(server_settings *settings);
/* One setting. False after `why` names what is wrong and, for a name that is none, the nearest. */
bool server_settings_set(server_settings *settings, const char *name, const char *value, char why[256]);
/* The member "server" of a configuration file, flat or nested; a file without one sets nothing. */
bool server_settings_file(server_settings *settings, const char *path, char why[256]);
/* All that was said: the defaults, the file of $AIORCH_CONFIG, that of --config, --set and --listen. */
bool server_settings_told(server_settings *settings, const cli *told, char why[256]);
void server_settings_free(server_settings *settings);
/* Row number `index`, NULL past the last. */
const server_setting *server_settings_row(size_t index);

#endif
