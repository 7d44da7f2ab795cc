/* tag: tags of resources, by ARN. */
#pragma once
#include "store/store.h"

struct tag {
    struct slice key, value;
};

struct tags {
    struct tag *items; /* by key */
    size_t count;
};

/* What a client token was used for. */
struct client_token_use {
    struct slice id; /* of the resource that was made then, which may be gone by now; absent: the token is new */
    struct instant at;
};

struct err *store_tags_get(struct store *store, struct arena *arena, struct slice resource, struct tags *ret_tags) NODISCARD;
/* Of many resources at once, in one snapshot. */
struct err *store_tags_get_each(struct store *store, struct arena *arena, const struct slice *resources, size_t count, struct tags *ret_tags) NODISCARD;
/* Adds or replaces; ERR_LIMIT with code "TooManyTags" when the resource would have more than limit. */
struct err *store_tags_put(struct store *store, struct slice resource, struct tags tags, size_t limit) NODISCARD;
struct err *store_tags_remove(struct store *store, struct slice resource, const struct slice *keys, size_t count) NODISCARD;

/* What token (absent: a new one) was used for in that operation in the last day: a request that repeats it has the first one's answer,
 * whatever has become of what it names. ERR_CONFLICT with code "ClientToken": it came with another request. */
struct err *store_client_token_find(struct store *store, struct arena *arena, struct slice operation, struct slice token, struct slice request_sha256,
                                    struct instant now, struct client_token_use *ret_use) NODISCARD;

/* Inside a transaction of this folder. */
struct err *tags_insert(struct db_tx *tx, struct slice resource, struct tags tags) NODISCARD;
struct err *tags_read(struct db_tx *tx, struct arena *arena, struct slice resource, struct tags *ret_tags) NODISCARD;
/* Idempotency inside a transaction: *ret_first_id is absent when token is new (and is then recorded for id). */
struct err *client_token_claim(struct db_tx *tx, struct arena *arena, const char *operation, struct slice token, struct slice request_sha256,
                               struct slice id, struct instant now, struct slice *ret_first_id) NODISCARD;
