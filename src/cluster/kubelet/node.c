#include "cluster/kubelet/node.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/proc.h"
#include "cluster/kubelet/node_internal.h"
#include "cluster/kubelet/node_object.h"
#include "cluster/kubelet/volume.h"
#include "cluster/kubelet/wire.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#define HEARTBEAT_MS (5 * 60 * 1000) /* the kubelet's nodeStatusReportFrequency */
#define LOOK_AGAIN_MS 1000           /* at what waits without an event of its own */
#define KILL_ALL_MS 30000
#define ORPHAN_MS 5000
#define DUMP_GRACE_SECONDS 300

/* ---- records ---- */

static struct pod_record *record_find(struct kubelet *k, struct slice uid)
{
    for (struct pod_record *r = k->records; r; r = r->next)
        if (slice_eq(r->pod->uid, uid))
            return r;
    return NULL;
}

static struct pod_record *record_new(struct kubelet *k, struct object *pod)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct pod_record *record = xcalloc(1, sizeof(*record));
    record->pod = object_ref(pod);
    record->dir = xstrdup(slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(k->options.pods_dir), SLICE_ARG(pod->uid)).ptr);
    record->watch = record->pidfd = -1;
    record->stop_grace = -1;
    record->dirty = true;
    struct slice ip = object_field(pod, "status", "podIP");
    if (ip.len && address_claim(&k->addresses, ip))
        record->ip = xstrdup(slice_cstr(arena, ip));
    record->next = k->records;
    k->records = record;
    return record;
}

static void record_free(struct kubelet *k, struct pod_record *record)
{
    if (record->ip)
        address_give(&k->addresses, slice_from_cstr(record->ip));
    if (record->watch >= 0)
        inotify_rm_watch(k->inotify_fd, record->watch);
    fd_closep(&record->pidfd);
    object_unref(record->pod);
    free(record->ip);
    free(record->dir);
    free(record);
}

static void record_drop(struct kubelet *k, struct pod_record *record)
{
    struct pod_record **at = &k->records;
    while (*at != record)
        at = &(*at)->next;
    *at = record->next;
    err_free(tree_remove(record->dir)); /* what is left is found at the next start */
    record_free(k, record);
    k->hosts_dirty = true;
}

/* ---- what the registry says ---- */

static bool has_ended(const struct object *pod)
{
    struct slice phase = object_field(pod, "status", "phase");
    return slice_eq(phase, S("Succeeded")) || slice_eq(phase, S("Failed"));
}

static void take_pod(struct kubelet *k, enum registry_event_type type, struct object *pod)
{
    struct pod_record *record = record_find(k, pod->uid);
    if (!record) {
        if (type == REGISTRY_DELETED || !node_is_ours(&k->options, object_field(pod, "spec", "nodeName")))
            return;
        record = record_new(k, pod);
        k->hosts_dirty = true;
    } else if (pod->revision >= record->pod->revision) {
        object_unref(record->pod);
        record->pod = object_ref(pod);
    }
    record->gone |= type == REGISTRY_DELETED;
    record->dirty = true;
}

/* A ConfigMap or Secret came or changed: whoever waits for one of that name tries again at once. */
static void take_data(struct kubelet *k, struct object *object)
{
    for (struct pod_record *r = k->records; r; r = r->next) {
        if (r->stage != POD_NEW || r->retry_at_ms == 0 || !slice_eq(r->pod->namespace_name, object->namespace_name))
            continue;
        _cleanup_(arena_freep) struct arena *arena = arena_new();
        const char *resource = slice_eq(object->resource, S("secrets")) ? "secrets" : "configmaps";
        if (pod_mentions(object_json(arena, r->pod), resource, object->name)) {
            r->retry_at_ms = 0;
            r->dirty = true;
        }
    }
}

static void take_all(struct kubelet *k)
{
    size_t count;
    struct feed_item *items = feed_take(k->feed, &count);
    for (size_t i = 0; i < count; i++) {
        struct slice resource = items[i].object->resource;
        if (slice_eq(resource, S("pods")))
            take_pod(k, items[i].type, items[i].object);
        else if (slice_eq(resource, S("services")))
            k->hosts_dirty = true;
        else if (items[i].type != REGISTRY_DELETED)
            take_data(k, items[i].object);
    }
    feed_items_free(items, count);
}

/* ---- one pod ---- */

/* What is to be done now, from what is. Level-triggered: may be called any time. */
static void look_at(struct kubelet *k, struct pod_record *record)
{
    record->dirty = false;
    if (record->stage == POD_NEW && !has_ended(record->pod) && !record->gone && monotonic_ms() >= record->retry_at_ms) {
        if (pod_adopt(k, record))
            pod_follow(k, record);
        else if (!record->pod->deleting && !atomic_load(&k->killing))
            pod_start(k, record);
    }
    if (record->stage == POD_STARTED) {
        if (record->gone || atomic_load(&k->killing))
            pod_stop(k, record, 0);
        else if (record->pod->deleting) {
            _cleanup_(arena_freep) struct arena *arena = arena_new();
            struct json *pod = object_json(arena, record->pod);
            int64_t grace = json_get_i64(JSON_AT(pod, "metadata"), "deletionGracePeriodSeconds", 30);
            /* A JVM that writes its class data archive at its end takes its time for it. */
            pod_stop(k, record, grace < DUMP_GRACE_SECONDS && getenv("EMBER_DUMP_CLASS_ARCHIVE") ? DUMP_GRACE_SECONDS : grace);
        }
        pod_follow(k, record);
    }
    if (record->stage == POD_NEW && has_ended(record->pod))
        record->stage = POD_ENDED;
    if (record->gone && record->stage != POD_STARTED)
        record_drop(k, record);
    else if (record->pod->deleting && !record->gone && record->stage != POD_STARTED)
        (void)pod_publish(k, record, NULL, NULL, 0, true);
}

static void look_at_dirty(struct kubelet *k)
{
    int64_t now = monotonic_ms(), wall = instant_now().ms;
    for (struct pod_record *r = k->records, *next; r; r = next) {
        next = r->next;
        if (r->stage == POD_STARTED && r->renew_at.ms && wall >= r->renew_at.ms && !r->gone)
            pod_renew_tokens(k, r);
        bool due = r->retry_at_ms && now >= r->retry_at_ms && r->stage != POD_ENDED;
        bool silent = r->stage == POD_STARTED && r->pidfd < 0;
        if (r->dirty || due || silent)
            look_at(k, r);
    }
}

/* ---- left from an earlier life ---- */

/* Ends an ember-run that nobody asks for any more. False: it still lives. */
static bool end_orphan(struct arena *arena, struct slice dir)
{
    struct slice text;
    struct json *status = NULL;
    err_free(file_write_atomic(slice_fmt(arena, "%.*s/" WIRE_STOP_FILE, SLICE_ARG(dir)).ptr, S("0\n"), 0600)); /* on a full disk: next time */
    struct err *e = file_read(arena, slice_fmt(arena, "%.*s/" WIRE_STATUS_FILE, SLICE_ARG(dir)).ptr, WIRE_FILE_MAX_BYTES, &text);
    if (!e)
        e = json_parse(arena, text, JSON_DUPLICATES_LAST_WINS, &status);
    err_free(e);
    _cleanup_(fd_closep) int pidfd = proc_open((pid_t)json_get_i64(status, "pid", -1), json_get_i64(status, "startTicks", -1));
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        (void)poll(&fd, 1, ORPHAN_MS);
    return !pod_dir_is_held(arena, slice_cstr(arena, dir)); /* one without a word yet has no number to wait for */
}

/* Directories of pods of this cluster that are not in the registry any more: their processes are ended and they go. */
static void remove_orphans(struct kubelet *k)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    DIR *dir = opendir(slice_cstr(arena, k->options.pods_dir));
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        struct slice uid = slice_from_cstr(entry->d_name), cluster;
        if (uid.ptr[0] == '.' || record_find(k, uid))
            continue;
        struct slice path = slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(k->options.pods_dir), SLICE_ARG(uid));
        struct err *e = file_read(arena, slice_fmt(arena, "%s/cluster", path.ptr).ptr, 1024, &cluster);
        if (!e && slice_eq(cluster, k->options.cluster_name) && end_orphan(arena, path))
            e = tree_remove(path.ptr);
        err_free(e);
    }
    if (dir)
        closedir(dir);
}

/* ---- thread ---- */

static void read_inotify(struct kubelet *k)
{
    char bytes[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    for (ssize_t n; (n = read(k->inotify_fd, bytes, sizeof(bytes))) > 0;)
        for (char *p = bytes; p < bytes + n;) {
            struct inotify_event event;
            memcpy(&event, p, sizeof(event));
            p += sizeof(event) + event.len;
            for (struct pod_record *r = k->records; r; r = r->next)
                if (r->watch == event.wd || (event.mask & IN_Q_OVERFLOW))
                    r->dirty = true;
        }
}

static int next_timeout(const struct kubelet *k)
{
    int64_t now = monotonic_ms(), wall = instant_now().ms, left = k->heartbeat_at_ms - now;
    if (k->hosts_dirty && k->hosts_due_ms - now < left)
        left = k->hosts_due_ms - now;
    for (const struct pod_record *r = k->records; r; r = r->next) {
        int64_t mine = INT64_MAX;
        if (r->retry_at_ms && r->stage != POD_ENDED)
            mine = r->retry_at_ms - now;
        if (r->stage == POD_STARTED && r->pidfd < 0 && mine > LOOK_AGAIN_MS)
            mine = LOOK_AGAIN_MS;
        if (r->stage == POD_STARTED && r->renew_at.ms && r->renew_at.ms - wall < mine)
            mine = r->renew_at.ms - wall;
        if (r->dirty && mine > LOOK_AGAIN_MS)
            mine = LOOK_AGAIN_MS;
        if (mine < left)
            left = mine;
    }
    return left < 0 ? 0 : left > HEARTBEAT_MS ? HEARTBEAT_MS : (int)left;
}

static void wait_for_events(struct kubelet *k)
{
    struct epoll_event events[64];
    int n = epoll_wait(k->epoll_fd, events, ARRAY_SIZE(events), next_timeout(k));
    for (int i = 0; i < n; i++)
        if (events[i].data.ptr != k && events[i].data.ptr != NULL) {
            struct pod_record *record = events[i].data.ptr;
            epoll_ctl(k->epoll_fd, EPOLL_CTL_DEL, record->pidfd, NULL);
            fd_closep(&record->pidfd);
            record->pidfd = -1;
            record->dirty = true;
        }
    read_inotify(k);
    take_all(k);
}

static void report_killed(struct kubelet *k)
{
    for (struct pod_record *r = k->records; r; r = r->next) {
        r->dirty = true;
        if (r->stage == POD_STARTED)
            return;
    }
    mutex_lock(&k->lock);
    k->killed = true;
    condition_broadcast(&k->killed_cond);
    mutex_unlock(&k->lock);
}

static void *run(void *arg)
{
    struct kubelet *k = arg;
    pthread_setname_np(pthread_self(), "kubelet");
    take_all(k);
    remove_orphans(k);
    while (!atomic_load(&k->stopping)) {
        if (monotonic_ms() >= k->heartbeat_at_ms) {
            err_free(node_objects_write(&k->options)); /* tried again with the next heartbeat */
            k->heartbeat_at_ms = monotonic_ms() + HEARTBEAT_MS;
        }
        look_at_dirty(k);
        if (k->hosts_dirty)
            pods_write_hosts(k);
        if (atomic_load(&k->killing))
            report_killed(k);
        wait_for_events(k);
    }
    return NULL;
}

/* ---- start and stop ---- */

static void copy_options(struct kubelet *k, const struct kubelet_options *options)
{
    struct kubelet_options *o = &k->options;
    *o = *options;
    o->cluster_name = slice_dup(k->arena, options->cluster_name);
    o->version = slice_dup(k->arena, options->version);
    o->pods_dir = slice_dup(k->arena, options->pods_dir);
    o->runner_path = slice_dup_cstr(k->arena, options->runner_path).ptr;
    o->releases_dir = slice_dup(k->arena, options->releases_dir);
    o->archives_dir = slice_dup(k->arena, options->archives_dir);
    o->python_path = slice_dup(k->arena, options->python_path);
    o->api_host = slice_dup(k->arena, options->api_host);
}

static struct err *add_fd(struct kubelet *k, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    return epoll_ctl(k->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? err_errno(errno, "epoll_ctl") : NULL;
}

static struct err *open_all(struct kubelet *k)
{
    const struct slice resources[] = {S("pods"), S("configmaps"), S("secrets"), S("services")};
    k->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    k->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (k->inotify_fd < 0 || k->epoll_fd < 0)
        return err_errno(errno, "cannot open the kubelet's descriptors");
    TRY(dir_make(slice_cstr(k->arena, k->options.pods_dir), 0700));
    TRY(node_objects_write(&k->options));
    k->heartbeat_at_ms = monotonic_ms() + HEARTBEAT_MS;
    TRY(feed_open(k->options.registry, resources, ARRAY_SIZE(resources), &k->feed));
    TRY(add_fd(k, k->inotify_fd, NULL));
    TRY(add_fd(k, feed_fd(k->feed), k));
    int rc = pthread_create(&k->thread, NULL, run, k);
    return rc ? err_errno(rc, "cannot start the kubelet's thread") : NULL;
}

static void free_all(struct kubelet *k)
{
    for (struct pod_record *r = k->records, *next; r; r = next) {
        next = r->next;
        record_free(k, r);
    }
    feed_close(k->feed);
    fd_closep(&k->inotify_fd);
    fd_closep(&k->epoll_fd);
    mutex_deinit(&k->lock);
    condition_deinit(&k->killed_cond);
    arena_free(k->arena);
    free(k);
}

struct err *kubelet_start(const struct kubelet_options *options, struct kubelet **ret_kubelet)
{
    struct kubelet *k = xcalloc(1, sizeof(*k));
    k->arena = arena_new();
    k->inotify_fd = k->epoll_fd = -1;
    mutex_init(&k->lock, LOCK_KUBELET);
    condition_init(&k->killed_cond);
    copy_options(k, options);
    address_pool_init(&k->addresses, options->network);
    struct err *e = open_all(k);
    if (e) {
        free_all(k);
        return e;
    }
    *ret_kubelet = k;
    return NULL;
}

void kubelet_kill_all(struct kubelet *k)
{
    atomic_store(&k->killing, true);
    feed_poke(k->feed);
    int64_t until_ms = monotonic_ms() + KILL_ALL_MS;
    mutex_lock(&k->lock);
    while (!k->killed && mutex_wait_until(&k->killed_cond, &k->lock, until_ms))
        ;
    mutex_unlock(&k->lock);
    atomic_store(&k->stopping, true); /* the thread has the records: it must be out of the way */
    feed_poke(k->feed);
    pthread_join(k->thread, NULL);
    while (k->records)
        record_drop(k, k->records);
}

void kubelet_stop(struct kubelet *k)
{
    if (!k)
        return;
    if (!atomic_exchange(&k->stopping, true)) { /* else kubelet_kill_all has ended the thread */
        feed_poke(k->feed);
        pthread_join(k->thread, NULL);
    }
    free_all(k);
}
