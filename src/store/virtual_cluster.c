#include "store/virtual_cluster.h"
#include "base/arena.h"
#include "base/json.h"
#include "base/strbuf.h"

struct insert {
    struct arena *arena;
    const struct virtual_cluster *row;
    struct slice resource_arn, token, request_sha256, first_id;
};

/* In the transaction that makes it be in use: see store_document_delete. */
static struct err *check_security_configuration(struct db_tx *tx, struct slice id)
{
    struct db_stmt *stmt;
    bool row;
    if (!id.ptr)
        return NULL;
    TRY(db_prepare(tx, "SELECT 1 FROM document WHERE kind = 'SecurityConfiguration' AND id = ?", &stmt));
    db_bind_text(stmt, 1, id);
    TRY(db_step(stmt, &row));
    return row ? NULL : err_new(ERR_NOT_FOUND, "no security configuration %.*s", SLICE_ARG(id));
}

static struct err *insert(struct db_tx *tx, void *arg)
{
    struct insert *c = arg;
    const struct virtual_cluster *v = c->row;
    TRY(client_token_claim(tx, c->arena, "CreateVirtualCluster", c->token, c->request_sha256, v->id, v->created_at, &c->first_id));
    if (c->first_id.ptr)
        return NULL;
    TRY(check_security_configuration(tx, v->security_configuration_id));
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "INSERT INTO virtual_cluster(id, name, state, cluster, namespace, max_concurrent_job_runs, max_in_queue_job_runs, created_at,"
                   " security_configuration_id, sequence)"
                   " VALUES(?, ?, ?, ?, ?, nullif(?, 0), nullif(?, 0), ?, ?, (SELECT ifnull(max(sequence), 0) + 1 FROM virtual_cluster))",
                   &stmt));
    db_bind_text(stmt, 1, v->id);
    db_bind_text(stmt, 2, v->name);
    db_bind_text(stmt, 3, v->state);
    db_bind_text(stmt, 4, v->cluster);
    db_bind_text(stmt, 5, v->namespace_);
    db_bind_i64(stmt, 6, v->max_concurrent_job_runs);
    db_bind_i64(stmt, 7, v->max_in_queue_job_runs);
    db_bind_i64(stmt, 8, v->created_at.ms);
    db_bind_text(stmt, 9, v->security_configuration_id);
    TRY(db_run(stmt));
    return tags_insert(tx, c->resource_arn, v->tags);
}

struct err *store_virtual_cluster_insert(struct store *store, struct arena *arena, const struct virtual_cluster *row, struct slice resource_arn,
                                         struct slice token, struct slice request_sha256, struct slice *ret_id)
{
    struct insert c = {.arena = arena, .row = row, .resource_arn = resource_arn, .token = token, .request_sha256 = request_sha256};
    TRY(db_write(store_db(store), insert, &c));
    *ret_id = c.first_id.ptr ? c.first_id : row->id;
    return NULL;
}

#define COLUMNS "id, name, state, cluster, namespace, max_concurrent_job_runs, max_in_queue_job_runs, created_at, sequence, security_configuration_id"

static struct virtual_cluster read_row(struct db_stmt *stmt, struct arena *arena)
{
    return (struct virtual_cluster){
        .id = db_col_text(stmt, 0, arena),
        .name = db_col_text(stmt, 1, arena),
        .state = db_col_text(stmt, 2, arena),
        .cluster = db_col_text(stmt, 3, arena),
        .namespace_ = db_col_text(stmt, 4, arena),
        .max_concurrent_job_runs = db_col_i64(stmt, 5), /* NULL is 0 */
        .max_in_queue_job_runs = db_col_i64(stmt, 6),
        .created_at = {.ms = db_col_i64(stmt, 7)},
        .security_configuration_id = db_col_text(stmt, 9, arena),
    };
}

struct get {
    struct arena *arena;
    struct slice id;
    struct virtual_cluster row;
};

static struct err *get(struct db_tx *tx, void *arg)
{
    struct get *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT " COLUMNS " FROM virtual_cluster WHERE id = ?", &stmt));
    db_bind_text(stmt, 1, c->id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_NOT_FOUND, "no virtual cluster %.*s", SLICE_ARG(c->id));
    c->row = read_row(stmt, c->arena);
    return NULL;
}

struct err *store_virtual_cluster_get(struct store *store, struct arena *arena, struct slice id, struct virtual_cluster *ret_row)
{
    struct get c = {.arena = arena, .id = id};
    TRY(db_read(store_db(store), get, &c));
    *ret_row = c.row;
    return NULL;
}

struct move {
    struct slice id, from, to;
    bool changed;
};

static struct err *move(struct db_tx *tx, void *arg)
{
    struct move *c = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "UPDATE virtual_cluster SET state = ? WHERE id = ? AND state = ?", &stmt));
    db_bind_text(stmt, 1, c->to);
    db_bind_text(stmt, 2, c->id);
    db_bind_text(stmt, 3, c->from);
    TRY(db_run(stmt));
    c->changed = db_changes(tx) == 1;
    return NULL;
}

struct err *store_virtual_cluster_move(struct store *store, struct slice id, struct slice from, struct slice to, bool *ret_changed)
{
    struct move c = {.id = id, .from = from, .to = to};
    TRY(db_write(store_db(store), move, &c));
    *ret_changed = c.changed;
    return NULL;
}

struct update {
    struct arena *arena;
    struct slice id, token, request_sha256;
    const struct virtual_cluster_limits *limits;
    struct instant now;
};

static struct err *update(struct db_tx *tx, void *arg)
{
    const struct update *c = arg;
    struct db_stmt *stmt;
    bool row;
    struct slice first;
    TRY(client_token_claim(tx, c->arena, "UpdateVirtualCluster", c->token, c->request_sha256, c->id, c->now, &first));
    if (first.ptr)
        return NULL;
    TRY(db_prepare(tx, "SELECT state FROM virtual_cluster WHERE id = ?", &stmt));
    db_bind_text(stmt, 1, c->id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_NOT_FOUND, "no virtual cluster %.*s", SLICE_ARG(c->id));
    struct slice state = db_col_text(stmt, 0, c->arena);
    if (!slice_eq(state, S("RUNNING")))
        return err_code(ERR_CONFLICT, "VirtualClusterState", "%.*s", SLICE_ARG(state));
    if (c->limits->keep)
        return NULL;
    TRY(db_prepare(tx, "UPDATE virtual_cluster SET max_concurrent_job_runs = nullif(?, 0), max_in_queue_job_runs = nullif(?, 0) WHERE id = ?", &stmt));
    db_bind_i64(stmt, 1, c->limits->max_concurrent_job_runs);
    db_bind_i64(stmt, 2, c->limits->max_in_queue_job_runs);
    db_bind_text(stmt, 3, c->id);
    return db_run(stmt);
}

struct err *store_virtual_cluster_update(struct store *store, struct arena *arena, struct slice id, const struct virtual_cluster_limits *limits,
                                         struct slice token, struct slice request_sha256, struct instant now)
{
    struct update c = {.arena = arena, .id = id, .token = token, .request_sha256 = request_sha256, .limits = limits, .now = now};
    return db_write(store_db(store), update, &c);
}

struct list {
    struct arena *arena;
    const struct virtual_cluster_filter *filter;
    struct virtual_cluster_page page;
};

/* As JSON, for json_each; absent: any. */
static struct slice states_to_json(struct arena *arena, const struct virtual_cluster_filter *f)
{
    struct strbuf text = STRBUF_ARENA(arena);
    for (size_t i = 0; i < f->state_count; i++) {
        strbuf_append_fmt(&text, "%s", i ? "," : "[");
        json_write_string(&text, f->states[i]);
    }
    strbuf_append_fmt(&text, "]");
    return f->state_count ? strbuf_slice(&text) : SLICE_NONE;
}

/* The index virtual_cluster_listed holds all that is asked for: a row that does not fit is not read. */
static struct err *list(struct db_tx *tx, void *arg)
{
    struct list *c = arg;
    const struct virtual_cluster_filter *f = c->filter;
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "SELECT " COLUMNS " FROM virtual_cluster INDEXED BY virtual_cluster_listed WHERE sequence < ?1 AND (?2 IS NULL OR cluster = ?2)"
                   " AND created_at > ?3 AND created_at < ?4 AND (?5 IS NULL OR state IN (SELECT value FROM json_each(?5))) ORDER BY sequence DESC LIMIT ?6",
                   &stmt));
    db_bind_i64(stmt, 1, f->before_sequence ? f->before_sequence : INT64_MAX);
    db_bind_text(stmt, 2, f->cluster);
    db_bind_i64(stmt, 3, f->created_after_set ? f->created_after.ms : INT64_MIN);
    db_bind_i64(stmt, 4, f->created_before_set ? f->created_before.ms : INT64_MAX);
    db_bind_text(stmt, 5, states_to_json(c->arena, f));
    db_bind_i64(stmt, 6, f->limit + 1);
    c->page.rows = ARENA_ARRAY(c->arena, (size_t)f->limit + 1, struct virtual_cluster);
    int64_t last_sequence = 0;
    for (bool row;;) {
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        if ((int64_t)c->page.count == f->limit) {
            c->page.next_sequence = last_sequence;
            break;
        }
        last_sequence = db_col_i64(stmt, 8);
        c->page.rows[c->page.count++] = read_row(stmt, c->arena);
    }
    return NULL;
}

struct err *store_virtual_cluster_list(struct store *store, struct arena *arena, const struct virtual_cluster_filter *filter,
                                       struct virtual_cluster_page *ret_page)
{
    struct list c = {.arena = arena, .filter = filter};
    TRY(db_read(store_db(store), list, &c));
    *ret_page = c.page;
    return NULL;
}
