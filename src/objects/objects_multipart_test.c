/* Tests of multipart uploads. */
#include "objects/objects_test_store.h"

#include <string.h>

#define FULL OBJECTS_MIN_PART_BYTES

static struct slice part(struct fixture *f, struct slice id, int number, struct slice data, enum checksum_kind kind)
{
    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_part_view view;
    OK(object_writer_begin(f->objects, S("bkt"), S("big"), kind, &writer));
    OK(object_writer_write(writer, data));
    OK(upload_part_commit(writer, id, number, f->arena, &view));
    return view.etag;
}

static struct err *complete(struct fixture *f, struct slice id, const struct upload_complete_part *parts, size_t count,
                            struct object_view *ret_view)
{
    struct upload_complete_fault fault;
    return upload_complete(f->objects, f->arena, S("bkt"), S("big"), id, parts, count, NULL, ret_view, &fault);
}

static struct slice begin(struct fixture *f, enum checksum_kind kind, enum checksum_type type)
{
    struct slice id;
    OK(upload_create(f->objects, f->arena, S("bkt"), S("big"), (struct object_attributes){0}, kind, type, &id));
    return id;
}

static void test_a_completed_upload_is_the_parts_it_names(void **state)
{
    struct fixture *f = *state;
    struct slice id = begin(f, CHECKSUM_CRC32, CHECKSUM_FULL_OBJECT);
    struct slice one = filled(f, FULL, '1'), three = S("tail");
    part(f, id, 1, S("replaced"), CHECKSUM_CRC32);
    struct upload_complete_part parts[] = {
        {.number = 1, .etag = part(f, id, 1, one, CHECKSUM_CRC32)},
        {.number = 7, .etag = part(f, id, 7, three, CHECKSUM_CRC32)},
    };
    part(f, id, 9, filled(f, 30000, 'x'), CHECKSUM_CRC32); /* not named: dropped */
    struct object_view view, again;
    OK(complete(f, id, parts, 2, &view));
    SAME(slice_from(view.etag, view.etag.len - 2), S("-2"));
    OK(complete(f, id, parts, 2, &again)); /* the client lost the answer */
    SAME(again.etag, view.etag);
    FAILS(complete(f, id, parts, 1, &again), "NoSuchUpload");

    struct slice bytes = get(f, S("big"));
    assert_int_equal(bytes.len, FULL + 4);
    SAME(slice_from(bytes, FULL), three);
    struct checksum *sum = checksum_new(CHECKSUM_CRC32);
    checksum_update(sum, bytes);
    SAME(view.checksum, checksum_finish(sum, f->arena));
    checksum_free(sum);

    _cleanup_(object_reader_freep) struct object_reader *reader = NULL;
    OK(object_reader_open(f->objects, f->arena, S("bkt"), S("big"), &view, &reader));
    object_reader_range(reader, FULL - 2, 4); /* over the seam */
    SAME(read_rest(f, reader), S("11ta"));
    int64_t offset, size;
    OK(object_reader_part(reader, 2, &offset, &size));
    assert_int_equal(offset, FULL);
    assert_int_equal(size, 4);
    struct err *e = object_reader_part(reader, 3, &offset, &size);
    assert_non_null(e);
    err_free(e);
}

static void test_complete_refuses_what_does_not_fit_and_leaves_the_upload_open(void **state)
{
    struct fixture *f = *state;
    struct slice id = begin(f, CHECKSUM_SHA256, CHECKSUM_COMPOSITE);
    struct slice first = part(f, id, 1, S("too small"), CHECKSUM_SHA256);
    struct slice second = part(f, id, 2, S("tail"), CHECKSUM_SHA256);
    struct object_part_view *list;
    size_t count;
    bool truncated;
    OK(upload_part_list(f->objects, f->arena, S("bkt"), S("big"), id, 0, 1, &list, &count, &truncated));
    assert_int_equal(count, 1);
    assert_true(truncated);
    OK(upload_part_list(f->objects, f->arena, S("bkt"), S("big"), id, 0, 1000, &list, &count, &truncated));
    assert_int_equal(count, 2);
    assert_false(truncated);
    struct object_view view;
    struct upload_complete_part order[] = {{2, second, list[1].checksum}, {1, first, list[0].checksum}};
    FAILS(complete(f, id, order, 2, &view), "InvalidPartOrder");
    struct upload_complete_part unknown[] = {{5, first, list[0].checksum}};
    FAILS(complete(f, id, unknown, 1, &view), "InvalidPart");
    struct upload_complete_part other[] = {{1, second, list[0].checksum}};
    FAILS(complete(f, id, other, 1, &view), "InvalidPart");
    struct upload_complete_part small[] = {{1, first, list[0].checksum}, {2, second, list[1].checksum}};
    FAILS(complete(f, id, small, 2, &view), "EntityTooSmall");
    struct upload_complete_part bare[] = {{.number = 2, .etag = second}};
    FAILS(complete(f, id, bare, 1, &view), "InvalidRequest");
    struct upload_complete_part right[] = {{2, second, list[1].checksum}};
    OK(complete(f, id, right, 1, &view));
    SAME(slice_from(view.checksum, view.checksum.len - 2), S("-1"));
    SAME(get(f, S("big")), S("tail"));
}

static void test_a_part_of_another_checksum_kind_is_refused(void **state)
{
    struct fixture *f = *state;
    struct slice id = begin(f, CHECKSUM_CRC32, CHECKSUM_COMPOSITE);
    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_part_view view;
    OK(object_writer_begin(f->objects, S("bkt"), S("big"), CHECKSUM_NONE, &writer));
    FAILS(upload_part_commit(writer, id, 1, f->arena, &view), "InvalidRequest");
}

static void test_abort_may_be_repeated(void **state)
{
    struct fixture *f = *state;
    struct slice id = begin(f, CHECKSUM_NONE, CHECKSUM_FULL_OBJECT);
    part(f, id, 1, filled(f, 30000, 'x'), CHECKSUM_NONE);
    OK(upload_abort(f->objects, S("bkt"), S("big"), id));
    OK(upload_abort(f->objects, S("bkt"), S("big"), id));
    FAILS(upload_abort(f->objects, S("bkt"), S("big"), S("never")), "NoSuchUpload");
    struct upload_view view;
    FAILS(upload_head(f->objects, f->arena, S("bkt"), S("big"), id, &view), "NoSuchUpload");
    OK(bucket_delete(f->objects, S("bkt")));
}

static void test_uploads_are_listed_by_key_then_time(void **state)
{
    struct fixture *f = *state;
    const char *keys[] = {"b", "a/2", "a/1", "b"};
    struct slice ids[4];
    for (size_t i = 0; i < 4; i++)
        OK(upload_create(f->objects, f->arena, S("bkt"), slice_from_cstr(keys[i]), (struct object_attributes){0}, CHECKSUM_NONE,
                         CHECKSUM_FULL_OBJECT, &ids[i]));
    struct upload_list list;
    struct upload_list_query query = {.bucket = S("bkt"), .max = 3};
    OK(upload_list(f->objects, f->arena, &query, &list));
    assert_int_equal(list.count, 3);
    assert_true(list.truncated);
    SAME(list.items[0].upload.upload_id, ids[2]);
    SAME(list.items[1].upload.upload_id, ids[1]);
    SAME(list.items[2].upload.upload_id, ids[0]);
    query.after_key = S("b");
    query.after_upload_id = ids[0];
    OK(upload_list(f->objects, f->arena, &query, &list));
    assert_int_equal(list.count, 1);
    SAME(list.items[0].upload.upload_id, ids[3]);
    query = (struct upload_list_query){.bucket = S("bkt"), .delimiter = S("/"), .max = 10};
    OK(upload_list(f->objects, f->arena, &query, &list));
    assert_int_equal(list.count, 3);
    assert_true(list.items[0].is_prefix);
    SAME(list.items[0].upload.key, S("a/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_completed_upload_is_the_parts_it_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_complete_refuses_what_does_not_fit_and_leaves_the_upload_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_part_of_another_checksum_kind_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abort_may_be_repeated, setup, teardown),
        cmocka_unit_test_setup_teardown(test_uploads_are_listed_by_key_then_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
