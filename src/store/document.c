#include "store/document.h"
#include "base/arena.h"

static struct slice kind_name(enum document_kind kind)
{
    switch (kind) {
    case DOCUMENT_JOB_TEMPLATE:
        return S("JobTemplate");
    case DOCUMENT_SECURITY_CONFIGURATION:
        return S("SecurityConfiguration");
    }
    return S("");
}

/* Names of operations that client tokens belong to. */
static const char *create_operation(enum document_kind kind)
{
    switch (kind) {
    case DOCUMENT_JOB_TEMPLATE:
        return "CreateJobTemplate";
    case DOCUMENT_SECURITY_CONFIGURATION:
        return "CreateSecurityConfiguration";
    }
    return "";
}

struct insert {
    struct arena *arena;
    const struct document *row;
    struct slice resource_arn, token, request_sha256, first_id;
};

static struct err *insert(struct db_tx *tx, void *arg)
{
    struct insert *c = arg;
    const struct document *d = c->row;
    TRY(client_token_claim(tx, c->arena, create_operation(d->kind), c->token, c->request_sha256, d->id, d->created_at, &c->first_id));
    if (c->first_id.ptr)
        return NULL;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "INSERT INTO document(kind, id, name, body, created_by, created_at) VALUES(?, ?, ?, ?, ?, ?)", &stmt));
    db_bind_text(stmt, 1, kind_name(d->kind));
    db_bind_text(stmt, 2, d->id);
    db_bind_text(stmt, 3, d->name);
    db_bind_text(stmt, 4, d->body);
    db_bind_text(stmt, 5, d->created_by);
    db_bind_i64(stmt, 6, d->created_at.ms);
    TRY(db_run(stmt));
    return tags_insert(tx, c->resource_arn, d->tags);
}

struct err *store_document_insert(struct store *store, struct arena *arena, const struct document *row, struct slice resource_arn,
                                  struct slice token, struct slice request_sha256, struct slice *ret_id)
{
    struct insert c = {.arena = arena, .row = row, .resource_arn = resource_arn, .token = token, .request_sha256 = request_sha256};
    TRY(db_write(store_db(store), insert, &c));
    *ret_id = c.first_id.ptr ? c.first_id : row->id;
    return NULL;
}

#define COLUMNS "id, name, body, created_by, created_at, sequence"

static struct document read_row(struct db_stmt *stmt, struct arena *arena, enum document_kind kind)
{
    return (struct document){
        .kind = kind,
        .id = db_col_text(stmt, 0, arena),
        .name = db_col_text(stmt, 1, arena),
        .body = db_col_text(stmt, 2, arena),
        .created_by = db_col_text(stmt, 3, arena),
        .created_at = {.ms = db_col_i64(stmt, 4)},
        .sequence = db_col_i64(stmt, 5),
    };
}

struct get {
    struct arena *arena;
    enum document_kind kind;
    struct slice id;
    struct document row;
};

static struct err *get(struct db_tx *tx, void *arg)
{
    struct get *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT " COLUMNS " FROM document WHERE kind = ? AND id = ?", &stmt));
    db_bind_text(stmt, 1, kind_name(c->kind));
    db_bind_text(stmt, 2, c->id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_NOT_FOUND, "no %.*s %.*s", SLICE_ARG(kind_name(c->kind)), SLICE_ARG(c->id));
    c->row = read_row(stmt, c->arena, c->kind);
    return NULL;
}

struct err *store_document_get(struct store *store, struct arena *arena, enum document_kind kind, struct slice id, struct document *ret_row)
{
    struct get c = {.arena = arena, .kind = kind, .id = id};
    TRY(db_read(store_db(store), get, &c));
    *ret_row = c.row;
    return NULL;
}

struct drop {
    enum document_kind kind;
    struct slice id, resource_arn;
};

static struct err *drop(struct db_tx *tx, void *arg)
{
    const struct drop *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT 1 FROM virtual_cluster WHERE security_configuration_id = ? AND state <> 'TERMINATED' LIMIT 1", &stmt));
    db_bind_text(stmt, 1, c->id);
    TRY(db_step(stmt, &row));
    if (row)
        return err_code(ERR_CONFLICT, "InUse", "%.*s %.*s is in use", SLICE_ARG(kind_name(c->kind)), SLICE_ARG(c->id));
    TRY(db_prepare(tx, "DELETE FROM document WHERE kind = ? AND id = ?", &stmt));
    db_bind_text(stmt, 1, kind_name(c->kind));
    db_bind_text(stmt, 2, c->id);
    TRY(db_run(stmt));
    if (!db_changes(tx))
        return err_new(ERR_NOT_FOUND, "no %.*s %.*s", SLICE_ARG(kind_name(c->kind)), SLICE_ARG(c->id));
    TRY(db_prepare(tx, "DELETE FROM tag WHERE resource = ?", &stmt));
    db_bind_text(stmt, 1, c->resource_arn);
    return db_run(stmt);
}

struct err *store_document_delete(struct store *store, enum document_kind kind, struct slice id, struct slice resource_arn)
{
    struct drop c = {.kind = kind, .id = id, .resource_arn = resource_arn};
    return db_write(store_db(store), drop, &c);
}

struct list {
    struct arena *arena;
    const struct document_filter *filter;
    struct document_page page;
};

static struct err *list(struct db_tx *tx, void *arg)
{
    struct list *c = arg;
    const struct document_filter *f = c->filter;
    struct db_stmt *stmt;
    TRY(db_prepare(tx,
                   "SELECT " COLUMNS " FROM document WHERE kind = ? AND sequence < ? AND created_at > ? AND created_at < ?"
                   " ORDER BY sequence DESC LIMIT ?",
                   &stmt));
    db_bind_text(stmt, 1, kind_name(f->kind));
    db_bind_i64(stmt, 2, f->before_sequence ? f->before_sequence : INT64_MAX);
    db_bind_i64(stmt, 3, f->created_after_set ? f->created_after.ms : INT64_MIN);
    db_bind_i64(stmt, 4, f->created_before_set ? f->created_before.ms : INT64_MAX);
    db_bind_i64(stmt, 5, f->limit + 1);
    c->page = (struct document_page){.rows = ARENA_ARRAY(c->arena, (size_t)f->limit, struct document)};
    for (bool row;;) {
        TRY(db_step(stmt, &row));
        if (!row)
            return NULL;
        if ((int64_t)c->page.count == f->limit) {
            c->page.next_sequence = c->page.rows[c->page.count - 1].sequence;
            return NULL;
        }
        c->page.rows[c->page.count++] = read_row(stmt, c->arena, f->kind);
    }
}

struct err *store_document_list(struct store *store, struct arena *arena, const struct document_filter *filter, struct document_page *ret_page)
{
    struct list c = {.arena = arena, .filter = filter};
    TRY(db_read(store_db(store), list, &c));
    *ret_page = c.page;
    return NULL;
}
