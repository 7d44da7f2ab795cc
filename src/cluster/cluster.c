/* Each cluster: a directory DATA_DIR/clusters/NAME with record.json {"name", "network", "port", "nodes", "createdAt"}, its
 * certificates and its registry. The record is written last when a cluster is made and removed first when it goes, so that a
 * directory without one is a leftover. */
#include "cluster/cluster.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mutex.h"
#include "cluster/apiserver/quota.h"
#include "cluster/apiserver/registry.h"
#include "cluster/apiserver/server.h"
#include "cluster/apiserver/tokens.h"
#include "cluster/kubelet/node.h"
#include "cluster/pki.h"
#include "cluster/scheduler/machine.h"
#include "cluster/scheduler/scheduler.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    NETWORK_FIRST = 16,
    NETWORK_LAST = 254,
    PORT_FIRST = 6443,
    ADDRESS_WAIT_MS = 5000,
    ADDRESS_LOOK_MS = 20,
    NODES_MAX = 100,
    RECORD_MAX_BYTES = 65536,
    NAME_MAX_BYTES = 63,
};

#define KUBERNETES_VERSION "1.34"
#define KUBELET_VERSION "v1.34.4"

struct cluster {
    struct arena *arena; /* everything below that is a slice */
    struct slice name, dir, address;
    int network, port, node_count;
    int claim_fd; /* holds the network against other daemons of this machine; -1: not held */
    struct instant created_at;
    struct slice problem; /* why it is not served; empty: it is */
    struct pki pki;
    struct registry *registry;
    struct tokens *tokens;
    struct apiserver *server;
    struct scheduler *scheduler;
    struct kubelet *kubelet;
    struct cluster *next;
};

struct clusters {
    struct arena *arena;
    struct slice data_dir; /* without links, as other daemons read it */
    struct clusters_options options;
    struct machine *machine;
    struct mutex lock; /* guards the list; held while a cluster starts or stops */
    struct cluster *first; /* by name */
};

static struct slice record_path(struct arena *arena, struct slice dir)
{
    return slice_fmt(arena, "%.*s/record.json", SLICE_ARG(dir));
}

/* ---- addresses ---- */

/* Binds for a moment: false when somebody, this daemon or another, listens there. */
static bool is_free(struct slice address, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    bool free_now = inet_pton(AF_INET, address.ptr, &to.sin_addr) == 1 && bind(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && listen(fd, 1) == 0;
    close(fd);
    return free_now;
}

static bool network_is_ours(const struct clusters *clusters, int network)
{
    for (const struct cluster *c = clusters->first; c; c = c->next)
        if (c->network == network)
            return true;
    return false;
}

static struct slice address_of(struct arena *arena, int network)
{
    return slice_fmt(arena, "127.%d.0.1", network);
}

/* Networks are claimed machine-wide by a name that only one socket can have: between looking at a port and listening on it
 * another daemon may do the same, and a network without its daemon (one that is starting) serves nothing yet. -1: another has it. */
static int claim_network(int network)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int len = snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "ember-network-127.%d", network);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A daemon that is down has no socket, but its pods, its clients and its tokens know its clusters by their addresses. So each network
 * also has a link that names the cluster it was given to; it holds for as long as that cluster's record says the same. */
static void promise_path(int network, char ret_path[64])
{
    snprintf(ret_path, 64, "/tmp/.ember-network-127.%d", network);
}

/* false: nobody's, or of a cluster that is no more, or its own. */
static bool network_is_promised(const struct cluster *cluster, int network)
{
    char path[64], target[PATH_MAX];
    promise_path(network, path);
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    if (len < 0)
        return errno != ENOENT;
    target[len] = '\0';
    if (slice_eq(slice_from_cstr(target), cluster->dir))
        return false;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct slice text;
    struct json *record;
    const char *record_at = record_path(arena, slice_from_cstr(target)).ptr;
    if (access(record_at, F_OK) != 0)
        return errno != ENOENT && errno != ENOTDIR;
    struct err *e = file_read(arena, record_at, RECORD_MAX_BYTES, &text);
    if (!e)
        e = json_parse(arena, text, JSON_DUPLICATES_REFUSE, &record);
    if (e) {
        err_free(e);
        return true;
    }
    return json_get_i64(record, "network", 0) == network;
}

/* The claim is held, so that no other daemon does the same. false: the link is another user's. */
static bool promise_network(const struct cluster *cluster, int network)
{
    char path[64];
    promise_path(network, path);
    (void)unlink(path);
    return symlink(cluster->dir.ptr, path) == 0 || (errno != EEXIST && errno != EPERM); /* no such directory: sockets must do */
}

static void release_network(const struct cluster *cluster)
{
    char path[64], target[PATH_MAX];
    promise_path(cluster->network, path);
    ssize_t len = readlink(path, target, sizeof(target));
    if (len > 0 && slice_eq((struct slice){target, (size_t)len}, cluster->dir))
        (void)unlink(path);
}

/* A network that no other daemon has and whose 127.N.0.1 nobody serves on the first port. */
static struct err *choose_network(struct clusters *clusters, struct cluster *cluster)
{
    for (int n = NETWORK_FIRST; n <= NETWORK_LAST; n++) {
        struct slice address = address_of(cluster->arena, n);
        if (network_is_ours(clusters, n))
            continue;
        int claim_fd = claim_network(n);
        if (claim_fd < 0)
            continue;
        if (network_is_promised(cluster, n) || !is_free(address, PORT_FIRST) || !promise_network(cluster, n)) {
            close(claim_fd);
            continue;
        }
        cluster->claim_fd = claim_fd;
        cluster->network = n;
        cluster->port = PORT_FIRST;
        return NULL;
    }
    return err_new(ERR_LIMIT, "no free network: 127.%d.0.1 to 127.%d.0.1 port %d are all in use", NETWORK_FIRST, NETWORK_LAST, PORT_FIRST);
}

/* A known cluster comes back on its own address or not at all: its pods are adopted with it. A daemon that was just killed lets go
 * of its sockets a moment after its lock, which no event tells. Sets problem when the address stays taken. */
static void take_address(struct cluster *cluster)
{
    const struct timespec pause = {.tv_nsec = ADDRESS_LOOK_MS * 1000000L};
    int64_t deadline_ms = monotonic_ms() + ADDRESS_WAIT_MS;
    for (;;) {
        if (cluster->claim_fd < 0)
            cluster->claim_fd = claim_network(cluster->network);
        if (cluster->claim_fd >= 0 && is_free(cluster->address, cluster->port)) {
            (void)promise_network(cluster, cluster->network);
            return;
        }
        if (monotonic_ms() >= deadline_ms)
            break;
        nanosleep(&pause, NULL);
    }
    cluster->problem = slice_fmt(cluster->arena, "cluster %.*s is not served: its address %s:%d is taken by %s; end that and start emberd again",
                                 SLICE_ARG(cluster->name), cluster->address.ptr, cluster->port,
                                 cluster->claim_fd < 0 ? "another daemon's cluster" : "another process");
}

/* ---- records ---- */

static struct err *record_write(const struct cluster *cluster)
{
    struct arena *arena = arena_new();
    struct json *record = json_object(arena);
    json_set_text(arena, record, "name", cluster->name);
    json_set_i64(arena, record, "network", cluster->network);
    json_set_i64(arena, record, "port", cluster->port);
    json_set_i64(arena, record, "nodes", cluster->node_count);
    json_set_text(arena, record, "createdAt", instant_iso8601_ms(arena, cluster->created_at));
    struct err *e = file_write_atomic(record_path(arena, cluster->dir).ptr, json_to_slice(arena, record), 0600);
    arena_free(arena);
    return e;
}

static struct err *record_read(struct cluster *cluster)
{
    struct slice text;
    struct json *record;
    TRY(file_read(cluster->arena, record_path(cluster->arena, cluster->dir).ptr, RECORD_MAX_BYTES, &text));
    TRY(json_parse(cluster->arena, text, JSON_DUPLICATES_REFUSE, &record));
    cluster->network = (int)json_get_i64(record, "network", 0);
    cluster->port = (int)json_get_i64(record, "port", 0);
    cluster->node_count = (int)json_get_i64(record, "nodes", 0);
    bool fits = cluster->network >= NETWORK_FIRST && cluster->network <= NETWORK_LAST && cluster->port > 0 && cluster->port < 65536 &&
                cluster->node_count > 0 && cluster->node_count <= NODES_MAX &&
                instant_parse_iso8601(json_get_text(record, "createdAt"), &cluster->created_at);
    return fits ? NULL : err_new(ERR_INVALID, "%.*s/record.json is not a cluster's record", SLICE_ARG(cluster->dir));
}

/* ---- one cluster ---- */

static struct err *mint(void *ctx, struct arena *arena, const struct token_wish *wish, struct slice *ret_token, struct instant *ret_expires_at)
{
    struct token_request request = {
        .namespace_name = wish->namespace_name,
        .service_account = wish->service_account,
        .audiences = wish->audience.len ? &wish->audience : NULL,
        .audience_count = wish->audience.len ? 1 : 0,
        .expiration_seconds = wish->expiration_seconds,
        .pod = wish->pod_name,
        .pod_uid = wish->pod_uid,
    };
    struct token_grant grant;
    TRY(token_issue(ctx, arena, &request, &grant));
    *ret_token = grant.token;
    *ret_expires_at = grant.expires_at;
    return NULL;
}

static struct slice server_url(struct arena *arena, const struct cluster *cluster)
{
    return slice_fmt(arena, "https://%s:%d", cluster->address.ptr, cluster->port);
}

static struct slice pods_dir(const struct clusters *clusters, struct arena *arena)
{
    return slice_fmt(arena, "%.*s/pods", SLICE_ARG(clusters->options.data_dir));
}

static void cluster_stop(struct cluster *cluster)
{
    kubelet_stop(cluster->kubelet);
    cluster->kubelet = NULL;
    scheduler_stop(cluster->scheduler);
    cluster->scheduler = NULL;
    apiserver_stop(cluster->server);
    cluster->server = NULL;
    tokens_close(cluster->tokens);
    cluster->tokens = NULL;
    registry_close(cluster->registry);
    cluster->registry = NULL;
}

static struct err *start_server(struct clusters *clusters, struct cluster *cluster)
{
    struct registry_options registry = {.dir = cluster->dir.ptr, .settle = quota_settle};
    TRY(registry_open(&registry, &cluster->registry));
    struct tokens_options tokens = {.dir = cluster->dir.ptr, .issuer = server_url(cluster->arena, cluster), .registry = cluster->registry};
    TRY(tokens_open(&tokens, &cluster->tokens));
    struct apiserver_options server = {
        .registry = cluster->registry,
        .tokens = cluster->tokens,
        .address = cluster->address.ptr,
        .port = cluster->port,
        .network = cluster->network,
        .tls_cert_path = cluster->pki.server_cert_path.ptr,
        .tls_key_path = cluster->pki.server_key_path.ptr,
        .client_ca_path = cluster->pki.ca_path.ptr,
        .ca_pem = cluster->pki.ca.cert_pem,
        .pods_dir = pods_dir(clusters, cluster->arena),
    };
    return apiserver_start(&server, &cluster->server);
}

static struct err *start_nodes(struct clusters *clusters, struct cluster *cluster)
{
    const struct clusters_options *options = &clusters->options;
    struct kubelet_options kubelet = {
        .cluster_name = cluster->name,
        .node_count = cluster->node_count,
        .version = S(KUBELET_VERSION),
        .registry = cluster->registry,
        .machine = clusters->machine,
        .pods_dir = pods_dir(clusters, cluster->arena),
        .runner_path = options->runner_path,
        .releases_dir = options->releases_dir,
        .archives_dir = options->archives_dir,
        .python_path = options->python_path,
        .network = cluster->network,
        .api_host = cluster->address,
        .api_port = cluster->port,
        .mint_token = mint,
        .mint_ctx = cluster->tokens,
    };
    TRY(kubelet_start(&kubelet, &cluster->kubelet));
    return scheduler_start(cluster->registry, clusters->machine, &cluster->scheduler);
}

/* dir, name, network, port and node_count are set. */
static struct err *cluster_start(struct clusters *clusters, struct cluster *cluster)
{
    struct err *e = pki_open(cluster->arena, cluster->dir, cluster->address, &cluster->pki);
    if (!e)
        e = start_server(clusters, cluster);
    if (!e)
        e = start_nodes(clusters, cluster);
    if (!e)
        e = record_write(cluster);
    if (e)
        cluster_stop(cluster);
    else
        log_event(CLUSTER_STARTED, LOG_SLICE("cluster", cluster->name), LOG_SLICE("server", server_url(cluster->arena, cluster)));
    return err_wrap(e, "while starting cluster %.*s", SLICE_ARG(cluster->name));
}

static struct cluster *cluster_new(const struct clusters *clusters, struct slice name)
{
    struct cluster *cluster = xcalloc(1, sizeof(*cluster));
    cluster->arena = arena_new();
    cluster->claim_fd = -1;
    cluster->name = slice_dup(cluster->arena, name);
    cluster->dir = slice_fmt(cluster->arena, "%.*s/clusters/%.*s", SLICE_ARG(clusters->data_dir), SLICE_ARG(name));
    return cluster;
}

static void cluster_free(struct cluster *cluster)
{
    if (!cluster)
        return;
    cluster_stop(cluster);
    fd_closep(&cluster->claim_fd);
    arena_free(cluster->arena);
    free(cluster);
}

static void insert(struct clusters *clusters, struct cluster *cluster)
{
    struct cluster **at = &clusters->first;
    while (*at && slice_cmp((*at)->name, cluster->name) < 0)
        at = &(*at)->next;
    cluster->next = *at;
    *at = cluster;
}

/* ---- all of them ---- */

static struct err *open_one(struct clusters *clusters, const char *name)
{
    struct cluster *cluster = cluster_new(clusters, slice_from_cstr(name));
    if (!path_exists(record_path(cluster->arena, cluster->dir).ptr)) {
        struct err *e = tree_remove(cluster->dir.ptr); /* half made or half removed */
        cluster_free(cluster);
        return e;
    }
    struct err *e = record_read(cluster);
    if (!e) {
        cluster->address = address_of(cluster->arena, cluster->network);
        take_address(cluster);
        if (cluster->problem.len)
            log_event(CLUSTER_REFUSED, LOG_SLICE("cluster", cluster->name), LOG_SLICE("problem", cluster->problem));
        else
            e = cluster_start(clusters, cluster);
    }
    if (e) {
        cluster_free(cluster);
        return e;
    }
    insert(clusters, cluster);
    return NULL;
}

static struct err *open_all(struct clusters *clusters)
{
    char real[PATH_MAX];
    TRY(dir_make(clusters->options.data_dir.ptr, 0700));
    if (!realpath(clusters->options.data_dir.ptr, real))
        return err_errno(errno, "while resolving %s", clusters->options.data_dir.ptr);
    clusters->data_dir = slice_dup_cstr(clusters->arena, real);
    struct slice path = slice_fmt(clusters->arena, "%.*s/clusters", SLICE_ARG(clusters->options.data_dir));
    TRY(dir_make(path.ptr, 0700));
    TRY(dir_make(pods_dir(clusters, clusters->arena).ptr, 0700));
    DIR *dir = opendir(path.ptr);
    if (!dir)
        return err_errno(errno, "while opening %s", path.ptr);
    struct err *e = NULL;
    const struct dirent *entry;
    while (!e && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            e = open_one(clusters, entry->d_name);
    closedir(dir);
    return e;
}

struct err *clusters_open(const struct clusters_options *options, struct clusters **ret_clusters)
{
    struct clusters *clusters = xcalloc(1, sizeof(*clusters));
    clusters->arena = arena_new();
    clusters->options = (struct clusters_options){
        .data_dir = slice_dup(clusters->arena, options->data_dir),
        .runner_path = slice_cstr(clusters->arena, slice_from_cstr(options->runner_path)),
        .releases_dir = slice_dup(clusters->arena, options->releases_dir),
        .python_path = slice_dup(clusters->arena, options->python_path),
        .archives_dir = slice_dup(clusters->arena, options->archives_dir),
    };
    clusters->machine = machine_new();
    mutex_init(&clusters->lock, LOCK_CLUSTERS);
    struct err *e = open_all(clusters);
    if (e) {
        clusters_close(clusters);
        return e;
    }
    *ret_clusters = clusters;
    return NULL;
}

void clusters_close(struct clusters *clusters)
{
    if (!clusters)
        return;
    while (clusters->first) {
        struct cluster *cluster = clusters->first;
        clusters->first = cluster->next;
        log_event(CLUSTER_STOPPED, LOG_SLICE("cluster", cluster->name));
        cluster_free(cluster);
    }
    machine_free(clusters->machine);
    mutex_deinit(&clusters->lock);
    arena_free(clusters->arena);
    free(clusters);
}

static struct cluster **find(struct clusters *clusters, struct slice name)
{
    for (struct cluster **at = &clusters->first; *at; at = &(*at)->next)
        if (slice_eq((*at)->name, name))
            return at;
    return NULL;
}

static struct err *not_found(struct slice name)
{
    return err_new(ERR_NOT_FOUND, "no cluster %.*s", SLICE_ARG(name));
}

/* The name is a directory's and the nodes' names begin with it. */
static bool is_name(struct slice name)
{
    if (!name.len || name.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (i == 0 || (c != '-' && c != '_')))
            return false;
    }
    return true;
}

static struct err *create_locked(struct clusters *clusters, const struct cluster_spec *spec)
{
    if (find(clusters, spec->name))
        return err_new(ERR_CONFLICT, "cluster %.*s exists", SLICE_ARG(spec->name));
    struct cluster *cluster = cluster_new(clusters, spec->name);
    cluster->node_count = spec->node_count;
    cluster->created_at = instant_now();
    struct err *e = tree_remove(cluster->dir.ptr);
    if (!e)
        e = dir_make(cluster->dir.ptr, 0700);
    if (!e)
        e = choose_network(clusters, cluster);
    if (!e) {
        cluster->address = address_of(cluster->arena, cluster->network);
        e = cluster_start(clusters, cluster);
    }
    if (e) {
        err_free(tree_remove(cluster->dir.ptr)); /* the first error counts */
        release_network(cluster);
        cluster_free(cluster);
        return e;
    }
    insert(clusters, cluster);
    return NULL;
}

struct err *cluster_create(struct clusters *clusters, const struct cluster_spec *spec)
{
    if (!is_name(spec->name))
        return err_new(ERR_INVALID, "%.*s is no name for a cluster", SLICE_ARG(spec->name));
    if (spec->node_count < 1 || spec->node_count > NODES_MAX)
        return err_new(ERR_INVALID, "a cluster has 1 to %d nodes", NODES_MAX);
    mutex_lock(&clusters->lock);
    struct err *e = create_locked(clusters, spec);
    mutex_unlock(&clusters->lock);
    return e;
}

struct err *cluster_delete(struct clusters *clusters, struct slice name)
{
    mutex_lock(&clusters->lock);
    struct cluster **at = find(clusters, name);
    if (!at) {
        mutex_unlock(&clusters->lock);
        return not_found(name);
    }
    struct cluster *cluster = *at;
    if (cluster->problem.len) { /* its pods cannot be reached */
        struct err *e = err_new(ERR_CONFLICT, "%.*s", SLICE_ARG(cluster->problem));
        mutex_unlock(&clusters->lock);
        return e;
    }
    *at = cluster->next;
    scheduler_stop(cluster->scheduler); /* nothing new starts */
    cluster->scheduler = NULL;
    kubelet_kill_all(cluster->kubelet);
    cluster_stop(cluster);
    struct err *e = NULL;
    if (unlink(record_path(cluster->arena, cluster->dir).ptr) && errno != ENOENT)
        e = err_errno(errno, "while removing the record of cluster %.*s", SLICE_ARG(name));
    if (!e)
        e = tree_remove(cluster->dir.ptr);
    release_network(cluster);
    cluster_free(cluster);
    mutex_unlock(&clusters->lock);
    return e;
}

static struct cluster_view view_of(const struct cluster *cluster, struct arena *arena)
{
    return (struct cluster_view){
        .name = slice_dup(arena, cluster->name),
        .server = server_url(arena, cluster),
        .ca_pem = slice_dup(arena, cluster->pki.ca.cert_pem),
        .driver_master = slice_fmt(arena, "https://kubernetes.default.svc:%d", cluster->port),
        .oidc_issuer = server_url(arena, cluster),
        .version = S(KUBERNETES_VERSION),
        .node_count = cluster->node_count,
        .created_at = cluster->created_at,
        .problem = slice_dup(arena, cluster->problem),
    };
}

struct err *cluster_get(struct clusters *clusters, struct arena *arena, struct slice name, struct cluster_view *ret_view)
{
    mutex_lock(&clusters->lock);
    struct cluster **at = find(clusters, name);
    if (at)
        *ret_view = view_of(*at, arena);
    mutex_unlock(&clusters->lock);
    return at ? NULL : not_found(name);
}

struct err *cluster_list(struct clusters *clusters, struct arena *arena, struct cluster_view **ret_views, size_t *ret_count)
{
    mutex_lock(&clusters->lock);
    size_t count = 0;
    for (const struct cluster *c = clusters->first; c; c = c->next)
        count++;
    struct cluster_view *views = ARENA_ARRAY(arena, count + 1, struct cluster_view);
    count = 0;
    for (const struct cluster *c = clusters->first; c; c = c->next)
        views[count++] = view_of(c, arena);
    mutex_unlock(&clusters->lock);
    *ret_views = views;
    *ret_count = count;
    return NULL;
}

struct err *cluster_kubeconfig(struct clusters *clusters, struct arena *arena, struct slice name, struct slice *ret_yaml)
{
    mutex_lock(&clusters->lock);
    struct cluster **at = find(clusters, name);
    struct err *e = at ? NULL : not_found(name);
    if (at && (*at)->problem.len) {
        e = err_new(ERR_CONFLICT, "%.*s", SLICE_ARG((*at)->problem));
    } else if (at) {
        const struct cluster *c = *at;
        *ret_yaml = slice_fmt(arena,
                              "apiVersion: v1\nkind: Config\nclusters:\n- name: %.*s\n  cluster:\n    server: %.*s\n"
                              "    certificate-authority-data: %.*s\nusers:\n- name: %.*s-admin\n  user:\n    client-certificate-data: %.*s\n"
                              "    client-key-data: %.*s\ncontexts:\n- name: %.*s\n  context:\n    cluster: %.*s\n    user: %.*s-admin\n"
                              "current-context: %.*s\n",
                              SLICE_ARG(c->name), SLICE_ARG(server_url(arena, c)), SLICE_ARG(base64_encode(arena, c->pki.ca.cert_pem)),
                              SLICE_ARG(c->name), SLICE_ARG(base64_encode(arena, c->pki.admin.cert_pem)),
                              SLICE_ARG(base64_encode(arena, c->pki.admin.key_pem)), SLICE_ARG(c->name), SLICE_ARG(c->name),
                              SLICE_ARG(c->name), SLICE_ARG(c->name));
    }
    mutex_unlock(&clusters->lock);
    return e;
}
