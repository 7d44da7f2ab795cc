#include "store/store.h"
#include "base/arena.h"
#include "base/mutex.h"
#include "store/event_feed.h"
#include <stdlib.h>

struct store {
    struct db *db;
    struct mutex events_lock; /* guards the count */
    struct condition more_events;
    uint64_t event_count; /* of commits with events, and of pokes */
};

/* Forward only; a released row is never changed. */
static const char *const MIGRATIONS[] = {
    /* 1 */
    "CREATE TABLE virtual_cluster ("
    "  id TEXT PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, cluster TEXT NOT NULL, namespace TEXT NOT NULL,"
    "  scheduler_configuration TEXT, created_at INTEGER NOT NULL, sequence INTEGER NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX virtual_cluster_live ON virtual_cluster(cluster, namespace) WHERE state IN ('RUNNING','TERMINATING','ARRESTED');"
    "CREATE UNIQUE INDEX virtual_cluster_order ON virtual_cluster(sequence);"
    "CREATE TABLE job_run ("
    "  id TEXT PRIMARY KEY, virtual_cluster_id TEXT NOT NULL REFERENCES virtual_cluster(id), name TEXT, state TEXT NOT NULL,"
    "  execution_role_arn TEXT NOT NULL, release_label TEXT NOT NULL, job_driver TEXT NOT NULL, configuration_overrides TEXT,"
    "  retry_max_attempts INTEGER NOT NULL DEFAULT 0, client_token TEXT, created_by TEXT NOT NULL, created_at INTEGER NOT NULL,"
    "  finished_at INTEGER, failure_reason TEXT, state_details TEXT, attempt INTEGER NOT NULL DEFAULT 1,"
    "  launch_started_at INTEGER, driver_created_at INTEGER, driver_started_at INTEGER, outcome TEXT, outcome_at INTEGER,"
    "  reaped INTEGER NOT NULL DEFAULT 0, start_timeout_s INTEGER NOT NULL DEFAULT 900"
    ") STRICT;"
    "CREATE INDEX job_run_of_cluster ON job_run(virtual_cluster_id, id);"
    "CREATE INDEX job_run_open ON job_run(id) WHERE reaped = 0;"
    "CREATE TABLE job_run_event ("
    "  sequence INTEGER PRIMARY KEY AUTOINCREMENT, job_run_id TEXT NOT NULL REFERENCES job_run(id), at INTEGER NOT NULL,"
    "  event TEXT NOT NULL, from_state TEXT, to_state TEXT NOT NULL, details TEXT"
    ") STRICT;"
    "CREATE INDEX job_run_event_of_run ON job_run_event(job_run_id, sequence);"
    "CREATE TABLE tag (resource TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (resource, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE client_token ("
    "  operation TEXT NOT NULL, token TEXT NOT NULL, request_sha256 TEXT NOT NULL, resource_id TEXT NOT NULL, created_at INTEGER NOT NULL,"
    "  PRIMARY KEY (operation, token)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX client_token_age ON client_token(created_at);"
    "CREATE TABLE access_key ("
    "  access_key_id TEXT PRIMARY KEY, secret TEXT NOT NULL, session_token TEXT, principal_arn TEXT NOT NULL, user_id TEXT NOT NULL,"
    "  job_run_id TEXT UNIQUE, created_at INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID",
    /* 2 */
    "ALTER TABLE access_key ADD COLUMN expires_at INTEGER",
    /* 3: queues and attempts. A run has left its queue when launch_started_at is set; see job_queue.h for the rest. */
    "ALTER TABLE virtual_cluster DROP COLUMN scheduler_configuration;"
    "ALTER TABLE virtual_cluster ADD COLUMN max_concurrent_job_runs INTEGER;"
    "ALTER TABLE virtual_cluster ADD COLUMN max_in_queue_job_runs INTEGER;"
    "ALTER TABLE job_run ADD COLUMN ask_memory_bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job_run ADD COLUMN ask_cpu_millis INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job_run ADD COLUMN waits_for_room INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job_run_event ADD COLUMN attempt INTEGER;"
    "CREATE INDEX job_run_queued ON job_run(virtual_cluster_id, id) WHERE state = 'PENDING' AND launch_started_at IS NULL;"
    "CREATE INDEX job_run_wants_room ON job_run(id) WHERE waits_for_room = 1 AND state = 'PENDING' AND launch_started_at IS NULL;"
    "CREATE INDEX job_run_live ON job_run(virtual_cluster_id, state) WHERE state IN ('PENDING', 'SUBMITTED', 'RUNNING', 'CANCEL_PENDING');"
    "CREATE INDEX job_run_under_way ON job_run(virtual_cluster_id, ask_memory_bytes, ask_cpu_millis)"
    "  WHERE launch_started_at IS NOT NULL AND state IN ('PENDING', 'SUBMITTED', 'RUNNING', 'CANCEL_PENDING')",
    /* 4: documents; what the installation keeps secret for itself. */
    "CREATE TABLE document ("
    "  sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, body TEXT NOT NULL,"
    "  created_by TEXT NOT NULL, created_at INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX document_of_kind ON document(kind, sequence);"
    "CREATE TABLE secret (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "ALTER TABLE virtual_cluster ADD COLUMN security_configuration_id TEXT;"
    "CREATE INDEX virtual_cluster_secured ON virtual_cluster(security_configuration_id) WHERE security_configuration_id IS NOT NULL",
    /* 5: how far the events of job runs were delivered. */
    "CREATE TABLE event_delivery (name TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    /* 6: what a run's last attempt was launched with. */
    "CREATE TABLE job_run_configuration ("
    "  job_run_id TEXT PRIMARY KEY REFERENCES job_run(id), attempt INTEGER NOT NULL, body TEXT NOT NULL"
    ") STRICT",
    /* 7: a page of each list is read from one place of an index; see job_run.c. */
    "DROP INDEX job_run_of_cluster;"
    "DROP INDEX job_run_live;"
    "DROP INDEX document_of_kind;"
    "CREATE INDEX job_run_of_cluster ON job_run(virtual_cluster_id, created_at, id);"
    "CREATE INDEX job_run_of_state ON job_run(virtual_cluster_id, state, created_at, id);"
    "CREATE INDEX job_run_of_name ON job_run(virtual_cluster_id, name, created_at, id) WHERE name IS NOT NULL;"
    "CREATE INDEX virtual_cluster_listed ON virtual_cluster(sequence, state, cluster, created_at);"
    "CREATE INDEX document_of_kind ON document(kind, sequence, created_at)",
    /* 8: which pod the attempt's driver is. */
    "ALTER TABLE job_run ADD COLUMN driver_uid TEXT",
};

struct err *store_open(const char *path, struct store **ret_store)
{
    struct store *store = xcalloc(1, sizeof(*store));
    struct err *e = db_open(path, MIGRATIONS, ARRAY_SIZE(MIGRATIONS), &store->db);
    if (e) {
        free(store);
        return e;
    }
    mutex_init(&store->events_lock, LOCK_EVENT_FEED);
    condition_init(&store->more_events);
    *ret_store = store;
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    db_close(store->db);
    condition_deinit(&store->more_events);
    mutex_deinit(&store->events_lock);
    free(store);
}

struct db *store_db(struct store *store)
{
    return store->db;
}

/* ---- event_feed.h: being woken ---- */

void store_events_poke(struct store *store)
{
    mutex_lock(&store->events_lock);
    store->event_count++;
    condition_broadcast(&store->more_events);
    mutex_unlock(&store->events_lock);
}

uint64_t store_events_count(struct store *store)
{
    mutex_lock(&store->events_lock);
    uint64_t count = store->event_count;
    mutex_unlock(&store->events_lock);
    return count;
}

bool store_events_wait(struct store *store, uint64_t count, int64_t deadline_ms)
{
    mutex_lock(&store->events_lock);
    while (store->event_count == count && mutex_wait_until(&store->more_events, &store->events_lock, deadline_ms)) {
    }
    bool more = store->event_count != count;
    mutex_unlock(&store->events_lock);
    return more;
}
