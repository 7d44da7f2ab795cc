/* store: ember.db, what several daemons will one day share: virtual clusters, job runs and their events, tags, client tokens,
 * access keys. Rows in, rows out; no rules of AWS here but uniqueness. Each function is one transaction: when it returns NULL the
 * change is on disk. Any thread. Results live in the arena given. */
#pragma once
#include "base/clock.h"
#include "base/db.h"
#include "base/err.h"

struct store;

/* Opens DATA_DIR/ember.db, made on first use. */
struct err *store_open(const char *path, struct store **ret_store) NODISCARD;
void store_close(struct store *store);
struct db *store_db(struct store *store); /* for the other files of this folder */
