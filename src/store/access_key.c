#include "store/access_key.h"
#include "base/arena.h"
#include "base/digest.h"

#define KEY_ALPHABET S("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
#define SECRET_ALPHABET S("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

#define COLUMNS "access_key_id, secret, session_token, principal_arn, user_id, job_run_id"

static struct access_key read_row(struct db_stmt *stmt, struct arena *arena)
{
    return (struct access_key){
        .access_key_id = db_col_text(stmt, 0, arena),
        .secret = db_col_text(stmt, 1, arena),
        .session_token = db_col_text(stmt, 2, arena),
        .principal_arn = db_col_text(stmt, 3, arena),
        .user_id = db_col_text(stmt, 4, arena),
        .job_run_id = db_col_text(stmt, 5, arena),
        .expires_at.ms = db_col_i64(stmt, 6),
    };
}

struct call {
    struct arena *arena;
    struct access_key key;
    bool found;
};

static struct err *get(struct db_tx *tx, void *arg)
{
    struct call *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT " COLUMNS ", expires_at FROM access_key WHERE access_key_id = ?", &stmt));
    db_bind_text(stmt, 1, c->key.access_key_id);
    TRY(db_step(stmt, &row));
    if (!row)
        return err_new(ERR_NOT_FOUND, "no access key %.*s", SLICE_ARG(c->key.access_key_id));
    c->key = read_row(stmt, c->arena);
    return NULL;
}

struct err *store_access_key_get(struct store *store, struct arena *arena, struct slice access_key_id, struct access_key *ret_key)
{
    struct call c = {.arena = arena, .key = {.access_key_id = access_key_id}};
    TRY(db_read(store_db(store), get, &c));
    *ret_key = c.key;
    return NULL;
}

static struct err *get_of_run(struct db_tx *tx, void *arg)
{
    struct call *c = arg;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "SELECT " COLUMNS ", expires_at FROM access_key WHERE job_run_id = ?", &stmt));
    db_bind_text(stmt, 1, c->key.job_run_id);
    TRY(db_step(stmt, &c->found));
    if (c->found)
        c->key = read_row(stmt, c->arena);
    return NULL;
}

static struct err *ensure(struct db_tx *tx, void *arg)
{
    struct call *c = arg;
    struct db_stmt *stmt;
    TRY(get_of_run(tx, c));
    if (c->found)
        return NULL;
    TRY(db_prepare(tx, "INSERT INTO access_key(" COLUMNS ", created_at) VALUES(?, ?, ?, ?, ?, ?, ?)", &stmt));
    db_bind_text(stmt, 1, c->key.access_key_id);
    db_bind_text(stmt, 2, c->key.secret);
    db_bind_text(stmt, 3, c->key.session_token);
    db_bind_text(stmt, 4, c->key.principal_arn);
    db_bind_text(stmt, 5, c->key.user_id);
    db_bind_text(stmt, 6, c->key.job_run_id);
    db_bind_i64(stmt, 7, instant_now().ms);
    return db_run(stmt);
}

struct err *store_access_key_ensure(struct store *store, struct arena *arena, struct slice job_run_id, struct slice principal_arn, struct slice user_id,
                                    struct access_key *ret_key)
{
    struct call c = {.arena = arena,
                     .key = {
                         .access_key_id = slice_fmt(arena, "ASIA%s", random_text(arena, 16, KEY_ALPHABET).ptr),
                         .secret = random_text(arena, 40, SECRET_ALPHABET),
                         .session_token = random_text(arena, 120, SECRET_ALPHABET),
                         .principal_arn = principal_arn,
                         .user_id = user_id,
                         .job_run_id = job_run_id,
                     }};
    TRY(db_read(store_db(store), get_of_run, &c)); /* it has one but for the first time */
    if (!c.found)
        TRY(db_write(store_db(store), ensure, &c));
    *ret_key = c.key;
    return NULL;
}

struct err *access_key_drop(struct db_tx *tx, struct slice job_run_id)
{
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "DELETE FROM access_key WHERE job_run_id = ?", &stmt));
    db_bind_text(stmt, 1, job_run_id);
    return db_run(stmt);
}

static struct err *drop(struct db_tx *tx, void *arg)
{
    const struct call *c = arg;
    return access_key_drop(tx, c->key.job_run_id);
}

struct err *store_access_key_remove(struct store *store, struct slice job_run_id)
{
    struct call c = {.key = {.job_run_id = job_run_id}};
    return db_write(store_db(store), drop, &c);
}
