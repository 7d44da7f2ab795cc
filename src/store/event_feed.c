#include "store/event_feed.h"
#include "base/arena.h"

/* What is no change of state is bookkeeping of attempts, but for the moment at which a new driver is there. */
#define TOLD "(e.from_state IS NULL OR e.from_state <> e.to_state OR (e.event = 'LAUNCHED' AND e.attempt > 1))"

struct feed {
    struct arena *arena;
    struct slice name;
    int64_t after, limit, end;
    struct event_row *rows;
    size_t count;
    struct instant oldest;
};

static struct event_row read_row(struct db_stmt *stmt, struct arena *arena)
{
    return (struct event_row){
        .sequence = db_col_i64(stmt, 0),
        .at = {.ms = db_col_i64(stmt, 1)},
        .event = db_col_text(stmt, 2, arena),
        .to = db_col_text(stmt, 3, arena),
        .details = db_col_text(stmt, 4, arena),
        .moved = db_col_i64(stmt, 5) != 0,
        .attempt = db_col_i64(stmt, 6),
        .previous_failure = db_col_text(stmt, 7, arena),
        .job_run_id = db_col_text(stmt, 8, arena),
        .virtual_cluster_id = db_col_text(stmt, 9, arena),
        .name = db_col_text(stmt, 10, arena),
        .created_by = db_col_text(stmt, 11, arena),
        .release_label = db_col_text(stmt, 12, arena),
        .execution_role_arn = db_col_text(stmt, 13, arena),
        .failure_reason = db_col_text(stmt, 14, arena),
    };
}

static struct err *read_after(struct db_tx *tx, void *arg)
{
    struct feed *c = arg;
    struct db_stmt *stmt;
    bool row;
    c->rows = ARENA_ARRAY(c->arena, (size_t)c->limit + 1, struct event_row);
    TRY(db_prepare(tx,
                   "SELECT e.sequence, e.at, e.event, e.to_state, e.details, e.from_state IS NULL OR e.from_state <> e.to_state, ifnull(e.attempt, 1),"
                   " (SELECT p.details FROM job_run_event p WHERE p.job_run_id = e.job_run_id AND p.sequence < e.sequence AND p.event = 'RETRIED'"
                   "  ORDER BY p.sequence DESC LIMIT 1),"
                   " r.id, r.virtual_cluster_id, r.name, r.created_by, r.release_label, r.execution_role_arn, r.failure_reason"
                   " FROM job_run_event e JOIN job_run r ON r.id = e.job_run_id WHERE e.sequence > ?1 AND " TOLD " ORDER BY e.sequence LIMIT ?2",
                   &stmt));
    db_bind_i64(stmt, 1, c->after);
    db_bind_i64(stmt, 2, c->limit);
    for (;;) {
        TRY(db_step(stmt, &row));
        if (!row || (int64_t)c->count == c->limit)
            return NULL;
        c->rows[c->count++] = read_row(stmt, c->arena);
    }
}

struct err *store_events_after(struct store *store, struct arena *arena, int64_t after, int64_t limit, struct event_row **ret_rows, size_t *ret_count)
{
    struct feed c = {.arena = arena, .after = after, .limit = limit};
    TRY(db_read(store_db(store), read_after, &c));
    *ret_rows = c.rows;
    *ret_count = c.count;
    return NULL;
}

static struct err *find_end(struct db_tx *tx, void *arg)
{
    struct feed *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT seq FROM sqlite_sequence WHERE name = 'job_run_event'", &stmt));
    TRY(db_step(stmt, &row));
    c->end = row ? db_col_i64(stmt, 0) : 0;
    return NULL;
}

struct err *store_events_end(struct store *store, int64_t *ret_sequence)
{
    struct feed c = {0};
    TRY(db_read(store_db(store), find_end, &c));
    *ret_sequence = c.end;
    return NULL;
}

static struct err *count_behind(struct db_tx *tx, void *arg)
{
    struct feed *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT count(*), ifnull(min(e.at), 0) FROM job_run_event e WHERE e.sequence > ?1 AND " TOLD, &stmt));
    db_bind_i64(stmt, 1, c->after);
    TRY(db_step(stmt, &row));
    c->count = (size_t)db_col_i64(stmt, 0);
    c->oldest.ms = db_col_i64(stmt, 1);
    return NULL;
}

struct err *store_events_behind(struct store *store, int64_t after, int64_t *ret_count, struct instant *ret_oldest)
{
    struct feed c = {.after = after};
    TRY(db_read(store_db(store), count_behind, &c));
    *ret_count = (int64_t)c.count;
    *ret_oldest = c.oldest;
    return NULL;
}

static struct err *begin(struct db_tx *tx, void *arg)
{
    struct feed *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(find_end(tx, c));
    TRY(db_prepare(tx, "INSERT INTO event_delivery(name, sequence) VALUES(?, ?) ON CONFLICT DO NOTHING", &stmt));
    db_bind_text(stmt, 1, c->name);
    db_bind_i64(stmt, 2, c->end);
    TRY(db_run(stmt));
    TRY(db_prepare(tx, "SELECT sequence FROM event_delivery WHERE name = ?", &stmt));
    db_bind_text(stmt, 1, c->name);
    TRY(db_step(stmt, &row));
    c->after = row ? db_col_i64(stmt, 0) : c->end;
    return NULL;
}

struct err *store_delivery_begin(struct store *store, struct slice name, int64_t *ret_sequence)
{
    struct feed c = {.name = name};
    TRY(db_write(store_db(store), begin, &c));
    *ret_sequence = c.after;
    return NULL;
}

static struct err *advance(struct db_tx *tx, void *arg)
{
    struct feed *c = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "UPDATE event_delivery SET sequence = ?2 WHERE name = ?1 AND sequence < ?2", &stmt));
    db_bind_text(stmt, 1, c->name);
    db_bind_i64(stmt, 2, c->after);
    return db_run(stmt);
}

struct err *store_delivery_advance(struct store *store, struct slice name, int64_t sequence)
{
    struct feed c = {.name = name, .after = sequence};
    return db_write(store_db(store), advance, &c);
}
