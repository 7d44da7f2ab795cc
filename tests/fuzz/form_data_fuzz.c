/* form_data_fuzz: the first byte says how the body is cut, the rest is a POST form with the boundary "b". However it is cut, the same comes out
 * of it, and never more than went in. */
#include "aws/form_data.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    struct slice rest;
    size_t step;
};

static struct err *memory_read(void *ctx, void *buf, size_t cap, size_t *ret_len)
{
    struct memory *memory = ctx;
    size_t len = memory->rest.len < cap ? memory->rest.len : cap;
    len = len < memory->step ? len : memory->step;
    if (len)
        memcpy(buf, memory->rest.ptr, len);
    memory->rest = slice_from(memory->rest, len);
    *ret_len = len;
    return NULL;
}

static struct err *read_form(struct arena *arena, struct slice wire, size_t step, size_t cap, struct strbuf *out)
{
    struct memory memory = {.rest = wire, .step = step};
    struct form_data *form = form_data_new(arena, (struct aws_reader){memory_read, &memory}, S("b"));
    for (;;) {
        struct form_part part;
        bool more;
        TRY(form_data_next(form, &more, &part));
        if (!more)
            return NULL;
        strbuf_append(out, part.name);
        strbuf_append_char(out, '=');
        char buffer[512];
        size_t len;
        do {
            TRY(form_data_read(form, buffer, cap, &len));
            if (len > cap)
                abort();
            strbuf_append_bytes(out, buffer, len);
        } while (len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice wire = slice_of((const char *)data, size), boundary;
    size_t step = wire.len ? (size_t)(uint8_t)wire.ptr[0] + 1 : 1;
    wire = slice_from(wire, 1);
    (void)form_data_boundary(arena, wire, &boundary);
    struct strbuf whole = STRBUF_ARENA(arena), cut = STRBUF_ARENA(arena);
    struct err *first = read_form(arena, wire, 1 << 20, 512, &whole), *second = read_form(arena, wire, step, 1 + step % 511, &cut);
    if ((first == NULL) != (second == NULL) || (!first && !slice_eq(strbuf_slice(&whole), strbuf_slice(&cut))) || whole.len > size)
        abort();
    err_free(first);
    err_free(second);
    arena_free(arena);
    return 0;
}
