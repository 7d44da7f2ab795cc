/* What a database does when its disk is full in the middle of a group. */
#include "base/db_internal.h"
#include "base/fd.h"
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct err *insert_row(struct db_tx *tx, int64_t key)
{
    static char page[4000];
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "INSERT INTO t(k, v) VALUES(?, ?)", &stmt));
    db_bind_i64(stmt, 1, key);
    db_bind_blob(stmt, 2, slice_of(page, sizeof(page)));
    return db_run(stmt);
}

static struct err *insert_much(struct db_tx *tx, int64_t first)
{
    for (int64_t i = 0; i < 100; i++)
        TRY(insert_row(tx, first + i));
    return NULL;
}

static struct err *count_rows(struct db_tx *tx, void *arg)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT count(*) FROM t", &stmt));
    TRY(db_step(stmt, &row));
    *(int64_t *)arg = db_col_i64(stmt, 0);
    return NULL;
}

/* Holds the writer, so that those who come meanwhile are one group. */
struct gate {
    struct db *db;
    sem_t entered, open;
};

static struct err *hold_writer(struct db_tx *tx, void *arg)
{
    struct gate *gate = arg;
    sem_post(&gate->entered);
    sem_wait(&gate->open);
    return NULL;
}

static void *hold_main(void *arg)
{
    struct gate *gate = arg;
    assert_null(db_write(gate->db, hold_writer, gate));
    return NULL;
}

/* The statement finds no space in the middle of its transaction, as when the cache is written out onto a full disk. */
static struct err *insert_into_no_space(struct db_tx *tx, void *arg)
{
    struct db_stmt *stmt;
    bool row;
    int64_t key = 100;
    TRY(db_prepare(tx, "PRAGMA max_page_count = 1", &stmt)); /* means: no more than there are */
    TRY(db_step(stmt, &row));
    struct err *e = insert_much(tx, key);
    TRY(db_prepare(tx, "PRAGMA max_page_count = 1000000", &stmt));
    TRY(db_step(stmt, &row));
    return e;
}

struct grouped {
    struct db *db;
    db_fn fn;
    int64_t key;
        struct err *result;
};

static struct err *insert_grouped(struct db_tx *tx, void *arg)
{
    return insert_row(tx, ((struct grouped *)arg)->key);
}

static void *grouped_main(void *arg)
{
    struct grouped *g = arg;
    g->result = db_write(g->db, g->fn, g);
    return NULL;
}

/* Whoever comes while the gate is held waits in the queue; the group is what is there when it opens. */
static void wait_until_queued(struct db *db, size_t count)
{
    for (;;) {
        size_t queued = 0;
        mutex_lock(&db->lock);
        for (const struct write_request *r = db->writer.head; r; r = r->next)
            queued++;
        mutex_unlock(&db->lock);
        if (queued == count)
            return;
        sched_yield();
    }
}

static void test_a_group_in_which_one_finds_no_space_is_undone_whole_and_the_next_one_is_written(void **state)
{
    char dir[] = "/tmp/ember-db-test.XXXXXX";
    assert_non_null(mkdtemp(dir));
    char path[64];
    snprintf(path, sizeof(path), "%s/x.db", dir);
    static const char *const SCHEMA[] = {"CREATE TABLE t(k INTEGER PRIMARY KEY, v BLOB NOT NULL) STRICT"};
    struct gate gate = {0};
    assert_null(db_open(path, SCHEMA, 1, &gate.db));
    sem_init(&gate.entered, 0, 0);
    sem_init(&gate.open, 0, 0);
    pthread_t holder, threads[3];
    pthread_create(&holder, NULL, hold_main, &gate);
    sem_wait(&gate.entered);
    struct grouped group[3] = {{.fn = insert_grouped, .key = 1}, {.fn = insert_into_no_space}, {.fn = insert_grouped, .key = 3}};
    for (size_t i = 0; i < ARRAY_SIZE(group); i++) { /* one after the other: their order is that of the queue */
        group[i].db = gate.db;
        pthread_create(&threads[i], NULL, grouped_main, &group[i]);
        wait_until_queued(gate.db, i + 1);
    }
    sem_post(&gate.open);
    pthread_join(holder, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(group); i++) {
        pthread_join(threads[i], NULL);
        assert_non_null(group[i].result);
        assert_int_equal(group[i].result->kind, ERR_LIMIT);
        assert_true(group[i].result->no_space);
        err_free(group[i].result);
    }
    int64_t rows = -1;
    assert_null(db_read(gate.db, count_rows, &rows));
    assert_int_equal(rows, 0); /* what was answered with an error is not there */
    struct grouped late = {.key = 4};
    assert_null(db_write(gate.db, insert_grouped, &late));
    assert_null(db_read(gate.db, count_rows, &rows));
    assert_int_equal(rows, 1);
    db_close(gate.db);
    sem_destroy(&gate.entered);
    sem_destroy(&gate.open);
    assert_null(tree_remove(dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_group_in_which_one_finds_no_space_is_undone_whole_and_the_next_one_is_written),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
