/* Tests of lists: tables of keys and queries, each walked in pages of every size. */
#include "objects/objects_test_store.h"

#include <string.h>

/* The page's items, prefixes in angle brackets, joined by blanks. */
static struct slice page_text(struct fixture *f, struct object_list_query query, struct object_list *ret_list)
{
    struct strbuf out = STRBUF_ARENA(f->arena);
    OK(object_list(f->objects, f->arena, &query, ret_list));
    for (size_t i = 0; i < ret_list->count; i++) {
        const struct object_list_item *item = &ret_list->items[i];
        strbuf_append_fmt(&out, item->is_prefix ? "%s<%.*s>" : "%s%.*s", out.len ? " " : "", SLICE_ARG(item->object.key));
    }
    return out.ptr ? strbuf_slice(&out) : S("");
}

static void test_lists_group_order_and_page(void **state)
{
    struct fixture *f = *state;
    const struct slice keys[] = {S_INIT("a"),     S_INIT("a/b"),   S_INIT("a/b/c"), S_INIT("a/b/d"), S_INIT("a/c"),
                                 S_INIT("a0"),    S_INIT("b//x"),  S_INIT("b/"),    S_INIT("Z"),     S_INIT("\xc3\xa9"),
                                 S_INIT("\xf0\x9f\x98\x80"), S_INIT("\xef\xbf\xbd")};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        put(f, keys[i], S("x"));
    const struct {
        struct slice prefix, delimiter, after, expected;
    } rows[] = {
        /* byte order, not UTF-16's: U+FFFD before U+1F600 */
        {.expected = S_INIT("Z a a/b a/b/c a/b/d a/c a0 b/ b//x \xc3\xa9 \xef\xbf\xbd \xf0\x9f\x98\x80")},
        {.delimiter = S_INIT("/"), .expected = S_INIT("Z a <a/> a0 <b/> \xc3\xa9 \xef\xbf\xbd \xf0\x9f\x98\x80")},
        {.prefix = S_INIT("a/"), .delimiter = S_INIT("/"), .expected = S_INIT("a/b <a/b/> a/c")},
        {.prefix = S_INIT("a"), .delimiter = S_INIT("/"), .expected = S_INIT("a <a/> a0")},
        {.prefix = S_INIT("b/"), .delimiter = S_INIT("/"), .expected = S_INIT("b/ <b//>")},
        {.delimiter = S_INIT("b/"), .expected = S_INIT("Z a a/b <a/b/> a/c a0 <b/> \xc3\xa9 \xef\xbf\xbd \xf0\x9f\x98\x80")},
        {.delimiter = S_INIT("/"), .after = S_INIT("a/b"), .expected = S_INIT("<a/> a0 <b/> \xc3\xa9 \xef\xbf\xbd \xf0\x9f\x98\x80")},
        {.delimiter = S_INIT("/"), .after = S_INIT("a/"), .expected = S_INIT("a0 <b/> \xc3\xa9 \xef\xbf\xbd \xf0\x9f\x98\x80")},
        {.after = S_INIT("a/"), .prefix = S_INIT("a/b"), .expected = S_INIT("a/b a/b/c a/b/d")},
        {.after = S_INIT("zzz"), .prefix = S_INIT("a"), .expected = S_INIT("")},
        {.prefix = S_INIT("nothing"), .expected = S_INIT("")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t max = 1; max < 14; max++) {
            struct object_list_query query = {.bucket = S("bkt"),
                                              .prefix = rows[i].prefix,
                                              .delimiter = rows[i].delimiter,
                                              .after = rows[i].after,
                                              .max = max};
            struct strbuf all = STRBUF_ARENA(f->arena);
            for (int pages = 0; pages < 20; pages++) {
                struct object_list list;
                struct slice text = page_text(f, query, &list);
                if (all.len && text.len)
                    strbuf_append_char(&all, ' ');
                strbuf_append(&all, text);
                if (!list.truncated)
                    break;
                assert_int_equal(list.count, max);
                query.after = list.last;
            }
            SAME(all.ptr ? strbuf_slice(&all) : S(""), rows[i].expected);
        }
    }
}

static void test_no_entries_asked_for_is_an_empty_page_that_is_not_truncated(void **state)
{
    struct fixture *f = *state;
    put(f, S("k"), S("x"));
    struct object_list list;
    SAME(page_text(f, (struct object_list_query){.bucket = S("bkt")}, &list), S(""));
    assert_false(list.truncated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lists_group_order_and_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_entries_asked_for_is_an_empty_page_that_is_not_truncated, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
