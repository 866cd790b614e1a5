/* What goes wrong with a PostgreSQL server, and how it is put right again: the scenes of postgres_outage.c. */
#ifndef AIO_TESTS_OUTAGE_FAULTS_H
#define AIO_TESTS_OUTAGE_FAULTS_H

#include <libpq-fe.h>
#include <stdbool.h>

enum { FAULT_WAIT_S = 100 }; /* nothing of the server takes longer */

typedef struct outage_fault {
  const char *name;
  void (*begin)(PGconn *pg); /* of the superuser; it stays open until end */
  void (*end)(PGconn *pg);
  bool is_hasty;  /* runs have less time than a call of the store may take: many fail */
  bool is_slight; /* one that most do not notice: with little time a single run that fails will do */
  bool is_slow;   /* each run waits for the server: fewer of them, unless all are wanted */
  bool needs_namespace;
  bool needs_standby;
} outage_fault;

extern const outage_fault OUTAGE_FAULTS[]; /* up to one without a name */

/* As the superuser; of the standby once it has taken over. */
PGconn *outage_admin(void);
PGresult *outage_sql(PGconn *pg, const char *sql);
/* Ends the server's sessions of ours that outlived their clients, and what they were about to write. How many there were. */
int outage_end_sessions(PGconn *pg);

/* Runs this program again inside a cluster of tests/postgres/cluster.py, unless it is in one: in namespaces of its own for network and
 * mounts where the system permits it. */
void outage_into_cluster(char **argv);
/* Whether it can be played here: some need such namespaces, where the server's data are on a small disk, or tc. */
bool outage_is_possible(const outage_fault *fault);

/* Makes a standby that has all that was committed, and lets the primary wait for it. */
void outage_make_standby(void);
/* What the library is told: both hosts, when there is a standby. */
void outage_url(char *out, size_t size);
/* Ends what of it still runs. */
void outage_end_standby(void);

#endif
