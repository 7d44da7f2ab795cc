/* node_internal: what node.c (the thread), pod_start.c (from Pod to process) and pod_follow.c (from process to status) share.
 * All of it belongs to the kubelet's thread. */
#pragma once
#include "base/mutex.h"
#include "cluster/kubelet/address.h"
#include "cluster/kubelet/feed.h"
#include "cluster/kubelet/node.h"
#include "cluster/kubelet/pod_env.h"
#include "cluster/kubelet/wire.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#define POD_CONTAINERS_MAX WIRE_CONTAINERS_MAX

enum pod_stage {
    POD_NEW,     /* to be started, or to be tried again at retry_at_ms */
    POD_STARTED, /* ember-run has it */
    POD_ENDED,   /* its processes are gone and its status says so */
};

/* One pod that is bound to a node of ours. */
struct pod_record {
    struct pod_record *next;
    struct object *pod;         /* newest version; a reference */
    enum pod_stage stage;
    bool gone;                  /* out of the registry: only its processes and files are left */
    bool dirty;                 /* to be looked at */
    char *dir, *ip;             /* ip NULL: none yet */
    int watch;                  /* inotify's number; -1 */
    int pidfd;                  /* of ember-run; -1: not known yet */
    int64_t retry_at_ms; /* monotonic */
    int retry_count;
    int64_t stop_grace;         /* told to ember-run; -1: not told to stop */
    struct instant renew_at;    /* of its tokens; ms 0: never */
    uint64_t hosts_hash, status_hash;
    int told_started[POD_CONTAINERS_MAX]; /* restartCount + 1 of the last Started event, by container */
};

struct kubelet {
    struct kubelet_options options;
    struct arena *arena;        /* for the copied options */
    struct feed *feed;
    struct address_pool addresses;
    struct pod_record *records;
    int inotify_fd, epoll_fd;
    bool hosts_dirty;
    int64_t hosts_due_ms; /* monotonic: not before */
    int64_t heartbeat_at_ms;
    pthread_t thread;
    atomic_bool stopping, killing;
    struct mutex lock;       /* guards killed */
    struct condition killed_cond;
    bool killed;
};

/* ---- pod_start.c ---- */
/* Tries to start it; what stands in the way becomes status, event and a time to try again. */
void pod_start(struct kubelet *k, struct pod_record *record);
void pod_renew_tokens(struct kubelet *k, struct pod_record *record);
/* Writes the hosts files of all running pods whose names have changed. */
void pods_write_hosts(struct kubelet *k);
void pod_watch(struct kubelet *k, struct pod_record *record);

/* ---- pod_follow.c ---- */
/* Reads status.json and makes the registry say so. Sets POD_ENDED at the end. */
void pod_follow(struct kubelet *k, struct pod_record *record);
/* An ember-run has the pod's directory: from before its start is told done to its very end. */
bool pod_dir_is_held(struct arena *arena, const char *dir);
/* Asks ember-run to end it; a shorter grace than before replaces it. */
void pod_stop(struct kubelet *k, struct pod_record *record, int64_t grace_seconds);
/* After a restart of emberd: true when there was something to adopt (running, or ended meanwhile). */
bool pod_adopt(struct kubelet *k, struct pod_record *record);
struct pod_event;
struct kube_status_input;
/* status: NULL leaves it. Writes status and events in one transaction; then_delete removes the pod. False: the registry could not write
 * it, and the pod will be looked at again. */
bool pod_publish(struct kubelet *k, struct pod_record *record, const struct kube_status_input *status, const struct pod_event *events,
                 size_t event_count, bool then_delete);
