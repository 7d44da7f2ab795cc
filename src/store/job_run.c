#include "store/job_run.h"
#include "base/arena.h"
#include "store/access_key.h"
#include "store/event_feed.h"
#include "store/job_queue.h"

struct insert {
    struct arena *arena;
    const struct job_run *row;
    struct slice resource_arn, token, request_sha256, id, first_id;
};

#define ID_DIGITS S("0123456789abcdefghijklmnopqrstuv")
#define ID_LENGTH 19

/* 19 digits of base32hex, see jobs/job_run.h. */
static bool id_parse(struct slice id, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < id.len; i++) {
        ptrdiff_t digit = slice_index(ID_DIGITS, id.ptr[i]);
        if (digit < 0)
            return false;
        value = value << 5 | (uint64_t)digit;
    }
    *ret_value = value;
    return id.len == ID_LENGTH;
}

/* wish, or the first millisecond after last with wish's random part: the order of ids is the order of commits, however many threads
 * submit and whatever the clock does. */
static struct slice id_after(struct arena *arena, struct slice last, struct slice wish)
{
    uint64_t before, value;
    if (!last.ptr || slice_cmp(wish, last) > 0 || !id_parse(last, &before) || !id_parse(wish, &value))
        return wish;
    value = ((before >> 16) + 1) << 16 | (value & 0x7fff);
    char *id = arena_alloc(arena, ID_LENGTH + 1);
    for (int i = ID_LENGTH - 1; i >= 0; i--) {
        id[i] = ID_DIGITS.ptr[value & 31];
        value >>= 5;
    }
    id[ID_LENGTH] = 0;
    return slice_of(id, ID_LENGTH);
}

static struct err *choose_id(struct db_tx *tx, struct insert *c)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT max(id) FROM job_run", &stmt));
    TRY(db_step(stmt, &row));
    c->id = id_after(c->arena, db_col_text(stmt, 0, c->arena), c->row->id);
    return NULL;
}

static struct err *check_cluster(struct db_tx *tx, struct arena *arena, struct slice id)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT state FROM virtual_cluster WHERE id = ?", &stmt));
    db_bind_text(stmt, 1, id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_NOT_FOUND, "no virtual cluster %.*s", SLICE_ARG(id));
    struct slice state = db_col_text(stmt, 0, arena);
    if (!slice_eq(state, S("RUNNING")))
        return err_code(ERR_CONFLICT, "VirtualClusterState", "%.*s", SLICE_ARG(state));
    return NULL;
}

static struct err *add_event(struct db_tx *tx, const struct job_run_change *h)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "INSERT INTO job_run_event(job_run_id, at, event, from_state, to_state, details, attempt)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, (SELECT attempt FROM job_run WHERE id = ?1))",
                   &stmt));
    db_bind_text(stmt, 1, h->id);
    db_bind_i64(stmt, 2, h->at.ms);
    db_bind_text(stmt, 3, h->event);
    db_bind_text(stmt, 4, h->from);
    db_bind_text(stmt, 5, h->to);
    db_bind_text(stmt, 6, h->state_details);
    return db_run(stmt);
}

static struct err *insert(struct db_tx *tx, void *arg)
{
    struct insert *c = arg;
    const struct job_run *r = c->row;
    TRY(choose_id(tx, c));
    TRY(client_token_claim(tx, c->arena, "StartJobRun", c->token, c->request_sha256, c->id, r->created_at, &c->first_id));
    if (c->first_id.ptr)
        return NULL;
    TRY(check_cluster(tx, c->arena, r->virtual_cluster_id));
    TRY(job_queue_check_depth(tx, r->virtual_cluster_id));
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "INSERT INTO job_run(id, virtual_cluster_id, name, state, execution_role_arn, release_label, job_driver,"
                   " configuration_overrides, retry_max_attempts, client_token, created_by, created_at)"
                   " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   &stmt));
    db_bind_text(stmt, 1, c->id);
    db_bind_text(stmt, 2, r->virtual_cluster_id);
    db_bind_text(stmt, 3, r->name);
    db_bind_text(stmt, 4, r->state);
    db_bind_text(stmt, 5, r->execution_role_arn);
    db_bind_text(stmt, 6, r->release_label);
    db_bind_text(stmt, 7, r->job_driver);
    db_bind_text(stmt, 8, r->configuration_overrides);
    db_bind_i64(stmt, 9, r->retry_max_attempts);
    db_bind_text(stmt, 10, r->client_token);
    db_bind_text(stmt, 11, r->created_by);
    db_bind_i64(stmt, 12, r->created_at.ms);
    TRY(db_run(stmt));
    TRY(add_event(tx, &(struct job_run_change){.id = c->id, .at = r->created_at, .event = S("START"), .to = r->state}));
    struct slice arn = c->resource_arn;
    if (!slice_eq(c->id, r->id) && slice_ends_with(arn, r->id))
        arn = slice_fmt(c->arena, "%.*s%.*s", SLICE_ARG(slice_sub(arn, 0, arn.len - r->id.len)), SLICE_ARG(c->id));
    return tags_insert(tx, arn, r->tags);
}

struct err *store_job_run_insert(struct store *store, struct arena *arena, const struct job_run *row, struct slice resource_arn, struct slice token,
                                 struct slice request_sha256, struct slice *ret_id)
{
    struct insert c = {.arena = arena, .row = row, .resource_arn = resource_arn, .token = token, .request_sha256 = request_sha256};
    TRY(db_write(store_db(store), insert, &c));
    if (!c.first_id.ptr)
        store_events_poke(store);
    *ret_id = c.first_id.ptr ? c.first_id : c.id;
    return NULL;
}

/* Of job_run r and virtual_cluster v. */
#define COLUMNS                                                                                                                \
    "r.id, r.virtual_cluster_id, r.name, r.state, r.execution_role_arn, r.release_label, r.retry_max_attempts, r.client_token,"      \
    " r.created_by, r.created_at, r.finished_at, r.failure_reason, r.state_details, r.attempt, r.launch_started_at,"                 \
    " r.driver_created_at, r.driver_started_at, r.outcome, r.outcome_at, r.reaped, r.start_timeout_s, v.cluster, v.namespace,"     \
    " r.driver_uid"
#define COLUMN_COUNT 24
#define TABLES " FROM job_run r JOIN virtual_cluster v ON v.id = r.virtual_cluster_id "

static struct job_run read_row(struct db_stmt *stmt, struct arena *arena)
{
    return (struct job_run){
        .id = db_col_text(stmt, 0, arena),
        .virtual_cluster_id = db_col_text(stmt, 1, arena),
        .name = db_col_text(stmt, 2, arena),
        .state = db_col_text(stmt, 3, arena),
        .execution_role_arn = db_col_text(stmt, 4, arena),
        .release_label = db_col_text(stmt, 5, arena),
        .retry_max_attempts = db_col_i64(stmt, 6),
        .client_token = db_col_text(stmt, 7, arena),
        .created_by = db_col_text(stmt, 8, arena),
        .created_at = {.ms = db_col_i64(stmt, 9)},
        .finished_at = {.ms = db_col_i64(stmt, 10)},
        .failure_reason = db_col_text(stmt, 11, arena),
        .state_details = db_col_text(stmt, 12, arena),
        .attempt = db_col_i64(stmt, 13),
        .launch_started_at = {.ms = db_col_i64(stmt, 14)},
        .driver_created_at = {.ms = db_col_i64(stmt, 15)},
        .driver_started_at = {.ms = db_col_i64(stmt, 16)},
        .outcome = db_col_text(stmt, 17, arena),
        .outcome_at = {.ms = db_col_i64(stmt, 18)},
        .reaped = db_col_i64(stmt, 19) != 0,
        .start_timeout_s = db_col_i64(stmt, 20),
        .cluster = db_col_text(stmt, 21, arena),
        .namespace_ = db_col_text(stmt, 22, arena),
        .driver_uid = db_col_text(stmt, 23, arena),
    };
}

struct get {
    struct arena *arena;
    struct slice id;
    struct job_run row;
};

static struct err *get(struct db_tx *tx, void *arg)
{
    struct get *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT " COLUMNS ", r.job_driver, r.configuration_overrides" TABLES "WHERE r.id = ?", &stmt));
    db_bind_text(stmt, 1, c->id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_NOT_FOUND, "no job run %.*s", SLICE_ARG(c->id));
    c->row = read_row(stmt, c->arena);
    c->row.job_driver = db_col_text(stmt, COLUMN_COUNT, c->arena);
    c->row.configuration_overrides = db_col_text(stmt, COLUMN_COUNT + 1, c->arena);
    return NULL;
}

struct err *store_job_run_get(struct store *store, struct arena *arena, struct slice id, struct job_run *ret_row)
{
    struct get c = {.arena = arena, .id = id};
    TRY(db_read(store_db(store), get, &c));
    *ret_row = c.row;
    return NULL;
}

struct change {
    const struct job_run_change *change;
    bool changed;
};

static void bind_instant(struct db_stmt *stmt, int index, struct instant t)
{
    if (t.ms)
        db_bind_i64(stmt, index, t.ms);
    else
        db_bind_null(stmt, index);
}

static struct err *keep_effective(struct db_tx *tx, const struct job_run_change *h)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "INSERT INTO job_run_configuration(job_run_id, attempt, body) SELECT id, attempt, ?2 FROM job_run WHERE id = ?1"
                   " ON CONFLICT(job_run_id) DO UPDATE SET attempt = excluded.attempt, body = excluded.body",
                   &stmt));
    db_bind_text(stmt, 1, h->id);
    db_bind_text(stmt, 2, h->effective_configuration);
    return db_run(stmt);
}

static struct err *change(struct db_tx *tx, void *arg)
{
    struct change *c = arg;
    const struct job_run_change *h = c->change;
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "UPDATE job_run SET state = ifnull(?3, state), failure_reason = ifnull(?4, failure_reason),"
                   " state_details = ifnull(?5, state_details), outcome = ifnull(?6, outcome), finished_at = ifnull(?7, finished_at),"
                   " launch_started_at = ifnull(?8, launch_started_at), driver_created_at = ifnull(?9, driver_created_at),"
                   " driver_started_at = ifnull(?10, driver_started_at), outcome_at = ifnull(?11, outcome_at),"
                   " start_timeout_s = ifnull(nullif(?12, 0), start_timeout_s), reaped = max(reaped, ?13), driver_uid = ifnull(?15, driver_uid)"
                   " WHERE id = ?1 AND state = ?2 AND (?14 = 0 OR attempt = ?14)",
                   &stmt));
    db_bind_text(stmt, 1, h->id);
    db_bind_text(stmt, 2, h->from);
    db_bind_text(stmt, 3, h->to);
    db_bind_text(stmt, 4, h->failure_reason);
    db_bind_text(stmt, 5, h->state_details);
    db_bind_text(stmt, 6, h->outcome);
    bind_instant(stmt, 7, h->finished_at);
    bind_instant(stmt, 8, h->launch_started_at);
    bind_instant(stmt, 9, h->driver_created_at);
    bind_instant(stmt, 10, h->driver_started_at);
    bind_instant(stmt, 11, h->outcome_at);
    db_bind_i64(stmt, 12, h->start_timeout_s);
    db_bind_i64(stmt, 13, h->reaped ? 1 : 0);
    db_bind_i64(stmt, 14, h->attempt);
    db_bind_text(stmt, 15, h->driver_uid);
    TRY(db_run(stmt));
    c->changed = db_changes(tx) == 1;
    if (c->changed && h->reaped)
        TRY(access_key_drop(tx, h->id));
    if (c->changed && h->effective_configuration.ptr)
        TRY(keep_effective(tx, h));
    return c->changed && h->to.ptr ? add_event(tx, h) : NULL;
}

struct err *store_job_run_change(struct store *store, const struct job_run_change *what, bool *ret_changed)
{
    struct change c = {.change = what};
    TRY(db_write(store_db(store), change, &c));
    if (c.changed && what->to.ptr)
        store_events_poke(store);
    *ret_changed = c.changed;
    return NULL;
}

struct effective {
    struct arena *arena;
    struct slice id, json;
    int64_t attempt;
};

static struct err *get_effective(struct db_tx *tx, void *arg)
{
    struct effective *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT body, attempt FROM job_run_configuration WHERE job_run_id = ?", &stmt));
    db_bind_text(stmt, 1, c->id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_NOT_FOUND, "no attempt of job run %.*s was launched", SLICE_ARG(c->id));
    c->json = db_col_text(stmt, 0, c->arena);
    c->attempt = db_col_i64(stmt, 1);
    return NULL;
}

struct err *store_job_run_get_effective(struct store *store, struct arena *arena, struct slice id, struct slice *ret_json, int64_t *ret_attempt)
{
    struct effective c = {.arena = arena, .id = id};
    TRY(db_read(store_db(store), get_effective, &c));
    *ret_json = c.json;
    *ret_attempt = c.attempt;
    return NULL;
}

static struct err *retry(struct db_tx *tx, void *arg)
{
    struct change *c = arg;
    const struct job_run_change *h = c->change;
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "UPDATE job_run SET attempt = attempt + 1, state = ?4, launch_started_at = ?5, state_details = ?6, outcome = NULL, outcome_at = NULL,"
                   " driver_created_at = NULL, driver_started_at = NULL, driver_uid = NULL WHERE id = ?1 AND state = ?2 AND attempt = ?3",
                   &stmt));
    db_bind_text(stmt, 1, h->id);
    db_bind_text(stmt, 2, h->from);
    db_bind_i64(stmt, 3, h->attempt);
    db_bind_text(stmt, 4, h->to);
    db_bind_i64(stmt, 5, h->at.ms);
    db_bind_text(stmt, 6, h->state_details);
    TRY(db_run(stmt));
    c->changed = db_changes(tx) == 1;
    return c->changed ? add_event(tx, h) : NULL;
}

struct err *store_job_run_retry(struct store *store, const struct job_run_change *what, bool *ret_changed)
{
    struct change c = {.change = what};
    TRY(db_write(store_db(store), retry, &c));
    if (c.changed)
        store_events_poke(store);
    *ret_changed = c.changed;
    return NULL;
}

struct events {
    struct arena *arena;
    struct slice id;
    struct job_run_event_row *rows;
    size_t count, cap;
};

static struct err *events(struct db_tx *tx, void *arg)
{
    struct events *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT count(*) FROM job_run_event WHERE job_run_id = ?", &stmt));
    db_bind_text(stmt, 1, c->id);
    TRY(db_step(stmt, &row));
    c->cap = (size_t)db_col_i64(stmt, 0);
    c->rows = ARENA_ARRAY(c->arena, c->cap + 1, struct job_run_event_row);
    TRY(db_prepare(tx, "SELECT at, event, from_state, to_state, details, ifnull(attempt, 1) FROM job_run_event WHERE job_run_id = ? ORDER BY sequence", &stmt));
    db_bind_text(stmt, 1, c->id);
    for (;;) {
        TRY(db_step(stmt, &row));
        if (!row || c->count == c->cap)
            return NULL;
        c->rows[c->count++] = (struct job_run_event_row){
            .at = {.ms = db_col_i64(stmt, 0)},
            .event = db_col_text(stmt, 1, c->arena),
            .from = db_col_text(stmt, 2, c->arena),
            .to = db_col_text(stmt, 3, c->arena),
            .details = db_col_text(stmt, 4, c->arena),
            .attempt = db_col_i64(stmt, 5),
        };
    }
}

struct err *store_job_run_events(struct store *store, struct arena *arena, struct slice id, struct job_run_event_row **ret_rows, size_t *ret_count)
{
    struct events c = {.arena = arena, .id = id};
    TRY(db_read(store_db(store), events, &c));
    *ret_rows = c.rows;
    *ret_count = c.count;
    return NULL;
}

/* Runs are listed by (created_at, id), the newest first: each question has an index in that order behind what it asks for, so a page costs
 * its rows wherever in the list it is. The indexes are named, since SQLite would choose another one for a name. */
struct list {
    struct arena *arena;
    const struct job_run_filter *filter;
    int64_t before_ms; /* a page is what sorts before (before_ms, before_id) */
    struct slice before_id;
    struct job_run_page page;
};

#define LIST_STATES 7 /* of the model's JobRunState */
#define LIST_PLACE " AND (r.created_at, r.id) < (?2, ?3) AND r.created_at > ?4"
#define LIST_ORDER " ORDER BY r.created_at DESC, r.id DESC LIMIT ?5"
#define LIST_FROM(index) " FROM job_run r INDEXED BY " index " JOIN virtual_cluster v ON v.id = r.virtual_cluster_id WHERE r.virtual_cluster_id = ?1"
#define LIST_STATE(state)                                                                                                      \
    "SELECT r.created_at AS at, r.id AS id FROM job_run r INDEXED BY job_run_of_state WHERE r.virtual_cluster_id = ?1 AND r.state = " state LIST_PLACE

static struct err *find_place(struct db_tx *tx, struct list *c)
{
    const struct job_run_filter *f = c->filter;
    struct db_stmt *stmt;
    bool row;
    c->before_ms = f->created_before_set ? f->created_before.ms : INT64_MAX;
    c->before_id = S(""); /* sorts before all: none of that very time */
    if (!f->before_id.ptr)
        return NULL;
    TRY(db_prepare(tx, "SELECT created_at FROM job_run WHERE id = ?", &stmt));
    db_bind_text(stmt, 1, f->before_id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_NOT_FOUND, "no job run %.*s", SLICE_ARG(f->before_id));
    if (db_col_i64(stmt, 0) < c->before_ms) {
        c->before_ms = db_col_i64(stmt, 0);
        c->before_id = f->before_id;
    }
    return NULL;
}

/* The asked states, each once. */
static void bind_states(struct db_stmt *stmt, int index, const struct job_run_filter *f)
{
    int bound = 0;
    for (size_t i = 0; i < f->state_count && bound < LIST_STATES; i++)
        if (!slice_is_one_of(f->states[i], f->states, i))
            db_bind_text(stmt, index + bound++, f->states[i]);
}

static struct err *prepare_list(struct db_tx *tx, const struct list *c, struct db_stmt **ret_stmt)
{
    const struct job_run_filter *f = c->filter;
    int64_t limit = f->limit + 1;
    if (f->name.ptr) { /* states are looked at row by row: runs of one name are few */
        TRY(db_prepare(tx, "SELECT " COLUMNS LIST_FROM("job_run_of_name") " AND r.name = ?6" LIST_PLACE LIST_ORDER, ret_stmt));
        db_bind_text(*ret_stmt, 6, f->name);
        limit = f->state_count ? -1 : limit;
    } else if (f->state_count) { /* a merge of one range for each state; what is not bound is no state */
        TRY(db_prepare(tx,
                       "SELECT " COLUMNS " FROM (" LIST_STATE("?6") " UNION ALL " LIST_STATE("?7") " UNION ALL " LIST_STATE("?8")
                       " UNION ALL " LIST_STATE("?9") " UNION ALL " LIST_STATE("?10") " UNION ALL " LIST_STATE("?11")
                       " UNION ALL " LIST_STATE("?12") " ORDER BY 1 DESC, 2 DESC LIMIT ?5) p CROSS JOIN job_run r ON r.id = p.id"
                       " JOIN virtual_cluster v ON v.id = r.virtual_cluster_id ORDER BY p.at DESC, p.id DESC",
                       ret_stmt));
        bind_states(*ret_stmt, 6, f);
    } else {
        TRY(db_prepare(tx, "SELECT " COLUMNS LIST_FROM("job_run_of_cluster") LIST_PLACE LIST_ORDER, ret_stmt));
    }
    db_bind_text(*ret_stmt, 1, f->virtual_cluster_id);
    db_bind_i64(*ret_stmt, 2, c->before_ms);
    db_bind_text(*ret_stmt, 3, c->before_id);
    db_bind_i64(*ret_stmt, 4, f->created_after_set ? f->created_after.ms : INT64_MIN);
    db_bind_i64(*ret_stmt, 5, limit);
    return NULL;
}

static struct err *list(struct db_tx *tx, void *arg)
{
    struct list *c = arg;
    const struct job_run_filter *f = c->filter;
    struct db_stmt *stmt;
    TRY(find_place(tx, c));
    TRY(prepare_list(tx, c, &stmt));
    c->page.rows = ARENA_ARRAY(c->arena, (size_t)f->limit + 1, struct job_run);
    for (bool row;;) {
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        if (f->name.ptr && f->state_count && !slice_is_one_of(db_col_text(stmt, 3, c->arena), f->states, f->state_count))
            continue;
        if ((int64_t)c->page.count == f->limit) {
            c->page.more = true;
            return NULL;
        }
        c->page.rows[c->page.count++] = read_row(stmt, c->arena);
    }
}

struct err *store_job_run_list(struct store *store, struct arena *arena, const struct job_run_filter *filter, struct job_run_page *ret_page)
{
    struct list c = {.arena = arena, .filter = filter};
    TRY(db_read(store_db(store), list, &c));
    *ret_page = c.page;
    return NULL;
}

struct ids {
    struct arena *arena;
    struct slice virtual_cluster_id; /* absent: all that are open */
    struct open_run *runs;
    struct slice *live;
    size_t count, cap;
};

static struct err *list_open(struct db_tx *tx, void *arg)
{
    struct ids *c = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "SELECT count(*) FROM job_run WHERE reaped = 0", &stmt));
    bool row;
    TRY(db_step(stmt, &row));
    c->cap = (size_t)db_col_i64(stmt, 0);
    c->runs = ARENA_ARRAY(c->arena, c->cap + 1, struct open_run);
    TRY(db_prepare(tx, "SELECT r.id, v.cluster" TABLES "WHERE r.reaped = 0 ORDER BY r.id", &stmt));
    for (;;) {
        TRY(db_step(stmt, &row));
        if (!row || c->count == c->cap)
            return NULL;
        c->runs[c->count++] = (struct open_run){.id = db_col_text(stmt, 0, c->arena), .cluster = db_col_text(stmt, 1, c->arena)};
    }
}

struct err *store_job_run_list_open(struct store *store, struct arena *arena, struct open_run **ret_runs, size_t *ret_count)
{
    struct ids c = {.arena = arena};
    TRY(db_read(store_db(store), list_open, &c));
    *ret_runs = c.runs;
    *ret_count = c.count;
    return NULL;
}

/* Their index is named, since every look at a virtual cluster that ends asks this: its runs on record may be many. */
#define LIVE "state IN ('PENDING', 'SUBMITTED', 'RUNNING', 'CANCEL_PENDING')"

static struct err *list_live(struct db_tx *tx, void *arg)
{
    struct ids *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT count(*) FROM job_run INDEXED BY job_run_of_state WHERE virtual_cluster_id = ? AND " LIVE, &stmt));
    db_bind_text(stmt, 1, c->virtual_cluster_id);
    TRY(db_step(stmt, &row));
    c->cap = (size_t)db_col_i64(stmt, 0);
    c->live = ARENA_ARRAY(c->arena, c->cap + 1, struct slice);
    TRY(db_prepare(tx, "SELECT id FROM job_run INDEXED BY job_run_of_state WHERE virtual_cluster_id = ? AND " LIVE " ORDER BY id", &stmt));
    db_bind_text(stmt, 1, c->virtual_cluster_id);
    for (;;) {
        TRY(db_step(stmt, &row));
        if (!row || c->count == c->cap)
            return NULL;
        c->live[c->count++] = db_col_text(stmt, 0, c->arena);
    }
}

struct err *store_job_run_list_live(struct store *store, struct arena *arena, struct slice virtual_cluster_id, struct slice **ret_ids,
                                    size_t *ret_count)
{
    struct ids c = {.arena = arena, .virtual_cluster_id = virtual_cluster_id};
    TRY(db_read(store_db(store), list_live, &c));
    *ret_ids = c.live;
    *ret_count = c.count;
    return NULL;
}
