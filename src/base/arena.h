/* arena: memory that goes all at once. One per call, per reconcile step, per CLI run; passed, never "current".
 * Not thread-safe: one owner at a time. Allocations are zeroed and never NULL: when the machine has no memory the process
 * ends with one clear line (docs/adr/0001). Request sizes are bounded at the door, so arenas need no limit of their own. */
#pragma once
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);  /* NULL is fine */
void arena_reset(struct arena *arena); /* frees all, keeps the first chunk; debug builds poison it */
void *arena_alloc(struct arena *arena, size_t size_bytes) __attribute__((malloc, alloc_size(2), returns_nonnull));
/* count * size with overflow check (ends the process on overflow: callers bound counts at the door). */
void *arena_array(struct arena *arena, size_t count, size_t size_bytes) __attribute__((malloc, returns_nonnull));
size_t arena_used(const struct arena *arena); /* bytes handed out since the last reset */

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_array((arena), (count), sizeof(type)))

/* Heap with the same rule (never NULL), for objects with a life of their own. */
void *xmalloc(size_t size_bytes) __attribute__((malloc, alloc_size(1), returns_nonnull));
void *xcalloc(size_t count, size_t size_bytes) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *ptr, size_t size_bytes) __attribute__((returns_nonnull));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull));
void freep(void *pointer_to_pointer); /* for _cleanup_(freep) */

void arena_freep(struct arena **arena);

#define _cleanup_(function) __attribute__((cleanup(function)))
#define STEAL(pointer)                                                                                                             \
    ({                                                                                                                         \
        __typeof__(pointer) steal_tmp_ = (pointer);                                                                            \
        (pointer) = NULL;                                                                                                      \
        steal_tmp_;                                                                                                            \
    })
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED __attribute__((unused))
