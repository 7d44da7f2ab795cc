/* access_key: keys that sign requests. The root key is in the data dir's root-credentials, not here; these are sessions: one for
 * each job run (S3 and Logs only; made before its launch, removed when nothing of the run is left). */
#pragma once
#include "base/clock.h"
#include "store/store.h"

struct access_key {
    struct slice access_key_id; /* ASIA… */
    struct slice secret;        /* never logged */
    struct slice session_token;
    struct slice principal_arn;
    struct slice user_id;
    struct slice job_run_id;
    struct instant expires_at; /* ms 0: never */
};

struct err *store_access_key_get(struct store *store, struct arena *arena, struct slice access_key_id, struct access_key *ret_key) NODISCARD; /* ERR_NOT_FOUND */
/* The run's key; made when it has none yet: repeated calls give the same one. */
struct err *store_access_key_ensure(struct store *store, struct arena *arena, struct slice job_run_id, struct slice principal_arn, struct slice user_id,
                                    struct access_key *ret_key) NODISCARD;
struct err *store_access_key_remove(struct store *store, struct slice job_run_id) NODISCARD;
/* Inside a transaction. */
struct err *access_key_drop(struct db_tx *tx, struct slice job_run_id) NODISCARD;
