/* The registry: versions, events, history, deletion, restart. */
#include "cluster/apiserver/registry.h"
#include "base/arena.h"
#include "base/fd.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    struct arena *arena;
    struct registry *registry;
};

static void must(struct err *e)
{
    if (e)
        fail_msg("%.*s", SLICE_ARG(err_message(e)));
}

static void open_with(struct fixture *f, size_t history_max_events)
{
    struct registry_options options = {.dir = f->dir, .history_max_events = history_max_events};
    must(registry_open(&options, &f->registry));
}

static int setup(void **state)
{
    struct fixture *f = xcalloc(1, sizeof(*f));
    const char *base = getenv("TMPDIR");
    snprintf(f->dir, sizeof(f->dir), "%s/registry-XXXXXX", base && base[0] ? base : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    f->arena = arena_new();
    open_with(f, 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    registry_close(f->registry);
    err_free(tree_remove(f->dir));
    arena_free(f->arena);
    free(f);
    return 0;
}

static struct json *parse(struct fixture *f, const char *text)
{
    struct json *json;
    must(json_parse(f->arena, slice_from_cstr(text), JSON_DUPLICATES_REFUSE, &json));
    return json;
}

static struct json *config_map(struct fixture *f, const char *name)
{
    return parse(f, slice_fmt(f->arena, "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"n\"},\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\"}", name).ptr);
}

static struct json *pod(struct fixture *f, const char *name, const char *node, const char *phase)
{
    return parse(f, slice_fmt(f->arena,
                              "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"n\",\"generation\":1},"
                              "\"spec\":{\"nodeName\":\"%s\",\"terminationGracePeriodSeconds\":7},\"status\":{\"phase\":\"%s\"}}",
                              name, node, phase).ptr);
}

static int64_t create(struct fixture *f, const char *name)
{
    struct object *object = NULL;
    must(registry_create(f->registry, S("configmaps"), config_map(f, name), &object));
    int64_t revision = object->revision;
    object_unref(object);
    return revision;
}

static struct err *set_key(void *ctx, struct arena *arena, struct json *object)
{
    json_set_cstr(arena, json_ensure_object(arena, object, "data"), "k", ctx);
    return NULL;
}

static int64_t update(struct fixture *f, const char *name, const char *value)
{
    struct object *object = NULL;
    must(registry_update(f->registry, S("configmaps"), S("n"), slice_from_cstr(name), set_key, (void *)(uintptr_t)value, &object));
    int64_t revision = object->revision;
    object_unref(object);
    return revision;
}

static void expect_err(struct err *e, enum err_kind kind, const char *code)
{
    assert_non_null(e);
    assert_int_equal(e->kind, kind);
    if (code)
        assert_string_equal(e->code, code);
    err_free(e);
}

/* ---- objects ---- */

static void test_a_created_object_is_read_back_with_its_metadata(void **state)
{
    struct fixture *f = *state;
    int64_t revision = create(f, "a");
    struct object *object = NULL;
    must(registry_get(f->registry, S("configmaps"), S("n"), S("a"), &object));
    assert_int_equal(object->revision, revision);
    assert_int_equal(object->uid.len, 36);
    assert_true(slice_starts_with(object->text, S("{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":")));
    assert_true(slice_starts_with(object->item, S("\"metadata\":")));
    object_unref(object);
}

static void test_a_second_object_of_the_same_name_is_refused(void **state)
{
    struct fixture *f = *state;
    int64_t revision = create(f, "a");
    expect_err(registry_create(f->registry, S("configmaps"), config_map(f, "a"), NULL), ERR_CONFLICT, "AlreadyExists");
    assert_int_equal(registry_revision(f->registry), revision);
}

static void test_one_counter_serves_all_kinds(void **state)
{
    struct fixture *f = *state;
    int64_t first = create(f, "a");
    struct object *object = NULL;
    must(registry_create(f->registry, S("pods"), pod(f, "p", "", "Pending"), &object));
    assert_int_equal(object->revision, first + 1);
    object_unref(object);
    assert_int_equal(create(f, "b"), first + 2);
}

static void test_an_update_that_changes_nothing_keeps_the_version(void **state)
{
    struct fixture *f = *state;
    create(f, "a");
    int64_t changed = update(f, "a", "1");
    assert_int_equal(update(f, "a", "1"), changed);
    assert_int_equal(update(f, "a", "2"), changed + 1);
}

static struct err *use_old_version(void *ctx, struct arena *arena, struct json *object)
{
    json_set_cstr(arena, json_get(object, S("metadata")), "resourceVersion", "1");
    return NULL;
}

static void test_an_update_from_a_stale_version_conflicts(void **state)
{
    struct fixture *f = *state;
    create(f, "a");
    expect_err(registry_update(f->registry, S("configmaps"), S("n"), S("a"), use_old_version, NULL, NULL), ERR_CONFLICT, "Conflict");
}

static struct err *change_identity(void *ctx, struct arena *arena, struct json *object)
{
    json_set_cstr(arena, json_get(object, S("metadata")), "uid", "other");
    json_set_cstr(arena, json_get(object, S("metadata")), "name", "other");
    return NULL;
}

static void test_no_update_changes_who_an_object_is(void **state)
{
    struct fixture *f = *state;
    int64_t revision = create(f, "a");
    struct object *object = NULL;
    must(registry_update(f->registry, S("configmaps"), S("n"), S("a"), change_identity, NULL, &object));
    assert_int_equal(object->revision, revision);
    object_unref(object);
}

static struct err *refuse(void *ctx, struct arena *arena, struct json *object)
{
    json_set_cstr(arena, object, "data", "x");
    return err_new(ERR_INVALID, "no");
}

static void test_a_refused_update_leaves_no_gap_in_the_versions(void **state)
{
    struct fixture *f = *state;
    int64_t revision = create(f, "a");
    expect_err(registry_update(f->registry, S("configmaps"), S("n"), S("a"), refuse, NULL, NULL), ERR_INVALID, NULL);
    assert_int_equal(update(f, "a", "1"), revision + 1);
}

static void test_lists_are_by_namespace_then_name(void **state)
{
    struct fixture *f = *state;
    create(f, "b");
    create(f, "c");
    create(f, "a");
    struct object_list list;
    registry_list(f->registry, S("configmaps"), S("n"), &list);
    assert_int_equal(list.count, 3);
    assert_true(slice_eq(list.items[0]->name, S("a")));
    assert_true(slice_eq(list.items[2]->name, S("c")));
    assert_int_equal(list.revision, registry_revision(f->registry));
    object_list_deinit(&list);
    registry_list(f->registry, S("configmaps"), S("m"), &list);
    assert_int_equal(list.count, 0);
    object_list_deinit(&list);
}

static struct err *create_two(struct registry_tx *tx, void *ctx)
{
    struct fixture *f = ctx;
    TRY(registry_tx_create(tx, S("configmaps"), config_map(f, "x"), NULL));
    TRY(registry_tx_create(tx, S("configmaps"), config_map(f, "x"), NULL));
    return NULL;
}

static void test_a_transaction_is_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    expect_err(registry_write(f->registry, create_two, f), ERR_CONFLICT, "AlreadyExists");
    struct object *object = NULL;
    expect_err(registry_get(f->registry, S("configmaps"), S("n"), S("x"), &object), ERR_NOT_FOUND, "NotFound");
}

static void test_owners_are_found_by_uid(void **state)
{
    struct fixture *f = *state;
    struct json *child = config_map(f, "child");
    struct json *owner = parse(f, "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"a\",\"uid\":\"u-1\"}");
    json_append(json_ensure_array(f->arena, json_get(child, S("metadata")), "ownerReferences"), owner);
    must(registry_create(f->registry, S("configmaps"), child, NULL));
    struct object_list list;
    registry_list_owned(f->registry, S("u-1"), &list);
    assert_int_equal(list.count, 1);
    object_list_deinit(&list);
}

/* ---- deletion ---- */

static struct delete_result delete_pod(struct fixture *f, const char *name, int64_t grace_seconds)
{
    struct delete_options options = {.grace_seconds = grace_seconds};
    struct delete_result result = {0};
    must(registry_delete(f->registry, S("pods"), S("n"), slice_from_cstr(name), &options, &result));
    return result;
}

static int64_t grace_of(struct fixture *f, const struct object *object)
{
    return json_get_i64(json_get(object_json(f->arena, object), S("metadata")), "deletionGracePeriodSeconds", -1);
}

static void test_an_unbound_pod_goes_at_once(void **state)
{
    struct fixture *f = *state;
    must(registry_create(f->registry, S("pods"), pod(f, "p", "", "Pending"), NULL));
    struct delete_result result = delete_pod(f, "p", -1);
    assert_true(result.removed);
    object_unref(result.object);
}

static void test_a_finished_pod_goes_at_once(void **state)
{
    struct fixture *f = *state;
    must(registry_create(f->registry, S("pods"), pod(f, "p", "node", "Failed"), NULL));
    struct delete_result result = delete_pod(f, "p", -1);
    assert_true(result.removed);
    object_unref(result.object);
}

static void test_a_running_pod_stays_until_its_grace_is_zero(void **state)
{
    struct fixture *f = *state;
    must(registry_create(f->registry, S("pods"), pod(f, "p", "node", "Running"), NULL));
    struct delete_result result = delete_pod(f, "p", -1);
    assert_false(result.removed);
    assert_true(result.object->deleting);
    assert_int_equal(grace_of(f, result.object), 7);
    object_unref(result.object);
    result = delete_pod(f, "p", 30); /* never longer */
    assert_int_equal(grace_of(f, result.object), 7);
    object_unref(result.object);
    result = delete_pod(f, "p", 2); /* but shorter */
    assert_int_equal(grace_of(f, result.object), 2);
    object_unref(result.object);
    result = delete_pod(f, "p", 0);
    assert_true(result.removed);
    object_unref(result.object);
}

static struct err *drop_finalizers(void *ctx, struct arena *arena, struct json *object)
{
    json_remove(json_get(object, S("metadata")), S("finalizers"));
    return NULL;
}

static void test_a_finalizer_holds_an_object_until_it_is_taken_off(void **state)
{
    struct fixture *f = *state;
    struct json *held = config_map(f, "h");
    json_append(json_ensure_array(f->arena, json_get(held, S("metadata")), "finalizers"), json_cstr(f->arena, "example.com/a"));
    must(registry_create(f->registry, S("configmaps"), held, NULL));
    struct delete_result result = {0};
    must(registry_delete(f->registry, S("configmaps"), S("n"), S("h"), NULL, &result));
    assert_false(result.removed);
    object_unref(result.object);
    expect_err(registry_create(f->registry, S("configmaps"), held, NULL), ERR_CONFLICT, "AlreadyExists");
    must(registry_update(f->registry, S("configmaps"), S("n"), S("h"), drop_finalizers, NULL, NULL));
    struct object *object = NULL;
    expect_err(registry_get(f->registry, S("configmaps"), S("n"), S("h"), &object), ERR_NOT_FOUND, NULL);
}

static void test_a_deletion_of_another_uid_is_refused(void **state)
{
    struct fixture *f = *state;
    create(f, "a");
    struct delete_options options = {.grace_seconds = -1, .uid = S("other")};
    expect_err(registry_delete(f->registry, S("configmaps"), S("n"), S("a"), &options, NULL), ERR_CONFLICT, "Conflict");
}

/* ---- events ---- */

struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t revisions[4096];
    enum registry_event_type types[4096];
    size_t count;
};

static void note(void *ctx, const struct registry_event *event)
{
    struct seen *seen = ctx;
    pthread_mutex_lock(&seen->lock);
    seen->types[seen->count] = event->type;
    seen->revisions[seen->count++] = event->revision;
    pthread_cond_signal(&seen->changed);
    pthread_mutex_unlock(&seen->lock);
}

static struct seen *seen_new(void)
{
    struct seen *seen = xcalloc(1, sizeof(*seen));
    pthread_mutex_init(&seen->lock, NULL);
    pthread_cond_init(&seen->changed, NULL);
    return seen;
}

static void seen_wait(struct seen *seen, size_t count)
{
    pthread_mutex_lock(&seen->lock);
    while (seen->count < count)
        pthread_cond_wait(&seen->changed, &seen->lock);
    pthread_mutex_unlock(&seen->lock);
}

static void test_a_subscriber_is_told_what_happened_since_and_what_happens(void **state)
{
    struct fixture *f = *state;
    int64_t from = create(f, "a");
    update(f, "a", "1");
    struct seen *seen = seen_new();
    struct registry_subscription *subscription;
    must(registry_subscribe(f->registry, S("configmaps"), from, note, seen, &subscription));
    must(registry_delete(f->registry, S("configmaps"), S("n"), S("a"), NULL, NULL));
    seen_wait(seen, 2);
    assert_int_equal(seen->types[0], REGISTRY_MODIFIED);
    assert_int_equal(seen->types[1], REGISTRY_DELETED);
    assert_int_equal(seen->revisions[0], from + 1);
    assert_int_equal(seen->revisions[1], from + 2);
    registry_unsubscribe(subscription);
    free(seen);
}

struct writer {
    struct fixture *f;
    int id;
};

static void *write_many(void *arg)
{
    struct writer *writer = arg;
    struct fixture own = *writer->f;
    own.arena = arena_new();
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof(name), "w%d-%d", writer->id, i);
        create(&own, name);
        update(&own, name, "1");
    }
    arena_free(own.arena);
    return NULL;
}

static void test_writers_at_once_make_events_in_order_without_gaps(void **state)
{
    enum { WRITERS = 8, EVENTS = WRITERS * 100 };
    struct fixture *f = *state;
    struct seen *seen = seen_new();
    struct registry_subscription *subscription;
    int64_t from = registry_revision(f->registry);
    must(registry_subscribe(f->registry, SLICE_NONE, from, note, seen, &subscription));
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.f = f, .id = i};
        pthread_create(&threads[i], NULL, write_many, &writers[i]);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    seen_wait(seen, EVENTS);
    for (int i = 0; i < EVENTS; i++)
        assert_int_equal(seen->revisions[i], from + 1 + i);
    registry_unsubscribe(subscription);
    free(seen);
}

static void test_a_history_that_is_too_short_says_expired(void **state)
{
    struct fixture *f = *state;
    registry_close(f->registry);
    open_with(f, 4);
    int64_t from = create(f, "a");
    struct seen *seen = seen_new();
    struct registry_subscription *subscription;
    must(registry_subscribe(f->registry, SLICE_NONE, from, note, seen, &subscription));
    static char digits[][2] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    for (int i = 0; i < 10; i++)
        update(f, "a", digits[i]);
    seen_wait(seen, 10);
    registry_unsubscribe(subscription);
    update(f, "a", "x");
    expect_err(registry_subscribe(f->registry, SLICE_NONE, from, note, seen, &subscription), ERR_INVALID, "Expired");
    free(seen);
}

static void test_a_list_can_be_taken_as_it_was(void **state)
{
    struct fixture *f = *state;
    create(f, "a");
    int64_t then = create(f, "b");
    update(f, "a", "1");
    must(registry_delete(f->registry, S("configmaps"), S("n"), S("b"), NULL, NULL));
    create(f, "c");
    struct object_list list;
    must(registry_list_at(f->registry, S("configmaps"), S("n"), then, &list));
    assert_int_equal(list.count, 2);
    assert_true(slice_eq(list.items[1]->name, S("b")));
    assert_null(json_get(object_json(f->arena, list.items[0]), S("data")));
    object_list_deinit(&list);
}

/* ---- restart ---- */

static void test_a_restart_keeps_objects_and_goes_on_counting(void **state)
{
    struct fixture *f = *state;
    create(f, "a");
    int64_t last = update(f, "a", "1");
    must(registry_delete(f->registry, S("configmaps"), S("n"), S("a"), NULL, NULL));
    int64_t after = create(f, "b");
    registry_close(f->registry);
    open_with(f, 0);
    assert_int_equal(registry_revision(f->registry), after);
    struct object *object = NULL;
    must(registry_get(f->registry, S("configmaps"), S("n"), S("b"), &object));
    assert_int_equal(object->revision, after);
    object_unref(object);
    expect_err(registry_get(f->registry, S("configmaps"), S("n"), S("a"), &object), ERR_NOT_FOUND, NULL);
    assert_int_equal(create(f, "c"), after + 1);
    struct seen *seen = seen_new();
    struct registry_subscription *subscription;
    expect_err(registry_subscribe(f->registry, SLICE_NONE, last, note, seen, &subscription), ERR_INVALID, "Expired");
    free(seen);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_created_object_is_read_back_with_its_metadata),
        TEST(test_a_second_object_of_the_same_name_is_refused),
        TEST(test_one_counter_serves_all_kinds),
        TEST(test_an_update_that_changes_nothing_keeps_the_version),
        TEST(test_an_update_from_a_stale_version_conflicts),
        TEST(test_no_update_changes_who_an_object_is),
        TEST(test_a_refused_update_leaves_no_gap_in_the_versions),
        TEST(test_lists_are_by_namespace_then_name),
        TEST(test_a_transaction_is_all_or_nothing),
        TEST(test_owners_are_found_by_uid),
        TEST(test_an_unbound_pod_goes_at_once),
        TEST(test_a_finished_pod_goes_at_once),
        TEST(test_a_running_pod_stays_until_its_grace_is_zero),
        TEST(test_a_finalizer_holds_an_object_until_it_is_taken_off),
        TEST(test_a_deletion_of_another_uid_is_refused),
        TEST(test_a_subscriber_is_told_what_happened_since_and_what_happens),
        TEST(test_writers_at_once_make_events_in_order_without_gaps),
        TEST(test_a_history_that_is_too_short_says_expired),
        TEST(test_a_list_can_be_taken_as_it_was),
        TEST(test_a_restart_keeps_objects_and_goes_on_counting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
