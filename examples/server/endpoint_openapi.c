/* GET /openapi.json: what is served, for programs (OpenAPI 3.1). */
#include "endpoint_documents.h"

#include "openapi_document.h"

void endpoint_openapi(endpoint_call *call) {
  headers_set(&call->headers, "Cache-Control", "public, max-age=300");
  cli_add(&call->out, (const char *)openapi_document, openapi_document_len);
}
