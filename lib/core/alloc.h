/* Allocation through the handle's allocator. Every allocation of the library goes through here. */
#ifndef AIO_CORE_ALLOC_H
#define AIO_CORE_ALLOC_H

#include <aiorch/types.h>

typedef aiorch_allocator aio__alloc;

/* malloc, realloc, free of the C library. */
const aio__alloc *aio__alloc_default(void);

void *aio__malloc(const aio__alloc *al, size_t size);                       /* NULL when size is 0 or none is left */
void *aio__calloc(const aio__alloc *al, size_t count, size_t size);         /* zeroed; NULL on overflow */
void *aio__realloc(const aio__alloc *al, void *memory, size_t size);
void aio__free(const aio__alloc *al, void *memory);                         /* takes NULL */
char *aio__strndup(const aio__alloc *al, const char *text, size_t len);     /* NUL-terminated copy */

#endif
