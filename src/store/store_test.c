/* The rows of ember.db: uniqueness, client tokens, pages, compare-and-set, tags, keys. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/strbuf.h"
#include "store/access_key.h"
#include "store/document.h"
#include "store/job_queue.h"
#include "store/job_run.h"
#include "store/virtual_cluster.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;
static struct store *store;
static char dir[64];

static void reopen(void)
{
    store_close(store);
    store = NULL;
    assert_null(store_open(slice_fmt(arena, "%s/ember.db", dir).ptr, &store));
}

static int setup(void **state)
{
    arena = arena_new();
    snprintf(dir, sizeof(dir), "/tmp/store_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    reopen();
    return 0;
}

static int teardown(void **state)
{
    store_close(store);
    store = NULL;
    arena_free(arena);
    assert_null(tree_remove(dir));
    return 0;
}

static void assert_text(struct slice got, const char *want)
{
    if (!slice_eq(got, slice_from_cstr(want)))
        fail_msg("got \"%.*s\", want \"%s\"", SLICE_ARG(got), want);
}

static void assert_err(struct err *e, enum err_kind kind, const char *code)
{
    assert_non_null(e);
    assert_int_equal(e->kind, kind);
    if (code)
        assert_true(err_has_code(e, code));
    err_free(e);
}

static struct virtual_cluster cluster_row(const char *id, const char *namespace_)
{
    return (struct virtual_cluster){.id = slice_from_cstr(id),
                                    .name = S("name"),
                                    .state = S("RUNNING"),
                                    .cluster = S("local"),
                                    .namespace_ = slice_from_cstr(namespace_),
                                    .created_at = {.ms = 1000}};
}

static struct err *add_cluster(const char *id, const char *namespace_, struct slice token, struct slice request, struct slice *ret_id)
{
    struct virtual_cluster row = cluster_row(id, namespace_);
    return store_virtual_cluster_insert(store, arena, &row, slice_fmt(arena, "arn/%s", id), token, request, ret_id);
}

static void must_add_cluster(const char *id, const char *namespace_)
{
    struct slice ignored;
    assert_null(add_cluster(id, namespace_, SLICE_NONE, SLICE_NONE, &ignored));
}

static struct job_run run_row(const char *id, const char *cluster)
{
    return (struct job_run){.id = slice_from_cstr(id),
                            .virtual_cluster_id = slice_from_cstr(cluster),
                            .name = S("pi"),
                            .state = S("PENDING"),
                            .execution_role_arn = S("arn:aws:iam::111122223333:role/job"),
                            .release_label = S("emr-6.2.0-latest"),
                            .job_driver = S("{}"),
                            .created_by = S("arn:aws:iam::111122223333:root"),
                            .created_at = {.ms = 5000}};
}

static void must_add_run(const char *id, const char *cluster)
{
    struct job_run row = run_row(id, cluster);
    struct slice ignored;
    assert_null(store_job_run_insert(store, arena, &row, slice_fmt(arena, "arn/%s", id), SLICE_NONE, SLICE_NONE, &ignored));
}

static void move_cluster(const char *id, const char *from, const char *to)
{
    bool changed;
    assert_null(store_virtual_cluster_move(store, slice_from_cstr(id), slice_from_cstr(from), slice_from_cstr(to), &changed));
    assert_true(changed);
}

static void test_a_namespace_has_one_live_virtual_cluster(void **state)
{
    struct slice ignored;
    must_add_cluster("a", "ns");
    must_add_cluster("b", "other");
    assert_err(add_cluster("c", "ns", SLICE_NONE, SLICE_NONE, &ignored), ERR_CONFLICT, NULL);
    move_cluster("a", "RUNNING", "TERMINATING");
    assert_err(add_cluster("c", "ns", SLICE_NONE, SLICE_NONE, &ignored), ERR_CONFLICT, NULL);
    move_cluster("a", "TERMINATING", "TERMINATED");
    must_add_cluster("c", "ns");
    move_cluster("c", "RUNNING", "TERMINATED");
    must_add_cluster("d", "ns");
}

static void test_a_state_moves_only_from_what_it_was(void **state)
{
    bool changed;
    must_add_cluster("a", "ns");
    assert_null(store_virtual_cluster_move(store, S("a"), S("TERMINATING"), S("TERMINATED"), &changed));
    assert_false(changed);
    assert_null(store_virtual_cluster_move(store, S("none"), S("RUNNING"), S("TERMINATED"), &changed));
    assert_false(changed);
}

static void test_a_client_token_gives_the_first_answer_again(void **state)
{
    struct slice id;
    assert_null(add_cluster("a", "ns", S("token"), S("hash"), &id));
    assert_text(id, "a");
    assert_null(add_cluster("b", "ns", S("token"), S("hash"), &id)); /* the namespace is taken: no matter, nothing is made */
    assert_text(id, "a");
    struct virtual_cluster row;
    assert_err(store_virtual_cluster_get(store, arena, S("b"), &row), ERR_NOT_FOUND, NULL);
    assert_err(add_cluster("c", "other", S("token"), S("another"), &id), ERR_CONFLICT, "ClientToken");
    reopen();
    assert_null(add_cluster("d", "ns", S("token"), S("hash"), &id));
    assert_text(id, "a");
}

static void test_what_a_token_was_used_for_is_known_without_asking_anew(void **state)
{
    struct slice id;
    struct client_token_use use;
    struct instant made_at = cluster_row("a", "ns").created_at, now = {.ms = made_at.ms + 1000};
    const struct slice operation = S("CreateVirtualCluster");
    assert_null(add_cluster("a", "ns", S("token"), S("hash"), &id));
    assert_null(store_client_token_find(store, arena, operation, S("token"), S("hash"), now, &use));
    assert_text(use.id, "a");
    assert_int_equal(use.at.ms, made_at.ms);
    assert_err(store_client_token_find(store, arena, operation, S("token"), S("another"), now, &use), ERR_CONFLICT, "ClientToken");
    now.ms += 24 * 3600 * 1000;
    assert_null(store_client_token_find(store, arena, operation, S("token"), S("another"), now, &use));
    assert_null(use.id.ptr);
    assert_null(store_client_token_find(store, arena, S("StartJobRun"), S("token"), S("hash"), made_at, &use));
    assert_null(use.id.ptr);
    assert_null(store_client_token_find(store, arena, operation, SLICE_NONE, S("hash"), made_at, &use));
    assert_null(use.id.ptr);
}

static void test_a_virtual_cluster_needs_the_security_configuration_that_it_names(void **state)
{
    struct virtual_cluster row = cluster_row("a", "ns");
    struct document document = {.kind = DOCUMENT_SECURITY_CONFIGURATION, .id = S("s"), .name = S("n"), .body = S("{}"), .created_by = S("me")};
    struct document template = {.kind = DOCUMENT_JOB_TEMPLATE, .id = S("t"), .name = S("n"), .body = S("{}"), .created_by = S("me")};
    struct slice id;
    assert_null(store_document_insert(store, arena, &document, S("arn/s"), SLICE_NONE, S("hash"), &id));
    assert_null(store_document_insert(store, arena, &template, S("arn/t"), SLICE_NONE, S("hash"), &id));
    row.security_configuration_id = S("t");
    assert_err(store_virtual_cluster_insert(store, arena, &row, S("arn/a"), SLICE_NONE, S("hash"), &id), ERR_NOT_FOUND, NULL);
    row.security_configuration_id = S("s");
    assert_null(store_virtual_cluster_insert(store, arena, &row, S("arn/a"), SLICE_NONE, S("hash"), &id));
    assert_err(store_document_delete(store, DOCUMENT_SECURITY_CONFIGURATION, S("s"), S("arn/s")), ERR_CONFLICT, "InUse");
    move_cluster("a", "RUNNING", "TERMINATED");
    assert_null(store_document_delete(store, DOCUMENT_SECURITY_CONFIGURATION, S("s"), S("arn/s")));
    row = cluster_row("b", "ns");
    row.security_configuration_id = S("s");
    assert_err(store_virtual_cluster_insert(store, arena, &row, S("arn/b"), SLICE_NONE, S("hash"), &id), ERR_NOT_FOUND, NULL);
}

static void test_a_refused_request_does_not_use_up_its_token(void **state)
{
    struct slice id;
    must_add_cluster("a", "ns");
    assert_err(add_cluster("b", "ns", S("token"), S("hash"), &id), ERR_CONFLICT, NULL);
    move_cluster("a", "RUNNING", "TERMINATED");
    assert_null(add_cluster("b", "ns", S("token"), S("hash"), &id));
    assert_text(id, "b");
}

static void test_a_token_of_another_operation_is_another_token(void **state)
{
    struct slice id;
    assert_null(add_cluster("a", "ns", S("token"), S("hash"), &id));
    struct job_run row = run_row("r", "a");
    assert_null(store_job_run_insert(store, arena, &row, S("arn/r"), S("token"), S("another"), &id));
    assert_text(id, "r");
}

static void test_a_token_is_forgotten_after_a_day(void **state)
{
    struct slice id;
    assert_null(add_cluster("a", "ns", S("token"), S("hash"), &id));
    struct virtual_cluster row = cluster_row("b", "other");
    row.created_at.ms += 24 * 3600 * 1000 + 1;
    assert_null(store_virtual_cluster_insert(store, arena, &row, S("arn/b"), S("token"), S("another"), &id));
    assert_text(id, "b");
}

static void test_virtual_clusters_come_newest_first_in_pages(void **state)
{
    for (int i = 0; i < 7; i++) {
        must_add_cluster(slice_fmt(arena, "v%d", i).ptr, slice_fmt(arena, "ns%d", i).ptr);
        if (i % 2)
            move_cluster(slice_fmt(arena, "v%d", i).ptr, "RUNNING", "TERMINATED");
    }
    const struct slice running = S("RUNNING");
    struct virtual_cluster_filter filter = {.states = &running, .state_count = 1, .limit = 3};
    struct virtual_cluster_page page;
    assert_null(store_virtual_cluster_list(store, arena, &filter, &page));
    assert_int_equal(page.count, 3);
    assert_text(page.rows[0].id, "v6");
    assert_text(page.rows[2].id, "v2");
    assert_true(page.next_sequence > 0);
    filter.before_sequence = page.next_sequence;
    assert_null(store_virtual_cluster_list(store, arena, &filter, &page));
    assert_int_equal(page.count, 1);
    assert_text(page.rows[0].id, "v0");
    assert_int_equal(page.next_sequence, 0);
    filter = (struct virtual_cluster_filter){.cluster = S("elsewhere"), .limit = 10};
    assert_null(store_virtual_cluster_list(store, arena, &filter, &page));
    assert_int_equal(page.count, 0);
    filter = (struct virtual_cluster_filter){.created_after_set = true, .created_after = {.ms = 1000}, .limit = 10};
    assert_null(store_virtual_cluster_list(store, arena, &filter, &page));
    assert_int_equal(page.count, 0);
}

static void test_a_run_needs_a_running_virtual_cluster(void **state)
{
    struct slice id;
    struct job_run row = run_row("r", "a");
    assert_err(store_job_run_insert(store, arena, &row, S("arn/r"), SLICE_NONE, SLICE_NONE, &id), ERR_NOT_FOUND, NULL);
    must_add_cluster("a", "ns");
    move_cluster("a", "RUNNING", "TERMINATING");
    struct err *e = store_job_run_insert(store, arena, &row, S("arn/r"), SLICE_NONE, SLICE_NONE, &id);
    assert_non_null(e);
    assert_string_equal(e->message, "TERMINATING");
    assert_err(e, ERR_CONFLICT, "VirtualClusterState");
}

static void test_a_run_comes_back_as_it_was_asked(void **state)
{
    must_add_cluster("a", "ns");
    struct job_run row = run_row("r", "a"), got;
    struct slice id;
    row.configuration_overrides = S("{\"x\":\"\xc3\xa4\"}");
    row.retry_max_attempts = 1;
    assert_null(store_job_run_insert(store, arena, &row, S("arn/r"), SLICE_NONE, SLICE_NONE, &id));
    reopen();
    assert_null(store_job_run_get(store, arena, S("r"), &got));
    assert_text(got.configuration_overrides, "{\"x\":\"\xc3\xa4\"}");
    assert_text(got.cluster, "local");
    assert_text(got.namespace_, "ns");
    assert_text(got.name, "pi");
    assert_int_equal(got.attempt, 1);
    assert_int_equal(got.launch_started_at.ms, 0);
    assert_null(got.outcome.ptr);
    assert_null(got.client_token.ptr);
    assert_false(got.reaped);
    assert_err(store_job_run_get(store, arena, S("none"), &got), ERR_NOT_FOUND, NULL);
}

struct events {
    struct strbuf text;
};

static struct err *read_events(struct db_tx *tx, void *arg)
{
    struct events *events = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "SELECT event || ':' || to_state FROM job_run_event WHERE job_run_id = ? ORDER BY sequence", &stmt));
    db_bind_text(stmt, 1, S("r"));
    for (bool row;;) {
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        strbuf_append_fmt(&events->text, "%.*s ", SLICE_ARG(db_col_text(stmt, 0, arena)));
    }
}

static void test_a_change_is_compared_and_set_with_its_event(void **state)
{
    must_add_cluster("a", "ns");
    must_add_run("r", "a");
    bool changed;
    struct job_run_change change = {.id = S("r"), .from = S("PENDING"), .to = S("SUBMITTED"), .event = S("LAUNCHED"), .at = {.ms = 9}, .start_timeout_s = 60};
    assert_null(store_job_run_change(store, &change, &changed));
    assert_true(changed);
    assert_null(store_job_run_change(store, &change, &changed));
    assert_false(changed); /* it is no longer PENDING; no event either */
    change = (struct job_run_change){.id = S("r"), .from = S("SUBMITTED"), .outcome = S("{}"), .outcome_at = {.ms = 7}, .state_details = S("words")};
    assert_null(store_job_run_change(store, &change, &changed));
    assert_true(changed);
    change = (struct job_run_change){.id = S("r"), .from = S("SUBMITTED"), .reaped = true};
    assert_null(store_job_run_change(store, &change, &changed));
    struct job_run got;
    assert_null(store_job_run_get(store, arena, S("r"), &got));
    assert_text(got.state, "SUBMITTED");
    assert_text(got.state_details, "words"); /* absent leaves a fact as it is */
    assert_text(got.outcome, "{}");
    assert_int_equal(got.outcome_at.ms, 7);
    assert_int_equal(got.start_timeout_s, 60);
    assert_true(got.reaped);
    struct events events = {.text = STRBUF_ARENA(arena)};
    assert_null(db_read(store_db(store), read_events, &events));
    assert_text(strbuf_slice(&events.text), "START:PENDING LAUNCHED:SUBMITTED ");
}

static void test_the_configuration_of_the_last_launch_is_kept_with_the_launch(void **state)
{
    must_add_cluster("a", "ns");
    must_add_run("r", "a");
    bool changed;
    struct slice json;
    int64_t attempt;
    struct err *e = store_job_run_get_effective(store, arena, S("r"), &json, &attempt);
    assert_true(e && e->kind == ERR_NOT_FOUND);
    err_free(e);
    struct job_run_change launch = {.id = S("r"), .from = S("SUBMITTED"), .to = S("SUBMITTED"), .event = S("LAUNCHED"), .effective_configuration = S("{\"a\":1}")};
    assert_null(store_job_run_change(store, &launch, &changed));
    assert_false(changed); /* it is PENDING: nothing is written */
    e = store_job_run_get_effective(store, arena, S("r"), &json, &attempt);
    assert_non_null(e);
    err_free(e);
    launch.from = S("PENDING");
    assert_null(store_job_run_change(store, &launch, &changed));
    assert_null(store_job_run_get_effective(store, arena, S("r"), &json, &attempt));
    assert_text(json, "{\"a\":1}");
    assert_int_equal(attempt, 1);
    assert_null(store_job_run_retry(store, &(struct job_run_change){.id = S("r"), .from = S("SUBMITTED"), .attempt = 1, .to = S("SUBMITTED"), .event = S("RETRY")}, &changed));
    launch.from = S("SUBMITTED");
    launch.effective_configuration = S("{\"a\":2}");
    assert_null(store_job_run_change(store, &launch, &changed));
    assert_null(store_job_run_get_effective(store, arena, S("r"), &json, &attempt));
    assert_text(json, "{\"a\":2}");
    assert_int_equal(attempt, 2);
}

static void test_runs_come_newest_first_in_pages_and_filtered(void **state)
{
    must_add_cluster("a", "ns");
    must_add_cluster("b", "other");
    for (int i = 0; i < 5; i++)
        must_add_run(slice_fmt(arena, "r%d", i).ptr, "a");
    must_add_run("other", "b");
    bool changed;
    assert_null(store_job_run_change(store, &(struct job_run_change){.id = S("r2"), .from = S("PENDING"), .to = S("CANCELLED"), .event = S("E")}, &changed));
    struct job_run_filter filter = {.virtual_cluster_id = S("a"), .limit = 3};
    struct job_run_page page;
    assert_null(store_job_run_list(store, arena, &filter, &page));
    assert_int_equal(page.count, 3);
    assert_text(page.rows[0].id, "r4");
    assert_true(page.more);
    filter.before_id = page.rows[2].id;
    assert_null(store_job_run_list(store, arena, &filter, &page));
    assert_int_equal(page.count, 2);
    assert_false(page.more);
    const struct slice pending = S("PENDING");
    filter = (struct job_run_filter){.virtual_cluster_id = S("a"), .states = &pending, .state_count = 1, .limit = 4};
    assert_null(store_job_run_list(store, arena, &filter, &page));
    assert_int_equal(page.count, 4);
    assert_false(page.more); /* exactly full is not more */
    filter.name = S("unknown");
    assert_null(store_job_run_list(store, arena, &filter, &page));
    assert_int_equal(page.count, 0);
}

#define MANY_RUNS 1500
static const char *const MANY_STATES[] = {"PENDING", "SUBMITTED", "RUNNING", "FAILED", "CANCELLED", "CANCEL_PENDING", "COMPLETED"};

/* Run i as add_many makes it: times in no strict order, many equal. */
static struct job_run many_row(int i)
{
    struct job_run row = run_row(slice_fmt(arena, "%019d", i).ptr, i % 10 ? "a" : "b");
    row.name = i % 3 ? slice_fmt(arena, "n%d", i % 7) : SLICE_NONE;
    row.state = slice_from_cstr(MANY_STATES[i % 5 ? 3 : i / 5 % 7]);
    row.created_at.ms = 1000 + i / 4 * 10 + (i % 11) * 7;
    return row;
}

static struct err *add_many(struct db_tx *tx, void *arg)
{
    const struct job_run *rows = arg;
    for (size_t i = 0; i < MANY_RUNS; i++) {
        struct db_stmt *stmt;
        TRY(db_prepare(tx,
                       "INSERT INTO job_run(id, virtual_cluster_id, name, state, execution_role_arn, release_label, job_driver, created_by, created_at)"
                       " VALUES(?, ?, ?, ?, '', '', '', '', ?)",
                       &stmt));
        db_bind_text(stmt, 1, rows[i].id);
        db_bind_text(stmt, 2, rows[i].virtual_cluster_id);
        db_bind_text(stmt, 3, rows[i].name);
        db_bind_text(stmt, 4, rows[i].state);
        db_bind_i64(stmt, 5, rows[i].created_at.ms);
        TRY(db_run(stmt));
    }
    return NULL;
}

static bool passes(const struct job_run *row, const struct job_run_filter *f)
{
    return slice_eq(row->virtual_cluster_id, f->virtual_cluster_id) && (!f->name.ptr || (row->name.ptr && slice_eq(row->name, f->name))) &&
           (!f->state_count || slice_is_one_of(row->state, f->states, f->state_count)) &&
           (!f->created_after_set || row->created_at.ms > f->created_after.ms) && (!f->created_before_set || row->created_at.ms < f->created_before.ms);
}

static int newest_first(const void *a, const void *b)
{
    const struct job_run *x = a, *y = b;
    if (x->created_at.ms != y->created_at.ms)
        return x->created_at.ms < y->created_at.ms ? 1 : -1;
    return slice_cmp(y->id, x->id);
}

/* All pages of the filter are the rows that pass it, in order, each once. rows: the newest first. */
static void check_pages(const struct job_run *rows, struct job_run_filter filter)
{
    struct arena *own = arena_new();
    size_t at = 0;
    struct job_run_page page;
    do {
        assert_null(store_job_run_list(store, own, &filter, &page));
        assert_true(!page.more || (int64_t)page.count == filter.limit);
        for (size_t i = 0; i < page.count; i++, at++) {
            while (at < MANY_RUNS && !passes(&rows[at], &filter))
                at++;
            assert_true(at < MANY_RUNS);
            assert_true(slice_eq(page.rows[i].id, rows[at].id));
        }
        filter.before_id = page.count ? page.rows[page.count - 1].id : SLICE_NONE;
    } while (page.more);
    for (; at < MANY_RUNS; at++)
        assert_false(passes(&rows[at], &filter));
    arena_free(own);
}

static void test_pages_of_many_runs_are_whole_with_every_filter(void **state)
{
    struct job_run *rows = ARENA_ARRAY(arena, MANY_RUNS, struct job_run);
    must_add_cluster("a", "ns");
    must_add_cluster("b", "other");
    for (int i = 0; i < MANY_RUNS; i++)
        rows[i] = many_row(i);
    assert_null(db_write(store_db(store), add_many, rows));
    qsort(rows, MANY_RUNS, sizeof(rows[0]), newest_first);
    const struct slice one[] = {S("FAILED")}, rare[] = {S("RUNNING"), S("CANCELLED"), S("RUNNING")};
    struct slice all[ARRAY_SIZE(MANY_STATES)];
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        all[i] = slice_from_cstr(MANY_STATES[i]);
    const struct job_run_filter states[] = {{.limit = 0}, {.states = one, .state_count = 1}, {.states = rare, .state_count = 3}, {.states = all, .state_count = 7}};
    const struct slice names[] = {SLICE_NONE, S("n2"), S("none")};
    const int64_t middle = rows[MANY_RUNS / 2].created_at.ms;
    for (size_t i = 0; i < 4 * 3 * 4 * 2; i++) { /* states, names, dates, virtual clusters with a size of pages each */
        struct job_run_filter filter = states[i % 4];
        filter.name = names[i / 4 % 3];
        filter.created_after_set = i / 12 % 2;
        filter.created_after.ms = middle - 500;
        filter.created_before_set = i / 24 % 2;
        filter.created_before.ms = middle;
        filter.virtual_cluster_id = i / 48 ? S("b") : S("a");
        filter.limit = i / 48 ? 7 : 100;
        check_pages(rows, filter);
    }
}

static void test_open_runs_are_those_not_reaped_and_live_ones_those_without_an_end(void **state)
{
    must_add_cluster("a", "ns");
    must_add_run("r1", "a");
    must_add_run("r2", "a");
    must_add_run("r3", "a");
    bool changed;
    assert_null(store_job_run_change(store, &(struct job_run_change){.id = S("r1"), .from = S("PENDING"), .to = S("FAILED"), .event = S("E")}, &changed));
    assert_null(store_job_run_change(store, &(struct job_run_change){.id = S("r2"), .from = S("PENDING"), .to = S("FAILED"), .event = S("E"), .reaped = true}, &changed));
    struct open_run *open;
    struct slice *live;
    size_t count;
    assert_null(store_job_run_list_open(store, arena, &open, &count));
    assert_int_equal(count, 2);
    assert_text(open[0].id, "r1");
    assert_text(open[1].cluster, "local");
    assert_null(store_job_run_list_live(store, arena, S("a"), &live, &count));
    assert_int_equal(count, 1);
    assert_text(live[0], "r3");
}

static void test_tags_are_limited_all_or_nothing(void **state)
{
    struct tag two[] = {{S("b"), S("2")}, {S("a"), S("1")}}, more[] = {{S("a"), S("new")}, {S("c"), S("3")}};
    struct tags got;
    assert_null(store_tags_put(store, S("arn"), (struct tags){two, 2}, 2));
    assert_err(store_tags_put(store, S("arn"), (struct tags){more, 2}, 2), ERR_LIMIT, "TooManyTags");
    assert_null(store_tags_get(store, arena, S("arn"), &got));
    assert_int_equal(got.count, 2);
    assert_text(got.items[0].key, "a");
    assert_text(got.items[0].value, "1"); /* the refused request changed nothing */
    assert_null(store_tags_put(store, S("arn"), (struct tags){more, 1}, 2)); /* replacing is not adding */
    const struct slice keys[] = {S("b"), S("unknown")};
    assert_null(store_tags_remove(store, S("arn"), keys, 2));
    assert_null(store_tags_get(store, arena, S("arn"), &got));
    assert_int_equal(got.count, 1);
    assert_text(got.items[0].value, "new");
}

static void test_a_run_has_one_key_until_it_is_removed(void **state)
{
    struct access_key first, again, found;
    assert_null(store_access_key_ensure(store, arena, S("r"), S("arn:p"), S("AROA:r"), &first));
    assert_true(slice_starts_with(first.access_key_id, S("ASIA")));
    assert_int_equal(first.access_key_id.len, 20);
    assert_int_equal(first.secret.len, 40);
    reopen();
    assert_null(store_access_key_ensure(store, arena, S("r"), S("arn:p"), S("AROA:r"), &again));
    assert_true(slice_eq(first.secret, again.secret) && slice_eq(first.session_token, again.session_token));
    assert_null(store_access_key_get(store, arena, first.access_key_id, &found));
    assert_text(found.job_run_id, "r");
    assert_null(store_access_key_remove(store, S("r")));
    assert_null(store_access_key_remove(store, S("r")));
    assert_err(store_access_key_get(store, arena, first.access_key_id, &found), ERR_NOT_FOUND, NULL);
}

/* ---- queues ---- */

static void must_add_bounded_cluster(const char *id, const char *namespace_, int concurrent, int in_queue)
{
    struct virtual_cluster row = cluster_row(id, namespace_);
    struct slice ignored;
    row.max_concurrent_job_runs = concurrent;
    row.max_in_queue_job_runs = in_queue;
    assert_null(store_virtual_cluster_insert(store, arena, &row, slice_fmt(arena, "arn/%s", id), SLICE_NONE, SLICE_NONE, &ignored));
}

static struct queue_look leave(const char *id, int64_t ask, int64_t room)
{
    struct queue_look look;
    struct queue_wish wish = {.id = slice_from_cstr(id), .ask = {ask, ask ? 1 : 0}, .room = {room, room ? 1000 : 0}};
    assert_null(store_job_queue_leave(store, &wish, (struct instant){.ms = 6000}, &look));
    return look;
}

static void end_run(const char *id, const char *from)
{
    bool changed;
    assert_null(store_job_run_change(store,
                                     &(struct job_run_change){.id = slice_from_cstr(id), .from = slice_from_cstr(from), .to = S("FAILED"), .event = S("X"),
                                                              .at = {.ms = 7000}, .finished_at = {.ms = 7000}},
                                     &changed));
    assert_true(changed);
}

static void test_runs_leave_a_queue_in_order_as_far_as_places_go(void **state)
{
    must_add_bounded_cluster("vc", "ns", 2, 0);
    for (int i = 1; i <= 4; i++)
        must_add_run(slice_fmt(arena, "r%d", i).ptr, "vc");
    assert_int_equal(leave("r2", 0, 0).verdict, QUEUE_BEHIND);
    assert_int_equal(leave("r1", 0, 0).verdict, QUEUE_FREE);
    assert_int_equal(leave("r1", 0, 0).verdict, QUEUE_LEFT); /* once */
    assert_int_equal(leave("r2", 0, 0).verdict, QUEUE_FREE);
    struct queue_look full = leave("r3", 0, 0);
    assert_int_equal(full.verdict, QUEUE_FULL);
    assert_int_equal(full.under_way, 2);
    assert_int_equal(full.max_concurrent, 2);
    reopen();
    assert_int_equal(leave("r3", 0, 0).verdict, QUEUE_FULL);
    end_run("r1", "PENDING");
    struct slice *heads;
    size_t count;
    assert_null(store_job_queue_heads(store, arena, &heads, &count));
    assert_int_equal(count, 1);
    assert_text(heads[0], "r3");
    assert_int_equal(leave("r4", 0, 0).verdict, QUEUE_BEHIND);
    assert_int_equal(leave("r3", 0, 0).verdict, QUEUE_FREE);
    end_run("r4", "PENDING"); /* from the queue itself */
    struct queue_counts counts;
    assert_null(store_job_queue_counts(store, S("vc"), &counts));
    assert_int_equal(counts.in_queue, 2);
    assert_int_equal(counts.running, 0);
}

static void test_room_is_shared_and_goes_to_the_oldest_first(void **state)
{
    must_add_bounded_cluster("a", "a", 0, 0);
    must_add_bounded_cluster("b", "b", 0, 0);
    must_add_run("r1", "a");
    must_add_run("r2", "a");
    must_add_run("r3", "b");
    assert_int_equal(leave("r1", 60, 100).verdict, QUEUE_FREE);
    struct queue_look none = leave("r2", 60, 100);
    assert_int_equal(none.verdict, QUEUE_NO_ROOM);
    assert_int_equal(none.used.memory_bytes, 60);
    assert_int_equal(leave("r3", 10, 100).verdict, QUEUE_ROOM_TAKEN); /* though it would fit */
    end_run("r1", "PENDING");
    assert_int_equal(leave("r3", 10, 100).verdict, QUEUE_ROOM_TAKEN);
    assert_int_equal(leave("r2", 60, 100).verdict, QUEUE_FREE);
    assert_int_equal(leave("r3", 10, 100).verdict, QUEUE_FREE);
}

static void test_an_ask_beyond_all_numbers_takes_no_room(void **state)
{
    must_add_bounded_cluster("a", "a", 0, 0);
    must_add_run("r1", "a");
    must_add_run("r2", "a");
    assert_int_equal(leave("r1", -1000, 100).verdict, QUEUE_FREE);
    struct queue_look look = leave("r2", INT64_MAX, 100);
    assert_int_equal(look.verdict, QUEUE_NO_ROOM);
    assert_int_equal(look.used.memory_bytes, 0);
}

static void test_a_queue_has_a_depth(void **state)
{
    must_add_bounded_cluster("vc", "ns", 1, 2);
    must_add_run("r1", "vc");
    must_add_run("r2", "vc");
    struct job_run row = run_row("r3", "vc");
    struct slice id;
    struct err *e = store_job_run_insert(store, arena, &row, S("arn/r3"), SLICE_NONE, SLICE_NONE, &id);
    assert_string_equal(e->message, "2 of 2 job runs are in the queue");
    assert_err(e, ERR_LIMIT, "QueueFull");
    assert_int_equal(leave("r1", 0, 0).verdict, QUEUE_FREE); /* still PENDING, so it counts */
    assert_err(store_job_run_insert(store, arena, &row, S("arn/r3"), SLICE_NONE, SLICE_NONE, &id), ERR_LIMIT, "QueueFull");
    struct virtual_cluster_limits limits = {.max_concurrent_job_runs = 1};
    assert_null(store_virtual_cluster_update(store, arena, S("vc"), &limits, S("t"), S("h"), (struct instant){.ms = 1}));
    assert_null(store_job_run_insert(store, arena, &row, S("arn/r3"), SLICE_NONE, SLICE_NONE, &id));
    limits.max_in_queue_job_runs = 1;
    assert_null(store_virtual_cluster_update(store, arena, S("vc"), &limits, S("t"), S("h"), (struct instant){.ms = 1})); /* the token was used */
    must_add_run("r4", "vc");
    assert_err(store_virtual_cluster_update(store, arena, S("none"), &limits, SLICE_NONE, SLICE_NONE, (struct instant){.ms = 1}), ERR_NOT_FOUND, NULL);
}

static void test_ids_are_the_order_of_commits_whatever_the_clock_says(void **state)
{
    must_add_cluster("vc", "ns");
    static const char *const WISHES[] = {"0000000337okspsc913", "0000000337okspsc913", "00000002vhi7od3su5d", "000000037b4uegnu8q5", "0000000337p0p4se23o"};
    struct slice last = S("");
    for (size_t i = 0; i < ARRAY_SIZE(WISHES); i++) {
        struct job_run row = run_row(WISHES[i], "vc");
        struct tag tag = {S("k"), S("v")};
        struct tags tags;
        struct slice id;
        row.tags = (struct tags){.items = &tag, .count = 1};
        assert_null(store_job_run_insert(store, arena, &row, slice_fmt(arena, "arn/%s", WISHES[i]), SLICE_NONE, SLICE_NONE, &id));
        assert_true(id.len == 19 && slice_cmp(id, last) > 0);
        assert_null(store_tags_get(store, arena, slice_fmt(arena, "arn/%.*s", SLICE_ARG(id)), &tags)); /* its ARN goes with it */
        assert_int_equal(tags.count, 1);
        last = id;
    }
}

static void test_an_attempt_begins_once(void **state)
{
    bool changed;
    must_add_cluster("vc", "ns");
    must_add_run("r", "vc");
    assert_null(store_job_run_change(store, &(struct job_run_change){.id = S("r"), .from = S("PENDING"), .to = S("RUNNING"), .event = S("E"), .at = {.ms = 1},
                                                                     .launch_started_at = {.ms = 1}, .driver_created_at = {.ms = 1}, .outcome = S("{}"), .outcome_at = {.ms = 2}},
                                     &changed));
    struct job_run_change again = {.id = S("r"), .from = S("RUNNING"), .attempt = 1, .to = S("RUNNING"), .event = S("RETRIED"), .state_details = S("d"), .at = {.ms = 9}};
    assert_null(store_job_run_retry(store, &again, &changed));
    assert_true(changed);
    assert_null(store_job_run_retry(store, &again, &changed));
    assert_false(changed);
    struct job_run run;
    assert_null(store_job_run_get(store, arena, S("r"), &run));
    assert_int_equal(run.attempt, 2);
    assert_int_equal(run.launch_started_at.ms, 9);
    assert_int_equal(run.driver_created_at.ms, 0);
    assert_true(!run.outcome.ptr && !run.outcome_at.ms);
    assert_null(store_job_run_change(store, &(struct job_run_change){.id = S("r"), .from = S("RUNNING"), .attempt = 1, .at = {.ms = 1}, .outcome = S("{}")}, &changed));
    assert_false(changed); /* a step of the attempt before */
    struct job_run_event_row *rows;
    size_t count;
    assert_null(store_job_run_events(store, arena, S("r"), &rows, &count));
    assert_int_equal(count, 3);
    assert_text(rows[2].event, "RETRIED");
    assert_int_equal(rows[2].attempt, 2);
}

static void test_a_reaped_run_has_no_key(void **state)
{
    bool changed;
    struct access_key key, none;
    must_add_cluster("vc", "ns");
    must_add_run("r", "vc");
    assert_null(store_access_key_ensure(store, arena, S("r"), S("p"), S("u"), &key));
    assert_null(store_job_run_change(store, &(struct job_run_change){.id = S("r"), .from = S("PENDING"), .at = {.ms = 1}, .reaped = true}, &changed));
    assert_err(store_access_key_get(store, arena, key.access_key_id, &none), ERR_NOT_FOUND, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_namespace_has_one_live_virtual_cluster),
        TEST(test_a_state_moves_only_from_what_it_was),
        TEST(test_a_client_token_gives_the_first_answer_again),
        TEST(test_what_a_token_was_used_for_is_known_without_asking_anew),
        TEST(test_a_virtual_cluster_needs_the_security_configuration_that_it_names),
        TEST(test_a_refused_request_does_not_use_up_its_token),
        TEST(test_a_token_of_another_operation_is_another_token),
        TEST(test_a_token_is_forgotten_after_a_day),
        TEST(test_virtual_clusters_come_newest_first_in_pages),
        TEST(test_a_run_needs_a_running_virtual_cluster),
        TEST(test_a_run_comes_back_as_it_was_asked),
        TEST(test_a_change_is_compared_and_set_with_its_event),
        TEST(test_the_configuration_of_the_last_launch_is_kept_with_the_launch),
        TEST(test_runs_come_newest_first_in_pages_and_filtered),
        TEST(test_pages_of_many_runs_are_whole_with_every_filter),
        TEST(test_open_runs_are_those_not_reaped_and_live_ones_those_without_an_end),
        TEST(test_tags_are_limited_all_or_nothing),
        TEST(test_a_run_has_one_key_until_it_is_removed),
        TEST(test_runs_leave_a_queue_in_order_as_far_as_places_go),
        TEST(test_room_is_shared_and_goes_to_the_oldest_first),
        TEST(test_an_ask_beyond_all_numbers_takes_no_room),
        TEST(test_a_queue_has_a_depth),
        TEST(test_ids_are_the_order_of_commits_whatever_the_clock_says),
        TEST(test_an_attempt_begins_once),
        TEST(test_a_reaped_run_has_no_key),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
