/* client: what Ember asks of a Kubernetes API server, embedded or real: REST on single objects, list-then-watch, logs.
 * Objects are struct json. Errors carry the Status: kind by code (404 NOT_FOUND, 409 CONFLICT, 401/403 DENIED, 400/422 INVALID,
 * 429/5xx/no answer UNAVAILABLE), e->code is the reason ("AlreadyExists"), e->status the HTTP code, message the server's. Every
 * call has a deadline (15 s for one object). Thread-safe. */
#pragma once
#include "base/err.h"
#include "base/json.h"

struct k8s_client;

struct k8s_client_options {
    struct slice server;     /* https://127.16.0.1:6443 */
    const char *ca_path;     /* PEM */
    const char *client_cert_path, *client_key_path; /* or */
    struct slice token;      /* bearer; absent: none */
};

struct err *k8s_client_new(const struct k8s_client_options *options, struct k8s_client **ret_client) NODISCARD;
/* From a kubeconfig's text (YAML): current-context, embedded data or files; exec plugins are refused plainly. */
struct err *k8s_client_from_kubeconfig(struct slice text, struct k8s_client **ret_client) NODISCARD;
/* Calls that run (watches and logs but those with a stop of their own too) end soon with ERR_UNAVAILABLE, as do all later ones. */
void k8s_client_interrupt(struct k8s_client *client);
void k8s_client_free(struct k8s_client *client);

/* path: "/api/v1/namespaces/ns/pods/x", may carry a query. */
struct err *k8s_get(struct k8s_client *client, struct arena *arena, struct slice path, struct json **ret_object) NODISCARD;
/* With a deadline of its own instead of the usual one. */
struct err *k8s_get_within(struct k8s_client *client, struct arena *arena, struct slice path, int timeout_ms, struct json **ret_object) NODISCARD;
struct err *k8s_create(struct k8s_client *client, struct arena *arena, struct slice path, const struct json *object, struct json **ret_object) NODISCARD;
enum k8s_patch { K8S_PATCH_MERGE, K8S_PATCH_STRATEGIC, K8S_PATCH_JSON, K8S_PATCH_APPLY };
struct err *k8s_patch(struct k8s_client *client, struct arena *arena, struct slice path, enum k8s_patch kind, const struct json *body,
                      struct json **ret_object) NODISCARD;
/* Absent is success. grace_seconds -1: the object's own. Background propagation. */
struct err *k8s_delete(struct k8s_client *client, struct arena *arena, struct slice path, int64_t grace_seconds) NODISCARD;

/* List-then-watch in a thread of its own. Events are level-triggered observations: after (re)listing, every object is told as
 * K8S_PRESENT and then K8S_SYNCED comes with a NULL object; an object that vanished meanwhile is told as K8S_GONE. On 410 it lists
 * again; errors are retried with back-off from 100 ms to 10 s and told as K8S_TROUBLE (message in e, borrowed);
 * K8S_SYNCED tells that it is over. */
enum k8s_watch_event { K8S_PRESENT, K8S_GONE, K8S_SYNCED, K8S_TROUBLE };
typedef void (*k8s_watch_fn)(void *ctx, enum k8s_watch_event event, const struct json *object, const struct err *e);
struct k8s_watch;
struct err *k8s_watch_start(struct k8s_client *client, struct slice path, struct slice label_selector, k8s_watch_fn fn, void *ctx,
                            struct k8s_watch **ret_watch) NODISCARD;
void k8s_watch_stop(struct k8s_watch *watch); /* joins the thread */

enum k8s_log_stream { K8S_LOG_ALL, K8S_LOG_STDOUT, K8S_LOG_STDERR };
struct k8s_log_options {
    struct slice namespace_name, pod, container;
    enum k8s_log_stream stream; /* STDOUT/STDERR: query parameter stream=Stdout|Stderr (feature PodLogsQuerySplitStreams) */
    bool follow;
    bool timestamps;
    struct slice since_time;    /* RFC 3339; absent: all */
};
/* Bytes go to sink as they arrive; returns at the log's end. stop: see http/client.h. An API server that can't tell the streams
 * apart (before 1.32 it ignores the parameter, later it may refuse it) gives everything as STDOUT and an empty STDERR. */
struct err *k8s_log_read(struct k8s_client *client, const struct k8s_log_options *options, struct err *(*sink)(void *ctx, struct slice data),
                         void *sink_ctx, const volatile bool *stop) NODISCARD;
