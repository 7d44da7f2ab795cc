/* pod_start: from a Pod to a process: address, volumes, run.json, hosts, ember-run. */
#include "cluster/kubelet/node_internal.h"

#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "cluster/kubelet/hosts.h"
#include "cluster/kubelet/kube_status.h"
#include "cluster/kubelet/pod_event.h"
#include "cluster/kubelet/pod_run.h"
#include "cluster/kubelet/volume.h"
#include "cluster/kubelet/wire.h"
#include "cluster/scheduler/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_UID_BASE 1900000000LL
#define RETRY_FIRST_MS 500
#define RETRY_IMAGE_MS 10000
#define RETRY_MAX_MS 120000
#define DETACH_TIMEOUT_MS 30000 /* ember-run only makes its supervisor; the machine may be busy */

/* ---- what the pod's makers ask the registry ---- */

struct source_ctx {
    struct kubelet *k;
    struct slice namespace_name;
};

static const struct json *get_object(void *ctx, struct arena *arena, const char *resource, struct slice name)
{
    const struct source_ctx *source = ctx;
    _cleanup_(object_unrefp) struct object *object = NULL;
    struct err *e = registry_get(source->k->options.registry, slice_from_cstr(resource), source->namespace_name, name, &object);
    if (e) {
        err_free(e);
        return NULL;
    }
    return object_json(arena, object);
}

static struct pod_env_input env_input(struct kubelet *k, struct pod_record *record, const struct json *pod, struct source_ctx *source)
{
    struct machine_amount allocatable = machine_allocatable(k->options.machine);
    *source = (struct source_ctx){k, record->pod->namespace_name};
    return (struct pod_env_input){
        .pod = pod,
        .pod_ip = slice_from_cstr(record->ip),
        .host_ip = k->options.api_host,
        .allocatable_cpu_millis = allocatable.cpu_millis,
        .allocatable_memory_bytes = allocatable.memory_bytes,
        .api_host = k->options.api_host,
        .api_port = k->options.api_port,
        .source = {get_object, source},
    };
}

/* ---- user ---- */

/* A run has one user: 1900000000 plus the low bits of its driver's address; executors take their driver's. */
static int64_t run_uid(struct kubelet *k, const struct pod_record *record)
{
    if (geteuid() != 0)
        return -1;
    const char *ip = record->ip;
    struct slice app = object_label(record->pod, S("spark-app-selector"));
    if (app.len && slice_eq(object_label(record->pod, S("spark-role")), S("executor")))
        for (struct pod_record *r = k->records; r; r = r->next)
            if (r->ip && slice_eq(r->pod->namespace_name, record->pod->namespace_name) &&
                slice_eq(object_label(r->pod, S("spark-role")), S("driver")) &&
                slice_eq(object_label(r->pod, S("spark-app-selector")), app))
                ip = r->ip;
    return RUN_UID_BASE + address_low_bits(slice_from_cstr(ip));
}

static struct volume_input volume_input(struct kubelet *k, struct pod_record *record, const struct pod_env_input *env)
{
    return (struct volume_input){
        .env = env,
        .pod_dir = slice_from_cstr(record->dir),
        .run_uid = run_uid(k, record),
        .mint_token = k->options.mint_token,
        .mint_ctx = k->options.mint_ctx,
    };
}

/* ---- hosts ---- */

#define HOSTS_PACE 20 /* between two rounds, so many times what one took */

static void look_at_names(struct kubelet *k, struct arena *arena, struct hosts_view *ret_view)
{
    struct object_list list;
    registry_list(k->options.registry, S("services"), SLICE_NONE, &list);
    struct json **services = ARENA_ARRAY(arena, list.count + 1, struct json *);
    for (size_t i = 0; i < list.count; i++)
        services[i] = object_json(arena, list.items[i]);
    size_t service_count = list.count, count = 0;
    object_list_deinit(&list);
    for (struct pod_record *r = k->records; r; r = r->next)
        count++;
    struct hosts_pod *pods = ARENA_ARRAY(arena, count + 1, struct hosts_pod);
    count = 0;
    for (struct pod_record *r = k->records; r; r = r->next)
        if (r->ip && !r->gone && r->stage != POD_ENDED)
            pods[count++] = (struct hosts_pod){r->pod->namespace_name, slice_from_cstr(r->ip), json_at(r->pod->index, "metadata", "labels", NULL)};
    *ret_view = (struct hosts_view){services, service_count, pods, count, k->options.api_host};
}

/* In place: the sandboxes have this very inode. */
static void write_hosts_file(struct pod_record *record, struct arena *arena, struct slice text)
{
    uint64_t hash = slice_hash(text);
    if (hash == record->hosts_hash)
        return;
    struct slice path = slice_fmt(arena, "%s/" WIRE_HOSTS_FILE, record->dir);
    _cleanup_(fd_closep) int fd = open(path.ptr, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || pwrite(fd, text.ptr, text.len, 0) != (ssize_t)text.len || ftruncate(fd, (off_t)text.len) < 0)
        return; /* the next change tries again */
    fchmod(fd, 0644);
    record->hosts_hash = hash;
}

static void write_hosts(struct pod_record *record, struct arena *arena, const struct hosts_view *view)
{
    struct json *pod = object_json(arena, record->pod);
    struct slice shared = hosts_of_namespace(arena, view, record->pod->namespace_name);
    write_hosts_file(record, arena,
                     hosts_of_pod(arena, shared, slice_from_cstr(record->ip), pod_hostname(arena, pod), JSON_AT(pod, "spec", "hostAliases")));
}

static bool has_hosts(const struct pod_record *record)
{
    return record->stage == POD_STARTED && record->ip && !record->gone;
}

void pods_write_hosts(struct kubelet *k)
{
    int64_t begun_ms = monotonic_ms();
    if (begun_ms < k->hosts_due_ms)
        return;
    k->hosts_dirty = false;
    const struct pod_record *first = k->records;
    while (first && !has_hosts(first))
        first = first->next;
    if (!first)
        return; /* a pod gets its file when it starts */
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct hosts_view view;
    look_at_names(k, arena, &view);
    for (struct pod_record *r = k->records; r; r = r->next)
        if (has_hosts(r))
            write_hosts(r, arena, &view);
    int64_t done_ms = monotonic_ms();
    k->hosts_due_ms = done_ms + (done_ms - begun_ms) * HOSTS_PACE; /* thousands of services come one by one */
}

/* ---- start ---- */

static struct err *take_address(struct kubelet *k, struct pod_record *record, struct arena *arena)
{
    if (record->ip)
        return NULL;
    struct slice ip = address_take(&k->addresses, arena);
    if (!ip.len)
        return err_new(ERR_LIMIT, "all addresses of 127.%d.0.0/16 are in use", k->options.network);
    record->ip = xstrdup(slice_cstr(arena, ip));
    return NULL;
}

static void retry_later(struct pod_record *record, int64_t first_ms)
{
    int64_t ms = first_ms;
    for (int i = 0; i < record->retry_count && ms < RETRY_MAX_MS; i++)
        ms *= 2;
    record->retry_count++;
    record->retry_at_ms = monotonic_ms() + (ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS);
}

/* The containers wait for this reason; and the event that says so. */
static void blocked(struct kubelet *k, struct pod_record *record, const char *reason, const char *event_reason,
                    const struct pod_run_problem *problem, struct err *e)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct kube_status_input status = {
        .pod_ip = slice_from_cstr(record->ip),
        .host_ip = k->options.api_host,
        .waiting_reason = reason,
        .waiting_message = err_message(e),
        .waiting_container = problem ? problem->container : SLICE_NONE,
    };
    struct pod_event event = {
        .source = POD_EVENT_KUBELET,
        .type = "Warning",
        .reason = event_reason,
        .message = problem && strcmp(reason, "CreateContainerConfigError") == 0
                       ? slice_fmt(arena, "Error: %.*s", SLICE_ARG(err_message(e))) : err_message(e),
        .node = object_field(record->pod, "spec", "nodeName"),
        .container = problem ? problem->container : SLICE_NONE,
    };
    retry_later(record, problem && !problem->retry ? RETRY_IMAGE_MS : RETRY_FIRST_MS);
    (void)pod_publish(k, record, &status, &event, 1, false);
    err_free(e);
}

static struct err *write_files(struct kubelet *k, struct pod_record *record, struct arena *arena, struct slice run)
{
    const struct {
        const char *name;
        struct slice text;
    } files[] = {{"cluster", k->options.cluster_name}, {WIRE_POD_FILE, record->pod->text}, {WIRE_RUN_FILE, run}};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        struct slice path = slice_fmt(arena, "%s/%s", record->dir, files[i].name);
        _cleanup_(fd_closep) int fd = open(path.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
            return err_errno(errno, "cannot write %s", path.ptr);
        TRY(fd_write_all(fd, files[i].text));
    }
    struct hosts_view view;
    look_at_names(k, arena, &view);
    write_hosts(record, arena, &view);
    return NULL;
}

void pod_watch(struct kubelet *k, struct pod_record *record)
{
    if (record->watch < 0)
        record->watch = inotify_add_watch(k->inotify_fd, record->dir, IN_MOVED_TO);
}

static struct err *launch(struct kubelet *k, struct pod_record *record, struct arena *arena)
{
    struct slice log = slice_fmt(arena, "%s/" WIRE_SUPERVISOR_LOG, record->dir);
    const char *const argv[] = {k->options.runner_path, "--detach", record->dir, NULL};
    pod_watch(k, record);
    TRY(proc_run_detaching(argv, log.ptr, DETACH_TIMEOUT_MS));
    record->stage = POD_STARTED;
    record->retry_at_ms = 0;
    k->hosts_dirty = true;
    return NULL;
}

void pod_start(struct kubelet *k, struct pod_record *record)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *pod = object_json(arena, record->pod);
    struct source_ctx source;
    struct pod_run_problem problem = {0};
    struct slice run;
    struct err *e = take_address(k, record, arena);
    if (!e)
        e = dir_make(record->dir, 0700);
    if (e) {
        blocked(k, record, NULL, "FailedCreatePodSandBox", NULL, e);
        return;
    }
    struct pod_env_input env = env_input(k, record, pod, &source);
    struct volume_input volumes = volume_input(k, record, &env);
    e = volumes_make(arena, &volumes, &record->renew_at);
    if (e) {
        blocked(k, record, NULL, "FailedMount", NULL, e);
        return;
    }
    struct pod_run_input input = {
        .env = &env,
        .pod_dir = slice_from_cstr(record->dir),
        .releases_dir = k->options.releases_dir,
        .archives_dir = k->options.archives_dir,
        .python_path = k->options.python_path,
        .dump_dir = slice_from_cstr(getenv("EMBER_DUMP_CLASS_ARCHIVE")),
        .run_uid = volumes.run_uid,
    };
    e = pod_run_build(arena, &input, &run, &problem);
    if (e) {
        bool invalid_name = strcmp(problem.reason, "InvalidImageName") == 0;
        bool again = strcmp(problem.reason, "ErrImagePull") == 0 && record->retry_count > 0;
        blocked(k, record, again ? "ImagePullBackOff" : problem.reason, invalid_name ? "InspectFailed" : "Failed", &problem, e);
        return;
    }
    e = write_files(k, record, arena, run);
    if (!e)
        e = launch(k, record, arena);
    if (e) {
        blocked(k, record, NULL, "FailedCreatePodSandBox", NULL, e);
        return;
    }
    struct kube_status_input status = {.pod_ip = slice_from_cstr(record->ip), .host_ip = k->options.api_host};
    (void)pod_publish(k, record, &status, NULL, 0, false);
}

void pod_renew_tokens(struct kubelet *k, struct pod_record *record)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct source_ctx source;
    struct json *pod = object_json(arena, record->pod);
    struct pod_env_input env = env_input(k, record, pod, &source);
    struct volume_input volumes = volume_input(k, record, &env);
    struct instant next = {0};
    struct err *e = volumes_renew_tokens(arena, &volumes, &next);
    if (e) /* the account may be gone; the old token has a fifth of its time left */
        next.ms = instant_now().ms + 30000;
    record->renew_at = next;
    err_free(e);
}
