/* Chunks linked in a list, doubling from 4 KiB to 1 MiB; what is larger gets a chunk of its own. */
#include "base/arena.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_FIRST_BYTES ((size_t)4096)
#define CHUNK_MAX_BYTES ((size_t)1 << 20)
#define ALIGN_BYTES ((size_t)16)

struct chunk {
    struct chunk *next; /* older */
    size_t size;        /* of data */
    size_t used;
    size_t pad;
    unsigned char data[];
};

struct arena {
    struct chunk *newest;
    size_t next_size;
    size_t total_used;
};

static _Noreturn void out_of_memory(size_t size_bytes)
{
    char line[128];
    int n = snprintf(line, sizeof(line), "ember: out of memory (%zu bytes asked); nothing accepted is lost, restart it\n",
                     size_bytes);
    if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) {
        /* nothing more can be done */
    }
    abort();
}

static struct chunk *chunk_new(size_t size_bytes)
{
    size_t total;
    if (__builtin_add_overflow(size_bytes, sizeof(struct chunk), &total))
        out_of_memory(size_bytes);
    struct chunk *chunk = malloc(total);
    if (!chunk)
        out_of_memory(total);
    chunk->next = NULL;
    chunk->size = size_bytes;
    chunk->used = 0;
    return chunk;
}

struct arena *arena_new(void)
{
    struct arena *arena = xcalloc(1, sizeof(*arena));
    arena->next_size = CHUNK_FIRST_BYTES;
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    for (struct chunk *c = arena->newest; c;) {
        struct chunk *older = c->next;
        free(c);
        c = older;
    }
    free(arena);
}

void arena_freep(struct arena **arena)
{
    arena_free(*arena);
    *arena = NULL;
}

void arena_reset(struct arena *arena)
{
    struct chunk *c = arena->newest;
    while (c && c->next) {
        struct chunk *older = c->next;
        free(c);
        c = older;
    }
    if (c) {
#ifdef __SANITIZE_ADDRESS__
        memset(c->data, 0xdd, c->used);
#endif
        c->used = 0;
        arena->newest = c;
    }
    arena->next_size = CHUNK_FIRST_BYTES;
    arena->total_used = 0;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    size_t rounded;
    if (__builtin_add_overflow(size_bytes ? size_bytes : 1, ALIGN_BYTES - 1, &rounded))
        out_of_memory(size_bytes);
    rounded &= ~(ALIGN_BYTES - 1);
    struct chunk *c = arena->newest;
    if (!c || c->size - c->used < rounded) {
        if (rounded > arena->next_size / 4) {
            /* A chunk of its own, put behind the newest so that the newest's room is not lost. */
            struct chunk *own = chunk_new(rounded);
            own->used = rounded;
            if (c) {
                own->next = c->next;
                c->next = own;
            } else {
                arena->newest = own;
            }
            arena->total_used += rounded;
            return memset(own->data, 0, rounded);
        }
        c = chunk_new(arena->next_size);
        c->next = arena->newest;
        arena->newest = c;
        if (arena->next_size < CHUNK_MAX_BYTES)
            arena->next_size *= 2;
    }
    void *p = c->data + c->used;
    c->used += rounded;
    arena->total_used += rounded;
    return memset(p, 0, rounded);
}

void *arena_array(struct arena *arena, size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total))
        out_of_memory(SIZE_MAX);
    return arena_alloc(arena, total);
}

size_t arena_used(const struct arena *arena)
{
    return arena->total_used;
}

void *xmalloc(size_t size_bytes)
{
    void *p = malloc(size_bytes ? size_bytes : 1);
    if (!p)
        out_of_memory(size_bytes);
    return p;
}

void *xcalloc(size_t count, size_t size_bytes)
{
    void *p = calloc(count ? count : 1, size_bytes ? size_bytes : 1);
    if (!p)
        out_of_memory(size_bytes);
    return p;
}

void *xrealloc(void *ptr, size_t size_bytes)
{
    void *p = realloc(ptr, size_bytes ? size_bytes : 1);
    if (!p)
        out_of_memory(size_bytes);
    return p;
}

char *xstrdup(const char *text)
{
    size_t len = strlen(text) + 1;
    return memcpy(xmalloc(len), text, len);
}

void freep(void *pointer_to_pointer)
{
    void **p = pointer_to_pointer;
    free(*p);
    *p = NULL;
}
