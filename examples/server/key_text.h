/*
 * Keys as people see them: "aik_", 32 random letters and digits (190 bits), and 6 of their SHA-256, so that a slip of the pen is
 * told from a key that is no longer known, and secret scanners can be sure of what they found. Only its SHA-256 is kept.
 */
#ifndef KEY_TEXT_H
#define KEY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { KEY_PREFIX_LEN = 4, KEY_RANDOM_LEN = 32, KEY_CHECK_LEN = 6, KEY_TEXT_LEN = 42, KEY_ID_LEN = 16, KEY_LAST_LEN = 4 };

/* A new key, and a new id ("key_" and 12 letters and digits). False when the kernel gives no random bytes. */
bool key_text_make(char key[KEY_TEXT_LEN + 1], char id[KEY_ID_LEN + 1]);
/* Whether it has the prefix of a key, whatever follows. */
bool key_text_claims(const char *text, size_t len);
/* Whether it is written as keys are: length, letters, check letters. */
bool key_text_valid(const char *text, size_t len);

#endif
