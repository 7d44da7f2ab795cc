#include "store/job_queue.h"
#include "base/arena.h"

/* The words of the partial indexes: SQLite takes one only when its condition stands in the query. */
#define QUEUED "state = 'PENDING' AND launch_started_at IS NULL"
#define LIVE "state IN ('PENDING', 'SUBMITTED', 'RUNNING', 'CANCEL_PENDING')"
#define UNDER_WAY "launch_started_at IS NOT NULL AND " LIVE

struct leave {
    const struct queue_wish *wish;
    struct instant at;
    struct queue_look look;
};

struct place {
    struct arena *arena;
    struct slice virtual_cluster_id;
    int64_t max_concurrent;
    bool waits_for_room;
};

/* *ret_queued false: it is not in the queue (any more). */
static struct err *find_place(struct db_tx *tx, struct slice id, struct place *place, bool *ret_queued)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "SELECT r.virtual_cluster_id, ifnull(v.max_concurrent_job_runs, ?2), r.waits_for_room"
                   " FROM job_run r JOIN virtual_cluster v ON v.id = r.virtual_cluster_id"
                   " WHERE r.id = ?1 AND r.state = 'PENDING' AND r.launch_started_at IS NULL",
                   &stmt));
    db_bind_text(stmt, 1, id);
    db_bind_i64(stmt, 2, QUEUE_CONCURRENT_DEFAULT);
    TRY(db_step(stmt, ret_queued));
    if (!*ret_queued)
        return NULL;
    place->virtual_cluster_id = db_col_text(stmt, 0, place->arena);
    place->max_concurrent = db_col_i64(stmt, 1);
    place->waits_for_room = db_col_i64(stmt, 2) != 0;
    return NULL;
}

static struct err *is_head(struct db_tx *tx, const struct place *place, struct slice id, bool *ret_head)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT 1 FROM job_run WHERE virtual_cluster_id = ?1 AND id < ?2 AND " QUEUED " LIMIT 1", &stmt));
    db_bind_text(stmt, 1, place->virtual_cluster_id);
    db_bind_text(stmt, 2, id);
    TRY(db_step(stmt, &row));
    *ret_head = !row;
    return NULL;
}

static struct err *find_room(struct db_tx *tx, const struct queue_wish *wish, struct queue_look *look)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT ifnull(sum(max(ask_memory_bytes, 0)), 0), ifnull(sum(max(ask_cpu_millis, 0)), 0) FROM job_run WHERE " UNDER_WAY,
                   &stmt));
    TRY(db_step(stmt, &row));
    look->used = (struct resources){.memory_bytes = db_col_i64(stmt, 0), .cpu_millis = db_col_i64(stmt, 1)};
    if (wish->ask.memory_bytes > wish->room.memory_bytes - look->used.memory_bytes ||
        wish->ask.cpu_millis > wish->room.cpu_millis - look->used.cpu_millis) {
        look->verdict = QUEUE_NO_ROOM;
        return NULL;
    }
    TRY(db_prepare(tx, "SELECT 1 FROM job_run WHERE waits_for_room = 1 AND id < ?1 AND " QUEUED " LIMIT 1", &stmt));
    db_bind_text(stmt, 1, wish->id);
    TRY(db_step(stmt, &row));
    if (row)
        look->verdict = QUEUE_ROOM_TAKEN;
    return NULL;
}

static struct err *look_at(struct db_tx *tx, const struct queue_wish *wish, struct place *place, struct queue_look *ret_look)
{
    struct queue_look look = {.verdict = QUEUE_LEFT};
    struct db_stmt *stmt;
    bool queued, head, row;
    TRY(find_place(tx, wish->id, place, &queued));
    *ret_look = look;
    if (!queued)
        return NULL;
    TRY(is_head(tx, place, wish->id, &head));
    look.verdict = head ? QUEUE_FREE : QUEUE_BEHIND;
    look.waits_for_room = place->waits_for_room;
    if (head) {
        TRY(db_prepare(tx, "SELECT count(*) FROM job_run INDEXED BY job_run_under_way WHERE virtual_cluster_id = ?1 AND " UNDER_WAY, &stmt));
        db_bind_text(stmt, 1, place->virtual_cluster_id);
        TRY(db_step(stmt, &row));
        look.under_way = db_col_i64(stmt, 0);
        look.max_concurrent = place->max_concurrent;
        if (look.under_way >= look.max_concurrent)
            look.verdict = QUEUE_FULL;
        else if (wish->room.memory_bytes)
            TRY(find_room(tx, wish, &look));
    }
    *ret_look = look;
    return NULL;
}

static struct err *look(struct db_tx *tx, void *arg)
{
    struct leave *c = arg;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct place place = {.arena = arena};
    return look_at(tx, c->wish, &place, &c->look);
}

struct err *store_job_queue_look(struct store *store, const struct queue_wish *wish, struct queue_look *ret_look)
{
    struct leave c = {.wish = wish};
    TRY(db_read(store_db(store), look, &c));
    *ret_look = c.look;
    return NULL;
}

static struct err *leave(struct db_tx *tx, void *arg)
{
    struct leave *c = arg;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct place place = {.arena = arena};
    TRY(look_at(tx, c->wish, &place, &c->look));
    bool left = c->look.verdict == QUEUE_FREE, for_room = c->look.verdict == QUEUE_NO_ROOM || c->look.verdict == QUEUE_ROOM_TAKEN;
    if (c->look.verdict == QUEUE_LEFT || (!left && for_room == place.waits_for_room))
        return NULL;
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "UPDATE job_run SET launch_started_at = ifnull(?2, launch_started_at), ask_memory_bytes = ?3, ask_cpu_millis = ?4, waits_for_room = ?5"
                   " WHERE id = ?1",
                   &stmt));
    db_bind_text(stmt, 1, c->wish->id);
    if (left)
        db_bind_i64(stmt, 2, c->at.ms);
    else
        db_bind_null(stmt, 2);
    db_bind_i64(stmt, 3, c->wish->ask.memory_bytes);
    db_bind_i64(stmt, 4, c->wish->ask.cpu_millis);
    db_bind_i64(stmt, 5, for_room ? 1 : 0);
    return db_run(stmt);
}

struct err *store_job_queue_leave(struct store *store, const struct queue_wish *wish, struct instant at, struct queue_look *ret_look)
{
    struct leave c = {.wish = wish, .at = at};
    TRY(db_write(store_db(store), leave, &c));
    *ret_look = c.look;
    return NULL;
}

struct heads {
    struct arena *arena;
    struct slice *ids;
    size_t count, cap;
};

static struct err *heads(struct db_tx *tx, void *arg)
{
    struct heads *c = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "SELECT min(id) FROM job_run WHERE " QUEUED " GROUP BY virtual_cluster_id ORDER BY 1", &stmt));
    for (bool row;;) {
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        if (c->count == c->cap) {
            c->cap = c->cap ? c->cap * 2 : 16;
            struct slice *more = ARENA_ARRAY(c->arena, c->cap, struct slice);
            for (size_t i = 0; i < c->count; i++)
                more[i] = c->ids[i];
            c->ids = more;
        }
        c->ids[c->count++] = db_col_text(stmt, 0, c->arena);
    }
}

struct err *store_job_queue_heads(struct store *store, struct arena *arena, struct slice **ret_ids, size_t *ret_count)
{
    struct heads c = {.arena = arena};
    TRY(db_read(store_db(store), heads, &c));
    *ret_ids = c.ids;
    *ret_count = c.count;
    return NULL;
}

struct counts {
    struct slice virtual_cluster_id;
    struct queue_counts counts;
};

static struct err *read_counts(struct db_tx *tx, struct slice virtual_cluster_id, struct queue_counts *ret_counts)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx,
                   "SELECT ifnull(sum(state IN ('PENDING', 'SUBMITTED')), 0), ifnull(sum(state = 'RUNNING'), 0) FROM job_run INDEXED BY job_run_of_state"
                   " WHERE virtual_cluster_id = ? AND " LIVE,
                   &stmt));
    db_bind_text(stmt, 1, virtual_cluster_id);
    TRY(db_step(stmt, &row));
    *ret_counts = (struct queue_counts){.in_queue = db_col_i64(stmt, 0), .running = db_col_i64(stmt, 1)};
    return NULL;
}

static struct err *counts(struct db_tx *tx, void *arg)
{
    struct counts *c = arg;
    return read_counts(tx, c->virtual_cluster_id, &c->counts);
}

struct err *store_job_queue_counts(struct store *store, struct slice virtual_cluster_id, struct queue_counts *ret_counts)
{
    struct counts c = {.virtual_cluster_id = virtual_cluster_id};
    TRY(db_read(store_db(store), counts, &c));
    *ret_counts = c.counts;
    return NULL;
}

struct err *job_queue_check_depth(struct db_tx *tx, struct slice virtual_cluster_id)
{
    struct db_stmt *stmt;
    struct queue_counts counts_now;
    bool row;
    TRY(db_prepare(tx, "SELECT ifnull(max_in_queue_job_runs, 0) FROM virtual_cluster WHERE id = ?", &stmt));
    db_bind_text(stmt, 1, virtual_cluster_id);
    TRY(db_step(stmt, &row));
    int64_t most = row ? db_col_i64(stmt, 0) : 0;
    if (!most)
        return NULL;
    TRY(read_counts(tx, virtual_cluster_id, &counts_now));
    if (counts_now.in_queue < most)
        return NULL;
    return err_code(ERR_LIMIT, "QueueFull", "%lld of %lld job runs are in the queue", (long long)counts_now.in_queue, (long long)most);
}
