/*
 * The indexes of vectors of a PostgreSQL store: made where they are worth it, with a bar.
 */
#ifndef VECTOR_INDEX_H
#define VECTOR_INDEX_H

#include "cli.h"

/* What there is, as aiorch_vector_indexes reports it; NULL where there is nothing to say (no PostgreSQL, or a schema that is too old). */
json_value *vector_index_status(cli *c);
/* Makes what is wanted and may be made; prints what came of it unless --json or --quiet. An exit code. `*out` is the report
 * afterwards, or NULL. */
int vector_index_make(cli *c, json_value **out);
/* After vectors came: vector_index_make where this login may, else a line that says who may. */
int vector_index_after(cli *c, json_value **out);
/* A line a model: how many vectors, and how they are searched. */
void vector_index_print(const cli *c, const json_value *report);
/* The member "vector_indexes". */
void vector_index_json(json_print *p, const json_value *report);

#endif
