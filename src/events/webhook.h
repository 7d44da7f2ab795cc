/* webhook: POSTs each event's envelope to one receiver: at least once, in the order in which things happened, one at a time; what was
 * taken (any 2xx) is on disk before the next is sent. Whatever else happens is tried again with growing pauses; meanwhile the events stay
 * where they are, in the store. Who is away, or is in trouble of his own (5xx, 408, 425, 429), is waited for as long as it takes; an event
 * that he refuses (any other status) for give_up_ms is set aside, so that those behind it come through: told, counted, and on record as
 * all are. A thread of its own; nobody waits for it. The functions here: any thread, but start and stop. */
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
    int64_t give_up_ms;  /* 0: never */
};
/* A receiver to be, of copied settings; *ret_receiver NULL: none. Nothing is sent there yet, but when it is the first one ever, delivery
 * will begin with what happens from now on. */
struct webhook_receiver;
struct err *webhook_prepare(struct webhook *webhook, const struct webhook_settings *settings, struct webhook_receiver **ret_receiver) NODISCARD;
void webhook_receiver_free(struct webhook_receiver *receiver); /* unused; NULL is fine */
/* From now on to receiver, which is the webhook's then; NULL: to nobody. What waits is tried at once. */
void webhook_use(struct webhook *webhook, struct webhook_receiver *receiver);
/* Both. */
struct err *webhook_set(struct webhook *webhook, const struct webhook_settings *settings) NODISCARD;

struct webhook_stats {
    bool on;
    uint64_t delivered, failures, set_aside; /* since the start */
    int64_t waiting;              /* events not yet delivered */
    int64_t oldest_ms;            /* how long the first of them has waited */
};
struct err *webhook_get_stats(struct webhook *webhook, struct webhook_stats *ret_stats) NODISCARD;

/* "v1=" and hex(HMAC-SHA256(secret, "TIMESTAMP.BODY")). Pure. */
struct slice webhook_signature(struct arena *arena, struct slice secret, int64_t timestamp_s, struct slice body);
