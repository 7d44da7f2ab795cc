/* virtual_cluster: the rows of virtual clusters. States as the API has them: RUNNING, TERMINATING, TERMINATED, ARRESTED. */
#pragma once
#include "store/store.h"
#include "store/tag.h"

struct virtual_cluster {
    struct slice id; /* 25 chars 0-9a-z */
    struct slice name;
    struct slice state;
    struct slice cluster;   /* containerProvider.id */
    struct slice namespace_;
    int64_t max_concurrent_job_runs; /* schedulerConfiguration; 0: not given */
    int64_t max_in_queue_job_runs;   /* 0: not given */
    struct slice security_configuration_id; /* absent: none */
    struct instant created_at;
    struct tags tags;
};

/* token absent: no idempotency. With one that was used before for an equal request (request_sha256): *ret_id is the first one's
 * id and nothing is made; for another request ERR_CONFLICT with code "ClientToken". A live one in the namespace: ERR_CONFLICT. No such
 * security configuration: ERR_NOT_FOUND. */
struct err *store_virtual_cluster_insert(struct store *store, struct arena *arena, const struct virtual_cluster *row, struct slice resource_arn,
                                         struct slice token, struct slice request_sha256, struct slice *ret_id) NODISCARD;
/* ERR_NOT_FOUND. With tags of resource_arn's prefix + id: see tag.h. */
struct err *store_virtual_cluster_get(struct store *store, struct arena *arena, struct slice id, struct virtual_cluster *ret_row) NODISCARD;
/* Compare and set; *ret_changed false when the state was another. */
struct err *store_virtual_cluster_move(struct store *store, struct slice id, struct slice from, struct slice to, bool *ret_changed) NODISCARD;
/* Replaces both limits (0: none) of a RUNNING one. With a token that was used before nothing happens, as the API says. ERR_NOT_FOUND;
 * ERR_CONFLICT with code "VirtualClusterState" and its state as the message, or "ClientToken". */
struct virtual_cluster_limits {
    int64_t max_concurrent_job_runs, max_in_queue_job_runs;
    bool keep; /* no schedulerConfiguration was given */
};
struct err *store_virtual_cluster_update(struct store *store, struct arena *arena, struct slice id, const struct virtual_cluster_limits *limits,
                                         struct slice token, struct slice request_sha256, struct instant now) NODISCARD;

struct virtual_cluster_filter {
    struct slice cluster;           /* absent: any */
    const struct slice *states;     /* none: any */
    size_t state_count;
    bool created_after_set, created_before_set;
    struct instant created_after, created_before;
    int64_t before_sequence;        /* page: rows older than this; 0: from the newest */
    int64_t limit;
};
struct virtual_cluster_page {
    struct virtual_cluster *rows;
    size_t count;
    int64_t next_sequence; /* 0: no more */
};
struct err *store_virtual_cluster_list(struct store *store, struct arena *arena, const struct virtual_cluster_filter *filter,
                                       struct virtual_cluster_page *ret_page) NODISCARD;
