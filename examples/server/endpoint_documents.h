/* Documents and search over HTTP. All of these are for workers (ENDPOINT_WORKER). */
#ifndef ENDPOINT_DOCUMENTS_H
#define ENDPOINT_DOCUMENTS_H

#include "endpoints.h"

enum { ENDPOINT_WORK_MS = 30000 }; /* how long a call of the library may take there */

void endpoint_documents_add(endpoint_call *call);           /* POST /v1/documents */
void endpoint_documents_list(endpoint_call *call);          /* GET /v1/documents, also with ?uri= */
void endpoint_documents_show(endpoint_call *call);          /* GET /v1/documents/{id} */
void endpoint_documents_delete(endpoint_call *call);        /* DELETE /v1/documents/{id} */
void endpoint_documents_delete_by_uri(endpoint_call *call); /* DELETE /v1/documents?uri= */
void endpoint_search(endpoint_call *call);                  /* POST /v1/search */
void endpoint_openapi(endpoint_call *call);                 /* GET /openapi.json; never waits */

/* The body as a JSON object with none but these members; NULL after a problem was made of it. */
json_value *endpoint_body(endpoint_call *call, const char *const *members);
/* A problem of what the library said. */
void endpoint_failed(endpoint_call *call, aiorch_status status, const aiorch_error *error);

#endif
