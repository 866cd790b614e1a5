/* Keys and tokens for tests. */
#include "made_tokens.h"

#include <stdlib.h>
#include <string.h>

#include <cjose/cjose.h>

static struct {
  const char *name;
  cjose_jwk_t *key;
  char *text;
} keys[] = {{"rsa", NULL, NULL}, {"rsa2", NULL, NULL}, {"ec", NULL, NULL}, {"ec2", NULL, NULL}, {"small", NULL, NULL}};

enum { KEYS = sizeof keys / sizeof keys[0] };

static cjose_jwk_t *find(const char *name) {
  cjose_err error;
  for (size_t i = 0; i < KEYS; i++) {
    if (strcmp(keys[i].name, name) != 0) continue;
    if (!keys[i].key && name[0] == 'e') keys[i].key = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &error);
    if (!keys[i].key) {
      static const uint8_t e[] = {1, 0, 1};
      keys[i].key = cjose_jwk_create_RSA_random(name[0] == 's' ? 1024 : 2048, e, sizeof e, &error);
    }
    if (!keys[i].text) {
      cjose_jwk_set_kid(keys[i].key, name, strlen(name), &error);
      keys[i].text = cjose_jwk_to_json(keys[i].key, true, &error);
    }
    return keys[i].key;
  }
  abort();
}

const char *made_key(const char *name) {
  find(name);
  for (size_t i = 0; i < KEYS; i++) {
    if (strcmp(keys[i].name, name) == 0) return keys[i].text;
  }
  return NULL;
}

char *made_public_text(const char *name) {
  cjose_err error;
  char *text = cjose_jwk_to_json(find(name), false, &error), *copy = cli_copy(text, strlen(text));
  free(text);
  return copy;
}

char *made_set(const char *names) {
  cli_bytes out = {0};
  cli_addz(&out, "{\"keys\":[");
  for (bool first = true; *(names += strspn(names, " ")); first = false) {
    size_t len = strcspn(names, " ");
    char *name = cli_copy(names, len), *text = made_public_text(name);
    cli_addf(&out, "%s%s", first ? "" : ",", text);
    free(text);
    free(name);
    names += len;
  }
  cli_addz(&out, "]}");
  return out.data;
}

static void add_part(cli_bytes *out, const char *text, size_t len) {
  char *encoded = NULL;
  size_t encoded_len = 0;
  cjose_err error;
  if (!cjose_base64url_encode((const uint8_t *)text, len, &encoded, &encoded_len, &error)) abort();
  cli_add(out, encoded, encoded_len);
  free(encoded);
}

char *made_parts(const char *header, const char *claims, const char *signature) {
  cli_bytes out = {0};
  add_part(&out, header, strlen(header));
  cli_addc(&out, '.');
  add_part(&out, claims, strlen(claims));
  cli_addc(&out, '.');
  cli_addz(&out, signature);
  return out.data;
}

/* The library signs only headers of its own making: what is to be signed is taken apart and put together again. */
char *made_token(const char *alg, const char *key, const char *header, const char *claims) {
  cjose_err error;
  bool secret = strcmp(alg, "HS256") == 0;
  cjose_jwk_t *jwk = secret ? cjose_jwk_create_oct_spec((const uint8_t *)key, strlen(key), &error) : find(key);
  cjose_header_t *own = cjose_header_new(&error);
  const json_value *m = NULL;
  size_t where;
  json_value *given = json_parse(header, strlen(header), &where);
  cjose_header_set(own, "alg", alg, &error);
  for (m = given ? given->child : NULL; m; m = m->next) {
    if (m->type == JSON_TEXT) cjose_header_set(own, m->name, m->text, &error);
    else cjose_header_set_raw(own, m->name, m->type == JSON_ARRAY ? "[\"exp\"]" : m->text, &error);
  }
  cjose_jws_t *jws = cjose_jws_sign(jwk, own, (const uint8_t *)claims, strlen(claims), &error);
  const char *text = NULL;
  if (!jws || !cjose_jws_export(jws, &text, &error)) abort();
  char *copy = cli_copy(text, strlen(text));
  cjose_jws_release(jws);
  cjose_header_release(own);
  if (secret) cjose_jwk_release(jwk);
  json_free(given);
  return copy;
}

void made_forget(void) {
  for (size_t i = 0; i < KEYS; i++) {
    cjose_jwk_release(keys[i].key);
    free(keys[i].text);
    keys[i].key = NULL;
    keys[i].text = NULL;
  }
}
