/*
 * A PostgreSQL of the test's own: tests/postgres/cluster.py.
 */
#ifndef CLUSTER_H
#define CLUSTER_H

#include <libpq-fe.h>

/* Runs this program again inside a cluster made with these options (NULL last), unless it is in one. */
void cluster_enter(char **argv, const char *const *options);
/* What the cluster says of itself; ends the program when it says nothing of the kind. */
const char *cluster_variable(const char *name);
/* A connection of the superuser whose notices nobody sees. */
PGconn *cluster_admin(void);
void cluster_no_notices(PGconn *pg);
_Noreturn void cluster_die(const char *what, const char *why);

#endif
