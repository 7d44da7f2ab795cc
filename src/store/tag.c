#include "store/tag.h"
#include "base/arena.h"

#define CLIENT_TOKEN_KEPT_MS ((int64_t)24 * 3600 * 1000) /* emr-containers: remembered for a day */

struct err *tags_insert(struct db_tx *tx, struct slice resource, struct tags tags)
{
    for (size_t i = 0; i < tags.count; i++) {
        struct db_stmt *stmt;
        TRY(db_prepare(tx, "INSERT INTO tag(resource, key, value) VALUES(?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value", &stmt));
        db_bind_text(stmt, 1, resource);
        db_bind_text(stmt, 2, tags.items[i].key);
        db_bind_text(stmt, 3, tags.items[i].value.ptr ? tags.items[i].value : S(""));
        TRY(db_run(stmt));
    }
    return NULL;
}

static struct err *count_tags(struct db_tx *tx, struct slice resource, size_t *ret_count)
{
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT count(*) FROM tag WHERE resource = ?", &stmt));
    db_bind_text(stmt, 1, resource);
    TRY(db_step(stmt, &row));
    *ret_count = row ? (size_t)db_col_i64(stmt, 0) : 0;
    return NULL;
}

struct err *tags_read(struct db_tx *tx, struct arena *arena, struct slice resource, struct tags *ret_tags)
{
    struct tags tags = {0};
    size_t cap = 0;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "SELECT key, value FROM tag WHERE resource = ? ORDER BY key", &stmt));
    db_bind_text(stmt, 1, resource);
    for (bool row;;) {
        TRY(db_step(stmt, &row));
        if (!row)
            break;
        if (tags.count == cap) {
            struct tag *more = ARENA_ARRAY(arena, cap ? cap * 2 : 4, struct tag);
            for (size_t i = 0; i < tags.count; i++)
                more[i] = tags.items[i];
            tags.items = more;
            cap = cap ? cap * 2 : 4;
        }
        tags.items[tags.count++] = (struct tag){.key = db_col_text(stmt, 0, arena), .value = db_col_text(stmt, 1, arena)};
    }
    *ret_tags = tags;
    return NULL;
}

struct call {
    struct slice resource;
    struct tags tags;
    size_t limit;
    const struct slice *keys;
    size_t key_count;
};

struct each {
    struct arena *arena;
    const struct slice *resources;
    size_t count;
    struct tags *tags;
};

static struct err *get_each(struct db_tx *tx, void *arg)
{
    struct each *c = arg;
    for (size_t i = 0; i < c->count; i++)
        TRY(tags_read(tx, c->arena, c->resources[i], &c->tags[i]));
    return NULL;
}

struct err *store_tags_get_each(struct store *store, struct arena *arena, const struct slice *resources, size_t count, struct tags *ret_tags)
{
    struct each c = {.arena = arena, .resources = resources, .count = count, .tags = ret_tags};
    return db_read(store_db(store), get_each, &c);
}

struct err *store_tags_get(struct store *store, struct arena *arena, struct slice resource, struct tags *ret_tags)
{
    return store_tags_get_each(store, arena, &resource, 1, ret_tags);
}

static struct err *put(struct db_tx *tx, void *arg)
{
    struct call *c = arg;
    size_t count;
    TRY(tags_insert(tx, c->resource, c->tags));
    TRY(count_tags(tx, c->resource, &count));
    if (count > c->limit)
        return err_code(ERR_LIMIT, "TooManyTags", "%zu tags, more than %zu", count, c->limit);
    return NULL;
}

struct err *store_tags_put(struct store *store, struct slice resource, struct tags tags, size_t limit)
{
    struct call c = {.resource = resource, .tags = tags, .limit = limit};
    return db_write(store_db(store), put, &c);
}

static struct err *drop(struct db_tx *tx, void *arg)
{
    struct call *c = arg;
    for (size_t i = 0; i < c->key_count; i++) {
        struct db_stmt *stmt;
        TRY(db_prepare(tx, "DELETE FROM tag WHERE resource = ? AND key = ?", &stmt));
        db_bind_text(stmt, 1, c->resource);
        db_bind_text(stmt, 2, c->keys[i]);
        TRY(db_run(stmt));
    }
    return NULL;
}

struct err *store_tags_remove(struct store *store, struct slice resource, const struct slice *keys, size_t count)
{
    struct call c = {.resource = resource, .keys = keys, .key_count = count};
    return db_write(store_db(store), drop, &c);
}

struct token {
    struct arena *arena;
    struct slice operation, token, request_sha256;
    struct instant now;
    struct client_token_use use;
};

static struct err *find_token(struct db_tx *tx, void *arg)
{
    struct token *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "SELECT resource_id, request_sha256, created_at FROM client_token WHERE operation = ? AND token = ? AND created_at >= ?", &stmt));
    db_bind_text(stmt, 1, c->operation);
    db_bind_text(stmt, 2, c->token);
    db_bind_i64(stmt, 3, c->now.ms - CLIENT_TOKEN_KEPT_MS);
    TRY(db_step(stmt, &row));
    if (!row)
        return NULL;
    if (!slice_eq(db_col_text(stmt, 1, c->arena), c->request_sha256))
        return err_code(ERR_CONFLICT, "ClientToken", "the client token %.*s was used with other parameters", SLICE_ARG(c->token));
    c->use = (struct client_token_use){.id = db_col_text(stmt, 0, c->arena), .at = {.ms = db_col_i64(stmt, 2)}};
    return NULL;
}

struct err *store_client_token_find(struct store *store, struct arena *arena, struct slice operation, struct slice token, struct slice request_sha256,
                                    struct instant now, struct client_token_use *ret_use)
{
    struct token c = {.arena = arena, .operation = operation, .token = token, .request_sha256 = request_sha256, .now = now};
    if (token.ptr)
        TRY(db_read(store_db(store), find_token, &c));
    *ret_use = c.use;
    return NULL;
}

struct err *client_token_claim(struct db_tx *tx, struct arena *arena, const char *operation, struct slice token, struct slice request_sha256,
                               struct slice id, struct instant now, struct slice *ret_first_id)
{
    struct token c = {.arena = arena, .operation = slice_from_cstr(operation), .token = token, .request_sha256 = request_sha256, .now = now};
    *ret_first_id = SLICE_NONE;
    if (!token.ptr)
        return NULL;
    struct db_stmt *stmt;
    TRY(db_prepare(tx, "DELETE FROM client_token WHERE created_at < ?", &stmt));
    db_bind_i64(stmt, 1, now.ms - CLIENT_TOKEN_KEPT_MS);
    TRY(db_run(stmt));
    TRY(find_token(tx, &c));
    *ret_first_id = c.use.id;
    if (c.use.id.ptr)
        return NULL;
    TRY(db_prepare(tx, "INSERT INTO client_token(operation, token, request_sha256, resource_id, created_at) VALUES(?, ?, ?, ?, ?)", &stmt));
    db_bind_text(stmt, 1, c.operation);
    db_bind_text(stmt, 2, token);
    db_bind_text(stmt, 3, request_sha256);
    db_bind_text(stmt, 4, id);
    db_bind_i64(stmt, 5, now.ms);
    return db_run(stmt);
}
