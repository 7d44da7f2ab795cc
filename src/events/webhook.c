#include "events/webhook.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/mutex.h"
#include "events/backoff.h"
#include "http/client.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define DELIVERY_NAME S("webhook")
#define CALL_TIMEOUT_MS 10000
#define MAX_ANSWER_BYTES ((size_t)4 << 10) /* its status is all that counts */
#define PAGE 32 /* events read at once */
#define IDLE_MS (60 * 60 * 1000) /* a new event ends it */
#define STOP_GRACE_MS 3000

/* Where to, as one set it; heap. */
struct webhook_receiver {
    char *url;
    struct slice secret;
    struct http_client *client;
    int64_t cursor; /* where delivery begins if it is the first one */
    int64_t give_up_ms;
};

struct webhook {
    struct store *store;
    struct event_source source;
    pthread_t thread;
    volatile bool interrupt; /* ends the call under way */
    struct mutex lock;       /* guards all up to cursor */
    struct condition ended;
    bool has_ended;
    bool stopping;
    bool fresh; /* next is to be taken */
    struct webhook_receiver *next;
    bool on;
    int64_t cursor; /* what was delivered; -1: nothing was ever set */
    _Atomic uint64_t delivered, failures, set_aside;
    /* the thread's own */
    struct webhook_receiver *now; /* NULL: off */
    struct backoff backoff;
    int64_t refused; /* the event that the receiver has refused each time since then; 0: none */
    int64_t refused_since_ms;
};

void webhook_receiver_free(struct webhook_receiver *receiver)
{
    if (!receiver)
        return;
    secret_wipe((char *)(uintptr_t)receiver->secret.ptr, receiver->secret.len);
    free((char *)(uintptr_t)receiver->secret.ptr);
    http_client_free(receiver->client);
    free(receiver->url);
    free(receiver);
}

static struct err *receiver_new(const struct webhook_settings *settings, struct webhook_receiver **ret_receiver)
{
    struct http_client *client;
    TRY(http_client_new(&(struct http_client_options){.ca_path = settings->ca_path}, &client));
    struct webhook_receiver *receiver = xcalloc(1, sizeof(*receiver));
    char *secret = xmalloc(settings->secret.len + 1);
    memcpy(secret, settings->secret.ptr ? settings->secret.ptr : "", settings->secret.len);
    receiver->secret = slice_of(secret, settings->secret.len);
    receiver->url = xstrdup(settings->url);
    receiver->client = client;
    receiver->give_up_ms = settings->give_up_ms;
    *ret_receiver = receiver;
    return NULL;
}

struct slice webhook_signature(struct arena *arena, struct slice secret, int64_t timestamp_s, struct slice body)
{
    uint8_t bytes[SHA256_BYTES];
    char hex[2 * SHA256_BYTES];
    hmac_sha256(secret, slice_fmt(arena, "%lld.%.*s", (long long)timestamp_s, SLICE_ARG(body)), bytes);
    hex_encode_to(hex, bytes, sizeof(bytes));
    return slice_fmt(arena, "v1=%.64s", hex);
}

/* ---- the thread ---- */

/* *ret_status: of the answer; 0: there was none. */
static struct err *post(struct webhook *webhook, struct arena *arena, const struct event_row *row, int *ret_status)
{
    struct slice body = json_to_slice(arena, event_envelope(arena, &webhook->source, row));
    int64_t timestamp_s = instant_now().ms / 1000;
    const struct http_header headers[] = {
        {.name = S("Content-Type"), .value = S("application/json")},
        {.name = S("X-Ember-Event-Id"), .value = event_id(arena, &webhook->source, row->sequence)},
        {.name = S("X-Ember-Cursor"), .value = event_cursor(arena, &webhook->source, row->sequence)},
        {.name = S("X-Ember-Attempt"), .value = slice_fmt(arena, "%lld", (long long)webhook->backoff.failures + 1)},
        {.name = S("X-Ember-Timestamp"), .value = slice_fmt(arena, "%lld", (long long)timestamp_s)},
        {.name = S("X-Ember-Signature"), .value = webhook_signature(arena, webhook->now->secret, timestamp_s, body)},
    };
    struct http_response response;
    *ret_status = 0;
    TRY(http_client_call(webhook->now->client, arena,
                         &(struct http_call){.method = S("POST"),
                                             .url = slice_from_cstr(webhook->now->url),
                                             .headers = headers,
                                             .header_count = ARRAY_SIZE(headers),
                                             .body = body,
                                             .timeout_ms = CALL_TIMEOUT_MS,
                                             .max_body_bytes = MAX_ANSWER_BYTES,
                                             .cut_body = true,
                                             .stop = &webhook->interrupt},
                         &response));
    *ret_status = response.status;
    return response.status / 100 == 2 ? NULL : err_new(ERR_UNAVAILABLE, "the receiver answered with status %d", response.status);
}

/* One sentence an outage, however long it is; the count is in /metrics. */
static void note_failure(struct webhook *webhook, struct err *e)
{
    uint32_t random;
    random_bytes(&random, sizeof(random));
    atomic_fetch_add(&webhook->failures, 1);
    if (!webhook->backoff.failures)
        log_event(WEBHOOK_TROUBLE, LOG_ERR(e));
    err_free(e);
    backoff_fail(&webhook->backoff, monotonic_ms(), random);
}

/* The next one's turn. */
static void go_on_behind(struct webhook *webhook, int64_t sequence)
{
    webhook->backoff = (struct backoff){0};
    mutex_lock(&webhook->lock);
    webhook->cursor = sequence;
    mutex_unlock(&webhook->lock);
    /* When it can't be written the next one is; only an end before that repeats what was taken. */
    struct err *e = store_delivery_advance(webhook->store, DELIVERY_NAME, sequence);
    if (e)
        log_event(WEBHOOK_TROUBLE, LOG_ERR(e));
    err_free(e);
}

static void note_delivery(struct webhook *webhook, int64_t sequence)
{
    atomic_fetch_add(&webhook->delivered, 1);
    if (webhook->backoff.failures)
        log_event(WEBHOOK_RECOVERED, LOG_INT("attempts", webhook->backoff.failures + 1));
    go_on_behind(webhook, sequence);
}

/* Does the answer speak of this event, rather than of an outage? */
static bool is_refusal(int status)
{
    return status && status / 100 != 5 && status != 408 && status != 425 && status != 429;
}

/* True: this event was refused long enough, and nothing but refused. */
static bool gives_up(struct webhook *webhook, const struct event_row *row, int status)
{
    int64_t now_ms = monotonic_ms();
    if (!is_refusal(status))
        webhook->refused = 0;
    if (!is_refusal(status) || !webhook->now->give_up_ms)
        return false;
    if (webhook->refused != row->sequence) {
        webhook->refused = row->sequence;
        webhook->refused_since_ms = now_ms;
        return false;
    }
    return now_ms - webhook->refused_since_ms >= webhook->now->give_up_ms;
}

static void set_aside(struct webhook *webhook, struct arena *arena, const struct event_row *row, int status)
{
    atomic_fetch_add(&webhook->set_aside, 1);
    log_event(WEBHOOK_SET_ASIDE, LOG_SLICE("eventId", event_id(arena, &webhook->source, row->sequence)),
              LOG_SLICE("cursor", event_cursor(arena, &webhook->source, row->sequence)), LOG_INT("status", status),
              LOG_INT("attempts", webhook->backoff.failures + 1));
    go_on_behind(webhook, row->sequence);
}

static bool is_disturbed(struct webhook *webhook)
{
    mutex_lock(&webhook->lock);
    bool disturbed = webhook->stopping || webhook->fresh;
    mutex_unlock(&webhook->lock);
    return disturbed;
}

/* Sends what there is. *ret_look_ms: when to look again at the latest. */
static struct err *deliver(struct webhook *webhook, struct arena *arena, int64_t *ret_look_ms)
{
    struct event_row *rows;
    size_t count;
    mutex_lock(&webhook->lock);
    int64_t cursor = webhook->cursor;
    mutex_unlock(&webhook->lock);
    TRY(store_events_after(webhook->store, arena, cursor, PAGE, &rows, &count));
    *ret_look_ms = count ? 0 : monotonic_ms() + IDLE_MS;
    if (!count)
        webhook->backoff = (struct backoff){0};
    for (size_t i = 0; i < count && !is_disturbed(webhook); i++) {
        int status;
        struct err *e = post(webhook, arena, &rows[i], &status);
        if (!e) {
            note_delivery(webhook, rows[i].sequence);
        } else if (gives_up(webhook, &rows[i], status)) {
            err_free(e);
            set_aside(webhook, arena, &rows[i], status);
        } else {
            return e;
        }
    }
    return NULL;
}

/* False: it is over. */
static bool take_settings(struct webhook *webhook)
{
    struct webhook_receiver *old = NULL;
    mutex_lock(&webhook->lock);
    if (webhook->fresh) {
        old = webhook->now;
        webhook->now = webhook->next;
        webhook->next = NULL;
        webhook->fresh = false;
        webhook->backoff.due_ms = 0;
    }
    bool over = webhook->stopping;
    mutex_unlock(&webhook->lock);
    webhook_receiver_free(old);
    return !over;
}

static void *deliver_main(void *arg)
{
    struct webhook *webhook = arg;
    struct arena *arena = arena_new();
    for (;;) {
        uint64_t commits = store_events_count(webhook->store);
        if (!take_settings(webhook))
            break;
        int64_t look_ms = monotonic_ms() + IDLE_MS;
        if (webhook->now && monotonic_ms() >= webhook->backoff.due_ms) {
            arena_reset(arena);
            struct err *e = deliver(webhook, arena, &look_ms);
            if (e)
                note_failure(webhook, e);
        }
        if (webhook->now && webhook->backoff.due_ms)
            look_ms = webhook->backoff.due_ms;
        if (look_ms)
            (void)store_events_wait(webhook->store, commits, look_ms);
    }
    arena_free(arena);
    mutex_lock(&webhook->lock);
    webhook->has_ended = true;
    condition_broadcast(&webhook->ended);
    mutex_unlock(&webhook->lock);
    return NULL;
}

/* ---- from outside ---- */

struct err *webhook_start(const struct webhook_options *options, struct webhook **ret_webhook)
{
    struct webhook *webhook = xcalloc(1, sizeof(*webhook));
    webhook->store = options->store;
    webhook->source = options->source;
    webhook->cursor = -1;
    mutex_init(&webhook->lock, LOCK_WEBHOOK);
    condition_init(&webhook->ended);
    int failed = pthread_create(&webhook->thread, NULL, deliver_main, webhook);
    if (failed) {
        condition_deinit(&webhook->ended);
        mutex_deinit(&webhook->lock);
        free(webhook);
        return err_errno(failed, "starting the webhook's thread");
    }
    pthread_setname_np(webhook->thread, "webhook");
    *ret_webhook = webhook;
    return NULL;
}

struct err *webhook_prepare(struct webhook *webhook, const struct webhook_settings *settings, struct webhook_receiver **ret_receiver)
{
    struct webhook_receiver *receiver = NULL;
    if (settings->url) {
        TRY(receiver_new(settings, &receiver));
        struct err *e = store_delivery_begin(webhook->store, DELIVERY_NAME, &receiver->cursor);
        if (e) {
            webhook_receiver_free(receiver);
            return e;
        }
    }
    *ret_receiver = receiver;
    return NULL;
}

void webhook_use(struct webhook *webhook, struct webhook_receiver *receiver)
{
    mutex_lock(&webhook->lock);
    struct webhook_receiver *unused = webhook->next;
    webhook->next = receiver;
    webhook->fresh = true;
    webhook->on = receiver != NULL;
    if (receiver && receiver->cursor > webhook->cursor)
        webhook->cursor = receiver->cursor;
    mutex_unlock(&webhook->lock);
    webhook_receiver_free(unused);
    store_events_poke(webhook->store);
}

struct err *webhook_set(struct webhook *webhook, const struct webhook_settings *settings)
{
    struct webhook_receiver *receiver;
    TRY(webhook_prepare(webhook, settings, &receiver));
    webhook_use(webhook, receiver);
    return NULL;
}

struct err *webhook_get_stats(struct webhook *webhook, struct webhook_stats *ret_stats)
{
    struct webhook_stats stats = {.delivered = atomic_load(&webhook->delivered), .failures = atomic_load(&webhook->failures),
                                  .set_aside = atomic_load(&webhook->set_aside)};
    struct instant oldest = {0};
    mutex_lock(&webhook->lock);
    stats.on = webhook->on;
    int64_t cursor = webhook->cursor;
    mutex_unlock(&webhook->lock);
    if (stats.on)
        TRY(store_events_behind(webhook->store, cursor, &stats.waiting, &oldest));
    if (stats.waiting) {
        int64_t age_ms = instant_now().ms - oldest.ms;
        stats.oldest_ms = age_ms > 0 ? age_ms : 0;
    }
    *ret_stats = stats;
    return NULL;
}

void webhook_stop(struct webhook *webhook)
{
    if (!webhook)
        return;
    int64_t deadline_ms = monotonic_ms() + STOP_GRACE_MS;
    mutex_lock(&webhook->lock);
    webhook->stopping = true;
    mutex_unlock(&webhook->lock);
    store_events_poke(webhook->store);
    mutex_lock(&webhook->lock);
    while (!webhook->has_ended && mutex_wait_until(&webhook->ended, &webhook->lock, deadline_ms)) {
    }
    mutex_unlock(&webhook->lock);
    __atomic_store_n(&webhook->interrupt, true, __ATOMIC_RELAXED);
    pthread_join(webhook->thread, NULL);
    webhook_receiver_free(webhook->now);
    webhook_receiver_free(webhook->next);
    condition_deinit(&webhook->ended);
    mutex_deinit(&webhook->lock);
    free(webhook);
}
