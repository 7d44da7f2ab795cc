/* logstore_internal: what the files of this folder share. */
#pragma once
#include "base/arena.h"
#include "base/db.h"
#include "base/mutex.h"
#include "logstore/logstore.h"

#include <pthread.h>

struct logstore {
    struct db *db;
    pthread_t sweeper;
    bool sweeper_started;
    struct mutex lock; /* guards stopping, sweep_wanted */
    struct condition wake;
    bool stopping, sweep_wanted;
};

struct group_row {
    int64_t id;
    int retention_days;
};
struct err *group_find(struct db_tx *tx, struct slice name, struct group_row *ret_row) NODISCARD;
struct err *stream_find(struct db_tx *tx, int64_t group, struct slice name, int64_t *ret_id) NODISCARD;
/* The oldest time that is still to be seen. */
int64_t retention_start_ms(const struct group_row *group, struct instant now, int64_t start_ms);
void logstore_wake_sweeper(struct logstore *store);
/* Deletes a bounded number of events that nobody can see any more; *ret_more when there may be others. */
struct err *logstore_sweep_some(struct logstore *store, bool *ret_more) NODISCARD;
