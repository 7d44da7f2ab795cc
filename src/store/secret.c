#include "store/secret.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"

struct call {
    struct arena *arena;
    struct slice name, fresh, hex;
};

static struct err *ensure(struct db_tx *tx, void *arg)
{
    struct call *c = arg;
    struct db_stmt *stmt;
    bool row;
    TRY(db_prepare(tx, "INSERT INTO secret(name, value) VALUES(?, ?) ON CONFLICT DO NOTHING", &stmt));
    db_bind_text(stmt, 1, c->name);
    db_bind_text(stmt, 2, c->fresh);
    TRY(db_run(stmt));
    TRY(db_prepare(tx, "SELECT value FROM secret WHERE name = ?", &stmt));
    db_bind_text(stmt, 1, c->name);
    TRY(db_step(stmt, &row));
    c->hex = row ? db_col_text(stmt, 0, c->arena) : SLICE_NONE;
    return NULL;
}

struct err *store_secret(struct store *store, struct arena *arena, struct slice name, struct slice *ret_hex)
{
    uint8_t bytes[32];
    random_bytes(bytes, sizeof(bytes));
    struct call c = {.arena = arena, .name = name, .fresh = hex_encode(arena, slice_of((const char *)bytes, sizeof(bytes)))};
    secret_wipe(bytes, sizeof(bytes));
    TRY(db_write(store_db(store), ensure, &c));
    *ret_hex = c.hex;
    return NULL;
}
