/* Keys and tokens that the tests make themselves: whatever a client could send. */
#ifndef MADE_TOKENS_H
#define MADE_TOKENS_H

#include "cli.h"

/* "rsa", "rsa2", "ec", "ec2", "small" (RSA of 1,024 bits): the same one each time. */
const char *made_key(const char *name);
/* A key set of the public halves, with their names as kid; separated by spaces. The caller frees it. */
char *made_set(const char *names);
/* The public half of an RSA key as a JWK: what who mixes up keys would use as a secret. */
char *made_public_text(const char *name);
/* A token with this header and these claims as JSON, signed as `alg` says with a key of above, or with a secret. The caller frees it. */
char *made_token(const char *alg, const char *key, const char *header, const char *claims);
/* Parts joined by dots as they are, each as base64url; the last one as it is. */
char *made_parts(const char *header, const char *claims, const char *signature);
void made_forget(void);

#endif
