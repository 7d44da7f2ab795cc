/* webhook: POSTs each event's envelope to one receiver: at least once, in the order in which things happened, one at a time; what was
 * taken (any 2xx) is on disk before the next is sent. Whatever else happens is tried again with growing pauses, for ever; meanwhile the
 * events stay where they are, in the store. A thread of its own; nobody waits for it. The functions here: any thread, but start and stop. */
#pragma once
#include "events/envelope.h"

struct webhook;

struct webhook_options {
    struct store *store;
    struct event_source source; /* its texts are borrowed */
};
struct err *webhook_start(const struct webhook_options *options, struct webhook **ret_webhook) NODISCARD;
/* A call that is under way gets a moment to end. NULL is fine. */
void webhook_stop(struct webhook *webhook);

struct webhook_settings {
    const char *url;     /* NULL: nothing is delivered */
    struct slice secret; /* what bodies are signed with */
    const char *ca_path; /* whom to trust instead of the system's; NULL: the system's */
};
/* From now on; copied. What waits is tried at once. When one is set for the first time, delivery begins with what happens from then on;
 * later, with what was not delivered yet. */
struct err *webhook_set(struct webhook *webhook, const struct webhook_settings *settings) NODISCARD;

struct webhook_stats {
    bool on;
    uint64_t delivered, failures; /* since the start */
    int64_t waiting;              /* events not yet delivered */
    int64_t oldest_ms;            /* how long the first of them has waited */
};
struct err *webhook_get_stats(struct webhook *webhook, struct webhook_stats *ret_stats) NODISCARD;

/* "v1=" and hex(HMAC-SHA256(secret, "TIMESTAMP.BODY")). Pure. */
struct slice webhook_signature(struct arena *arena, struct slice secret, int64_t timestamp_s, struct slice body);
