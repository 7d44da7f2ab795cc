/* objects_test_store: a fresh store in a folder of its own, for the tests of this folder. */
#pragma once
#include "base/arena.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "objects/objects.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    struct objects *objects;
    struct arena *arena;
};

#define OK(expression)                                                                                                         \
    do {                                                                                                                       \
        struct err *ok_err_ = (expression);                                                                                    \
        if (ok_err_)                                                                                                           \
            fail_msg("%s", ok_err_->message);                                                                                  \
    } while (0)
#define FAILS(expression, wire_code)                                                                                           \
    do {                                                                                                                       \
        struct err *fails_err_ = (expression);                                                                                 \
        assert_non_null(fails_err_);                                                                                           \
        assert_string_equal(fails_err_->code, wire_code);                                                                      \
        err_free(fails_err_);                                                                                                  \
    } while (0)
#define SAME(a, b)                                                                                                             \
    do {                                                                                                                       \
        struct slice same_a_ = (a), same_b_ = (b);                                                                             \
        if (!slice_eq(same_a_, same_b_))                                                                                       \
            fail_msg("\"%.*s\" is not \"%.*s\"", SLICE_ARG(same_a_), SLICE_ARG(same_b_));                                      \
    } while (0)

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->arena = arena_new();
    memcpy(f->dir, "/tmp/objects-test-XXXXXX", sizeof("/tmp/objects-test-XXXXXX"));
    assert_non_null(mkdtemp(f->dir));
    OK(objects_open(f->dir, &f->objects));
    OK(bucket_create(f->objects, S("bkt")));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    objects_close(f->objects);
    OK(tree_remove(f->dir));
    arena_free(f->arena);
    free(f);
    return 0;
}

UNUSED static struct slice filled(struct fixture *f, size_t len, char c)
{
    char *bytes = arena_alloc(f->arena, len + 1);
    memset(bytes, c, len);
    return slice_of(bytes, len);
}

UNUSED static struct err *put_when(struct fixture *f, struct slice key, struct slice data, const struct object_conditions *conditions)
{
    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_view view;
    TRY(object_writer_begin(f->objects, S("bkt"), key, CHECKSUM_CRC64NVME, &writer));
    TRY(object_writer_write(writer, data));
    return object_writer_commit(writer, (struct object_attributes){0}, conditions, f->arena, &view);
}

UNUSED static void put(struct fixture *f, struct slice key, struct slice data)
{
    OK(put_when(f, key, data, NULL));
}

UNUSED static struct slice read_rest(struct fixture *f, struct object_reader *reader)
{
    struct strbuf out = STRBUF_ARENA(f->arena);
    strbuf_append(&out, S(""));
    for (;;) {
        struct object_piece piece;
        OK(object_reader_next(reader, &piece));
        if (!piece.size_bytes)
            return out.ptr ? strbuf_slice(&out) : S("");
        if (piece.bytes.ptr) {
            strbuf_append(&out, piece.bytes);
            continue;
        }
        char *bytes = arena_alloc(f->arena, (size_t)piece.size_bytes);
        assert_int_equal(pread(piece.fd, bytes, (size_t)piece.size_bytes, piece.offset_bytes), piece.size_bytes);
        strbuf_append_bytes(&out, bytes, (size_t)piece.size_bytes);
    }
}

UNUSED static struct slice get(struct fixture *f, struct slice key)
{
    _cleanup_(object_reader_freep) struct object_reader *reader = NULL;
    struct object_view view;
    OK(object_reader_open(f->objects, f->arena, S("bkt"), key, &view, &reader));
    return read_rest(f, reader);
}
