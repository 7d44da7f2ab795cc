/* Tests of buckets, puts, reads, deletes and copies. */
#include "objects/objects_test_store.h"

#include "base/digest.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static size_t data_files(struct fixture *f)
{
    size_t count = 0;
    for (unsigned i = 0; i < 256; i++) {
        DIR *dir = opendir(slice_fmt(f->arena, "%s/data/%02x", f->dir, i).ptr);
        struct dirent *entry;
        while ((entry = readdir(dir)))
            count += entry->d_name[0] != '.';
        closedir(dir);
    }
    return count;
}

static void test_a_small_and_a_large_object_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    put(f, S("small"), S("hello"));
    put(f, S("empty"), S(""));
    put(f, S("large"), filled(f, 100000, 'x'));
    SAME(get(f, S("small")), S("hello"));
    SAME(get(f, S("empty")), S(""));
    SAME(get(f, S("large")), filled(f, 100000, 'x'));
    assert_int_equal(data_files(f), 1); /* the small ones are in the index */
    struct object_view view;
    OK(object_head(f->objects, f->arena, S("bkt"), S("small"), &view));
    SAME(view.etag, S("5d41402abc4b2a76b9719d911017c592"));
    SAME(view.checksum, S("M3eFcAZSQlc="));
    assert_int_equal(view.size_bytes, 5);
}

static void test_keys_are_never_paths(void **state)
{
    struct fixture *f = *state;
    const struct slice keys[] = {S_INIT("a"), S_INIT("a/"), S_INIT("a/b"), S_INIT("//a"), S_INIT("./x"), S_INIT("../x"), S_INIT("\xc3\xa9")};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        put(f, keys[i], keys[i]);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        SAME(get(f, keys[i]), keys[i]);
}

static void test_an_object_replaced_while_it_is_read_stays_whole_for_its_reader(void **state)
{
    struct fixture *f = *state;
    struct slice old = filled(f, 50000, 'o');
    put(f, S("k"), old);
    _cleanup_(object_reader_freep) struct object_reader *reader = NULL;
    struct object_view view;
    OK(object_reader_open(f->objects, f->arena, S("bkt"), S("k"), &view, &reader));
    put(f, S("k"), filled(f, 60000, 'n'));
    OK(object_delete(f->objects, S("bkt"), S("k"), NULL));
    assert_int_equal(data_files(f), 1);
    SAME(read_rest(f, reader), old);
    object_reader_free(STEAL(reader));
    assert_int_equal(data_files(f), 0);
}

static void test_what_a_crash_left_is_swept_at_open(void **state)
{
    struct fixture *f = *state;
    put(f, S("k"), filled(f, 50000, 'k'));
    const char *left[] = {"tmp/0000000000000777", "data/05/0000000000000705"};
    for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
        int fd = open(slice_fmt(f->arena, "%s/%s", f->dir, left[i]).ptr, O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    objects_close(f->objects);
    OK(objects_open(f->dir, &f->objects));
    for (size_t i = 0; i < ARRAY_SIZE(left); i++)
        assert_false(path_exists(slice_fmt(f->arena, "%s/%s", f->dir, left[i]).ptr));
    SAME(get(f, S("k")), filled(f, 50000, 'k'));
    put(f, S("k2"), filled(f, 50000, '2')); /* and new ids do not meet the old files */
    SAME(get(f, S("k")), filled(f, 50000, 'k'));
}

static void test_a_writer_without_commit_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct object_writer *writer;
    OK(object_writer_begin(f->objects, S("bkt"), S("k"), CHECKSUM_NONE, &writer));
    OK(object_writer_write(writer, filled(f, 50000, 'x')));
    object_writer_free(writer);
    struct object_view view;
    FAILS(object_head(f->objects, f->arena, S("bkt"), S("k"), &view), "NoSuchKey");
    assert_int_equal(data_files(f), 0);
}

static void test_conditions_are_decided_in_the_commit(void **state)
{
    struct fixture *f = *state;
    struct object_conditions none = {.if_none_match = true};
    struct object_conditions match = {.if_match = S("\"5d41402abc4b2a76b9719d911017c592\"")};
    FAILS(put_when(f, S("k"), S("x"), &match), "NoSuchKey");
    OK(put_when(f, S("k"), S("hello"), &none));
    FAILS(put_when(f, S("k"), filled(f, 50000, 'x'), &none), "PreconditionFailed");
    SAME(get(f, S("k")), S("hello"));
    assert_int_equal(data_files(f), 0);
    OK(put_when(f, S("k"), S("other"), &match));
    FAILS(put_when(f, S("k"), S("x"), &match), "PreconditionFailed");
    FAILS(object_delete(f->objects, S("bkt"), S("k"), &match), "PreconditionFailed");
    struct object_conditions size = {.has_if_size = true, .if_size_bytes = 5};
    OK(object_delete(f->objects, S("bkt"), S("k"), &size));
    OK(object_delete(f->objects, S("bkt"), S("k"), NULL)); /* absent: fine */
}

struct racer {
    struct fixture *f;
    int number, won;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct fixture mine = {.objects = racer->f->objects, .arena = arena};
    char byte = (char)('a' + racer->number);
    for (int i = 0; i < 8; i++) {
        struct err *e = put_when(&mine, slice_fmt(arena, "once-%d", i), filled(&mine, 20000, byte), &(struct object_conditions){.if_none_match = true});
        racer->won += e == NULL;
        err_free(e);
        e = put_when(&mine, S("same"), filled(&mine, 30000, byte), NULL);
        if (e)
            racer->won = 1000;
        err_free(e);
    }
    return NULL;
}

static void test_of_concurrent_conditional_puts_one_wins(void **state)
{
    struct fixture *f = *state;
    struct racer racers[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        racers[i] = (struct racer){.f = f, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    int won = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        won += racers[i].won;
    }
    assert_int_equal(won, 8);
    struct slice same = get(f, S("same"));
    assert_int_equal(same.len, 30000);
    SAME(same, filled(f, 30000, same.ptr[0]));
    assert_int_equal(data_files(f), 9);
}

static void test_attributes_come_back_verbatim(void **state)
{
    struct fixture *f = *state;
    const struct object_attribute items[] = {{S_INIT("content-type"), S_INIT("text/plain; charset=utf-8")},
                                             {S_INIT("x-amz-meta-k"), S_INIT("a:b")},
                                             {S_INIT("x-amz-meta-empty"), S_INIT("")}};
    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_view view;
    OK(object_writer_begin(f->objects, S("bkt"), S("k"), CHECKSUM_SHA256, &writer));
    OK(object_writer_commit(writer, (struct object_attributes){items, ARRAY_SIZE(items)}, NULL, f->arena, &view));
    OK(object_head(f->objects, f->arena, S("bkt"), S("k"), &view));
    assert_int_equal(view.attributes.count, 3);
    for (size_t i = 0; i < ARRAY_SIZE(items); i++)
        SAME(object_attribute_get(view.attributes, items[i].name), items[i].value);
    assert_null(object_attribute_get(view.attributes, S("expires")).ptr);
    SAME(view.checksum, S("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
}

static void test_a_copy_shares_bytes_and_outlives_its_source(void **state)
{
    struct fixture *f = *state;
    put(f, S("a"), filled(f, 50000, 'a'));
    struct object_copy copy = {.source_bucket = S("bkt"), .source_key = S("a"), .bucket = S("bkt"), .key = S("b")};
    struct object_view view;
    OK(object_copy(f->objects, f->arena, &copy, &view));
    assert_int_equal(data_files(f), 1);
    OK(object_delete(f->objects, S("bkt"), S("a"), NULL));
    SAME(get(f, S("b")), filled(f, 50000, 'a'));
    copy.source_key = S("b"); /* onto itself */
    OK(object_copy(f->objects, f->arena, &copy, &view));
    SAME(get(f, S("b")), filled(f, 50000, 'a'));
    copy.checksum_kind = CHECKSUM_SHA1; /* needs the bytes */
    OK(object_copy(f->objects, f->arena, &copy, &view));
    assert_int_equal(view.checksum_kind, CHECKSUM_SHA1);
    SAME(get(f, S("b")), filled(f, 50000, 'a'));
    assert_int_equal(data_files(f), 1);
    copy.source_etag = S("\"00\"");
    FAILS(object_copy(f->objects, f->arena, &copy, &view), "PreconditionFailed");
    copy.source_key = S("gone");
    FAILS(object_copy(f->objects, f->arena, &copy, &view), "NoSuchKey");
}

static void test_a_bucket_is_deleted_only_when_it_is_empty(void **state)
{
    struct fixture *f = *state;
    FAILS(bucket_create(f->objects, S("bkt")), "BucketAlreadyOwnedByYou");
    put(f, S("k"), S("x"));
    FAILS(bucket_delete(f->objects, S("bkt")), "BucketNotEmpty");
    struct object_delete_entry entries[] = {{.key = S_INIT("k")}, {.key = S_INIT("absent")}};
    OK(object_delete_many(f->objects, S("bkt"), entries, 2));
    assert_null(entries[0].result);
    assert_null(entries[1].result);
    OK(bucket_delete(f->objects, S("bkt")));
    struct bucket_view view;
    FAILS(bucket_head(f->objects, f->arena, S("bkt"), &view), "NoSuchBucket");
    struct object_view object;
    FAILS(object_head(f->objects, f->arena, S("bkt"), S("k"), &object), "NoSuchBucket");
}

static void test_buckets_are_listed_by_name_in_pages(void **state)
{
    struct fixture *f = *state;
    OK(bucket_create(f->objects, S("aaa")));
    OK(bucket_create(f->objects, S("bktx")));
    OK(bucket_create(f->objects, S("zzz")));
    struct bucket_view *views;
    size_t count;
    bool truncated;
    OK(bucket_list(f->objects, f->arena, SLICE_NONE, SLICE_NONE, 2, &views, &count, &truncated));
    assert_int_equal(count, 2);
    assert_true(truncated);
    SAME(views[1].name, S("bkt"));
    OK(bucket_list(f->objects, f->arena, S("bkt"), views[1].name, 10, &views, &count, &truncated));
    assert_int_equal(count, 1);
    assert_false(truncated);
    SAME(views[0].name, S("bktx"));
}

static void test_crcs_of_parts_combine_to_that_of_the_whole(void **state)
{
    struct fixture *f = *state;
    const enum checksum_kind kinds[] = {CHECKSUM_CRC32, CHECKSUM_CRC32C, CHECKSUM_CRC64NVME};
    const struct slice parts[] = {S_INIT("hello, "), S_INIT("w"), S_INIT("orld and more than that"), S_INIT("")};
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        struct checksum *whole = checksum_new(kinds[k]);
        struct slice values[4];
        int64_t sizes[4];
        for (size_t i = 0; i < 4; i++) {
            struct checksum *part = checksum_new(kinds[k]);
            checksum_update(part, parts[i]);
            checksum_update(whole, parts[i]);
            values[i] = checksum_finish(part, f->arena);
            sizes[i] = (int64_t)parts[i].len;
            checksum_free(part);
        }
        struct slice combined;
        OK(checksum_of_parts(f->arena, kinds[k], CHECKSUM_FULL_OBJECT, values, sizes, 4, &combined));
        SAME(combined, checksum_finish(whole, f->arena));
        checksum_free(whole);
    }
}

/* Of "a" and "b" in SHA-1: sha1(sha1("a") || sha1("b")), computed with Python's hashlib. */
static void test_composite_checksums_are_over_the_digests_of_the_parts(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum checksum_kind kind;
        const char *expected;
    } rows[] = {
        {CHECKSUM_CRC32, "7pJxdw==-2"},
        {CHECKSUM_CRC32C, "zR0P4A==-2"},
        {CHECKSUM_SHA1, "AFZUCsYjfQJj3Q+qRcccc7xIDzQ=-2"},
        {CHECKSUM_SHA256, "5aAf7hTg7VxIcU8iGA8lrYNltT+XefedxKPX6Tlj+Uo=-2"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice values[2], combined;
        int64_t sizes[2] = {1, 1};
        for (size_t k = 0; k < 2; k++) {
            struct checksum *part = checksum_new(rows[i].kind);
            checksum_update(part, k ? S("b") : S("a"));
            values[k] = checksum_finish(part, f->arena);
            checksum_free(part);
        }
        OK(checksum_of_parts(f->arena, rows[i].kind, CHECKSUM_COMPOSITE, values, sizes, 2, &combined));
        SAME(combined, slice_from_cstr(rows[i].expected));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_small_and_a_large_object_come_back_as_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_are_never_paths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_object_replaced_while_it_is_read_stays_whole_for_its_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_a_crash_left_is_swept_at_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_writer_without_commit_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conditions_are_decided_in_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_concurrent_conditional_puts_one_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attributes_come_back_verbatim, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_copy_shares_bytes_and_outlives_its_source, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bucket_is_deleted_only_when_it_is_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_buckets_are_listed_by_name_in_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_crcs_of_parts_combine_to_that_of_the_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_composite_checksums_are_over_the_digests_of_the_parts, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
