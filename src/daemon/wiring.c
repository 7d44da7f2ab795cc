/* wiring: see the header. The endpoint comes first, since the reconciler and its pods must know its port; requests wait at its
 * door until all stands. In the other direction it goes late, since the last logs of jobs are shipped through it. */
#include "daemon/wiring.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mutex.h"
#include "cluster/cluster.h"
#include "daemon/collect.h"
#include "edge/access_log.h"
#include "edge/edge.h"
#include "edge/metrics.h"
#include "events/feed.h"
#include "events/webhook.h"
#include "http/server.h"
#include "jobs/reconciler.h"
#include "logstore/logstore.h"
#include "objects/objects.h"
#include "services/call.h"
#include "store/secret.h"
#include "store/store.h"
#include <stdlib.h>
#include <string.h>

#define LOCAL_CLUSTER S("local")
#define WORKERS 64
#define INTERNAL_WORKERS 8
#define CONTROL_GRACE_MS 5000
#define SERVER_GRACE_MS 5000
#define MAX_TOKEN_FILE_BYTES 4096

/* A cluster's API client; made on first use, and again when another cluster has the name; kept until the daemon stops, as steps and log
 * readers may still hold it. */
struct connection {
    struct connection *next;
    struct slice cluster, driver_master, server, ca_pem;
    struct k8s_client *client;
};

struct daemon {
    struct arena *arena;
    const struct config *config;
    struct store *store;
    struct access_log *access_log;
    struct metrics *metrics;
    struct edge *edge;
    struct http_server *server, *internal_server; /* internal: see start_internal_server; NULL when the first one serves for both */
    struct objects *objects;
    struct logstore *logstore;
    struct clusters *clusters;
    struct reconciler *reconciler;
    struct feed *feed;
    struct webhook *webhook;
    struct slice endpoint, internal_endpoint;
    struct parts parts;
    struct mutex connections_lock; /* guards the list and arena while the daemon runs */
    struct arena *connections_arena; /* under connections_lock: what the reconciler's threads connect to */
    struct connection *connections;
};

static char *path_in(struct daemon *daemon, const char *name)
{
    return slice_cstr(daemon->arena, slice_fmt(daemon->arena, "%s/%s", daemon->config->data_dir, name));
}

static struct err *connect_locked(struct daemon *daemon, struct slice cluster, const struct connection **ret_connection)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct cluster_view view;
    struct slice kubeconfig;
    TRY(cluster_get(daemon->clusters, arena, cluster, &view));
    for (struct connection *c = daemon->connections; c; c = c->next)
        if (slice_eq(c->cluster, cluster) && slice_eq(c->server, view.server) && slice_eq(c->ca_pem, view.ca_pem)) {
            *ret_connection = c;
            return NULL;
        }
    TRY(cluster_kubeconfig(daemon->clusters, arena, cluster, &kubeconfig));
    struct k8s_client *client;
    TRY(k8s_client_from_kubeconfig(kubeconfig, &client));
    struct connection *connection = ARENA_NEW(daemon->connections_arena, struct connection);
    *connection = (struct connection){
        .next = daemon->connections,
        .cluster = slice_dup(daemon->connections_arena, cluster),
        .driver_master = slice_dup(daemon->connections_arena, view.driver_master),
        .server = slice_dup(daemon->connections_arena, view.server),
        .ca_pem = slice_dup(daemon->connections_arena, view.ca_pem),
        .client = client,
    };
    daemon->connections = connection;
    *ret_connection = connection;
    return NULL;
}

/* reconciler_options.connect */
static struct err *connect_cluster(void *ctx, struct slice cluster, struct reconciler_cluster *ret_cluster)
{
    struct daemon *daemon = ctx;
    const struct connection *connection = NULL;
    mutex_lock(&daemon->connections_lock);
    struct err *e = connect_locked(daemon, cluster, &connection);
    mutex_unlock(&daemon->connections_lock);
    if (e)
        return e;
    *ret_cluster = (struct reconciler_cluster){.client = connection->client, .driver_master = connection->driver_master, .one_machine = true};
    return NULL;
}

static struct err *listen_internally(struct daemon *daemon, uint16_t port)
{
    return http_server_start(&(struct http_server_options){.address = "127.0.0.1",
                                                           .port = port,
                                                           .handler = edge_handle,
                                                           .refuse = edge_refuse,
                                                           .ctx = daemon->edge,
                                                           .worker_count = INTERNAL_WORKERS,
                                                           .name = "http-internal"},
                             &daemon->internal_server);
}

/* Pods and log shipping cannot know whether an operator's certificate is good for this address, or who signed it. So beside TLS the same
 * edge listens in clear on loopback, for them alone; who asks there still shows a signature. Pods outlive the daemon with this address
 * in their environment, so it is kept: the file says which port it was. */
static struct err *start_internal_server(struct daemon *daemon)
{
    daemon->internal_endpoint = daemon->endpoint;
    if (!daemon->config->tls_cert)
        return NULL;
    char *path = path_in(daemon, "internal-port");
    struct slice text;
    int64_t port = 0;
    struct err *e = file_read(daemon->arena, path, 32, &text);
    if (!e && !slice_to_i64(slice_trim(text), 1, 65535, &port))
        port = 0;
    err_free(e);
    e = listen_internally(daemon, (uint16_t)port);
    if (e && port) {
        err_free(e); /* somebody took it meanwhile */
        e = listen_internally(daemon, 0);
    }
    TRY(e);
    unsigned found = http_server_port(daemon->internal_server);
    daemon->internal_endpoint = slice_fmt(daemon->arena, "http://127.0.0.1:%u", found);
    return found == port ? NULL : file_write_atomic(path, slice_fmt(daemon->arena, "%u\n", found), 0600);
}

static struct err *start_server(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    TRY(http_server_start(&(struct http_server_options){.address = config->address,
                                                        .port = config->port,
                                                        .handler = edge_handle,
                                                        .refuse = edge_refuse,
                                                        .ctx = daemon->edge,
                                                        .worker_count = WORKERS,
                                                        .tls_cert_path = config->tls_cert,
                                                        .tls_key_path = config->tls_key},
                          &daemon->server));
    bool v6 = strchr(config->address, ':') != NULL;
    daemon->endpoint = slice_fmt(daemon->arena, "%s://%s%s%s:%u", config->tls_cert ? "https" : "http", v6 ? "[" : "", config->address,
                                 v6 ? "]" : "", (unsigned)http_server_port(daemon->server));
    return start_internal_server(daemon);
}

/* The admin's kubeconfig as a file, for `ember kubeconfig`. */
static struct err *write_kubeconfig(struct daemon *daemon, struct slice name)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice yaml;
    TRY(cluster_kubeconfig(daemon->clusters, arena, name, &yaml));
    return file_write_atomic(slice_cstr(arena, slice_fmt(arena, "%s/clusters/%.*s/kubeconfig", daemon->config->data_dir, SLICE_ARG(name))),
                             yaml, 0600);
}

static struct err *start_clusters(struct daemon *daemon, const struct installation *installation)
{
    TRY(clusters_open(&(struct clusters_options){.data_dir = slice_from_cstr(daemon->config->data_dir),
                                                 .runner_path = installation->runner_path,
                                                 .releases_dir = installation->spark_dir,
                                                 .python_path = installation->python_path,
                                                 .archives_dir = installation->archives_dir},
                      &daemon->clusters));
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct cluster_view *views;
    size_t count;
    TRY(cluster_list(daemon->clusters, arena, &views, &count));
    if (count == 0) {
        TRY(cluster_create(daemon->clusters, &(struct cluster_spec){.name = LOCAL_CLUSTER, .node_count = daemon->config->node_count}));
        TRY(cluster_list(daemon->clusters, arena, &views, &count));
    }
    for (size_t i = 0; i < count; i++)
        if (!views[i].problem.len)
            TRY(write_kubeconfig(daemon, views[i].name));
    return NULL;
}

static void collect(void *ctx, struct strbuf *out)
{
    struct daemon *daemon = ctx;
    collect_metrics(&(struct collect_sources){.server = daemon->server,
                                              .internal_server = daemon->internal_server,
                                              .store = daemon->store,
                                              .reconciler = daemon->reconciler,
                                              .access_log = daemon->access_log,
                                              .webhook = daemon->webhook},
                    out);
}

/* edge_options.events */
static struct err *read_events(void *ctx, struct arena *arena, const struct edge_events_question *question, struct slice *ret_json)
{
    struct daemon *daemon = ctx;
    struct json *page;
    _Static_assert(EDGE_EVENTS_LIMIT_MAX <= FEED_LIMIT_MAX && EDGE_EVENTS_WAIT_MAX_S * 1000 <= FEED_WAIT_MAX_MS, "the door is no wider than the feed");
    TRY(feed_read(daemon->feed, arena, &(struct feed_question){.after = question->after, .limit = question->limit, .wait_ms = question->wait_ms}, &page));
    *ret_json = json_to_slice(arena, page);
    return NULL;
}

static struct err *start_events(struct daemon *daemon)
{
    struct slice key;
    TRY(store_secret(daemon->store, daemon->arena, S("event-key"), &key));
    const struct event_source source = {.account_id = daemon->config->account_id, .region = daemon->config->region, .key = key};
    daemon->feed = feed_new(daemon->store, &source);
    return webhook_start(&(struct webhook_options){.store = daemon->store, .source = source}, &daemon->webhook);
}

/* What is in the file without blanks around it; ret_text: to be wiped. path NULL: absent, both. */
static struct err *read_token(struct arena *arena, const char *path, struct slice *ret_text, struct slice *ret_token)
{
    struct slice text = SLICE_NONE;
    if (path)
        TRY(file_read(arena, path, MAX_TOKEN_FILE_BYTES, &text));
    *ret_text = text;
    *ret_token = slice_trim(text);
    return text.ptr && !ret_token->len ? err_new(ERR_INVALID, "%s is empty", path) : NULL;
}

/* What can go wrong of a change has gone well, and nothing was changed yet. */
struct change {
    struct arena *arena;
    struct slice token_text, secret_text; /* to be wiped */
    struct slice token;
    struct webhook_receiver *receiver;
    struct access_log_place *place;
};

static void change_deinit(struct change *change)
{
    secret_wipe((char *)(uintptr_t)change->token_text.ptr, change->token_text.len);
    secret_wipe((char *)(uintptr_t)change->secret_text.ptr, change->secret_text.len);
    webhook_receiver_free(change->receiver);
    access_log_place_close(change->place);
    arena_free(change->arena);
}

static struct err *prepare_change(struct daemon *daemon, const struct config *config, struct change *change)
{
    struct slice secret;
    TRY(read_token(change->arena, config->metrics_token_file, &change->token_text, &change->token));
    TRY(read_token(change->arena, config->webhook_secret_file, &change->secret_text, &secret));
    TRY(access_log_place_open(config->access_log, &change->place));
    const struct webhook_settings settings = {.url = config->webhook_url,
                                              .secret = secret,
                                              .ca_path = config->webhook_ca_file,
                                              .give_up_ms = config->webhook_give_up_minutes * 60000};
    TRY(webhook_prepare(daemon->webhook, &settings, &change->receiver));
    /* The last thing that can fail, and changes nothing when it does. At the start the server has read its certificate by itself. */
    return daemon->server && daemon->config->tls_cert ? http_server_reload_tls(daemon->server, NULL, NULL) : NULL;
}

static void make_change(struct daemon *daemon, const struct config *config, struct change *change)
{
    edge_set_metrics_token(daemon->edge, change->token);
    webhook_use(daemon->webhook, STEAL(change->receiver));
    access_log_use(daemon->access_log, STEAL(change->place), config->access_log_max_mib << 20);
    edge_set_limits(daemon->edge, &(struct edge_limits){
                                      .principal = {config->rate_limit * 60, config->rate_limit_burst},
                                      .writes = {config->write_limit * 60, config->write_limit_burst},
                                      .job = {config->job_rate_limit * 60, config->job_rate_limit * 2},
                                      .auth_failure = {config->auth_failure_limit, config->auth_failure_burst},
                                      .auth_failure_loopback = config->auth_failure_loopback,
                                  });
    log_set_level(config->log_level);
}

struct err *daemon_apply(struct daemon *daemon, const struct config *config)
{
    struct change change = {.arena = arena_new()};
    struct err *e = prepare_change(daemon, config, &change);
    if (!e)
        make_change(daemon, config, &change);
    change_deinit(&change);
    return e;
}

static struct err *start_parts(struct daemon *daemon, const struct root_key *key, const struct installation *installation)
{
    const struct config *config = daemon->config;
    TRY(store_open(path_in(daemon, "ember.db"), &daemon->store));
    daemon->access_log = access_log_new();
    daemon->metrics = metrics_new();
    daemon->edge = edge_new(&(struct edge_options){.account_id = config->account_id,
                                                   .region = config->region,
                                                   .root_access_key_id = key->access_key_id,
                                                   .root_secret = key->secret,
                                                   .store = daemon->store,
                                                   .access_log = daemon->access_log,
                                                   .metrics = daemon->metrics,
                                                   .collect = collect,
                                                   .events = read_events,
                                                   .collect_ctx = daemon});
    TRY(start_events(daemon));
    TRY(daemon_apply(daemon, config));
    TRY(start_server(daemon));
    TRY(objects_open(path_in(daemon, "objects"), &daemon->objects));
    TRY(logstore_open(path_in(daemon, "logs"), &daemon->logstore));
    TRY(start_clusters(daemon, installation));
    char *spool = path_in(daemon, "logs/spool");
    TRY(dir_make(spool, 0700));
    struct slice page_token_key;
    TRY(store_secret(daemon->store, daemon->arena, S("page-token-key"), &page_token_key));
    TRY(reconciler_start(&(struct reconciler_options){.store = daemon->store,
                                                      .connect = connect_cluster,
                                                      .connect_ctx = daemon,
                                                      .account_id = config->account_id,
                                                      .region = config->region,
                                                      .endpoint = daemon->internal_endpoint,
                                                      .installed = installation->sparks,
                                                      .installed_count = installation->spark_count,
                                                      .strict_releases = config->strict_releases,
                                                      .spool_dir = slice_from_cstr(spool)},
                         &daemon->reconciler));
    daemon->parts = (struct parts){
        .store = daemon->store,
        .page_token_key = page_token_key,
        .reconciler = daemon->reconciler,
        .objects = daemon->objects,
        .logstore = daemon->logstore,
        .clusters = daemon->clusters,
        .account_id = config->account_id,
        .region = config->region,
        .endpoint = daemon->endpoint,
    };
    return NULL;
}

struct err *daemon_start(const struct config *config, const struct root_key *key, const struct installation *installation,
                         struct daemon **ret_daemon)
{
    struct daemon *daemon = xcalloc(1, sizeof(*daemon));
    daemon->arena = arena_new();
    daemon->connections_arena = arena_new();
    daemon->config = config;
    mutex_init(&daemon->connections_lock, LOCK_CONNECTIONS);
    struct err *e = start_parts(daemon, key, installation);
    if (e) {
        daemon_stop(daemon);
        return e;
    }
    *ret_daemon = daemon;
    return NULL;
}

void daemon_open(struct daemon *daemon)
{
    edge_open(daemon->edge, &daemon->parts);
}

struct slice daemon_endpoint(const struct daemon *daemon)
{
    return daemon->endpoint;
}

void daemon_stop(struct daemon *daemon)
{
    if (!daemon)
        return;
    feed_end_waits(daemon->feed);
    if (daemon->edge)
        while (!edge_close_control(daemon->edge, CONTROL_GRACE_MS)) {
            /* They use what is about to go. Their own deadlines end them; the limit of the whole stop is main's. */
        }
    reconciler_stop(daemon->reconciler);
    webhook_stop(daemon->webhook);
    for (struct connection *c = daemon->connections; c; c = c->next)
        k8s_client_free(c->client);
    if (daemon->clusters)
        clusters_close(daemon->clusters);
    if (daemon->server)
        http_server_stop(daemon->server, SERVER_GRACE_MS);
    if (daemon->internal_server)
        http_server_stop(daemon->internal_server, SERVER_GRACE_MS);
    edge_free(daemon->edge);
    feed_free(daemon->feed);
    access_log_free(daemon->access_log);
    metrics_free(daemon->metrics);
    logstore_close(daemon->logstore);
    objects_close(daemon->objects);
    store_close(daemon->store);
    mutex_deinit(&daemon->connections_lock);
    arena_free(daemon->connections_arena);
    arena_free(daemon->arena);
    free(daemon);
}
