/* fake_kube: a Kubernetes of a few lines for the reconciler's tests: its k8s_* functions are linked instead of the client's. Objects are kept
 * by path; a watch is a thread that lists and then tells. Fields of struct k8s_client are guarded by its lock. */
#pragma once
#include "k8s/client.h"
#include <pthread.h>

#define FAKE_OBJECTS_MAX 256
#define FAKE_EVENTS_MAX 1024

struct fake_object {
    char path[300];
    char *text; /* NULL: deleted */
    int creates;
};

struct fake_event {
    enum k8s_watch_event kind;
    char *text;
};

struct k8s_client {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fake_object objects[FAKE_OBJECTS_MAX];
    size_t object_count;
    struct fake_event events[FAKE_EVENTS_MAX]; /* since the watch began */
    size_t event_count, told; /* told: by the watch, all of it taken in */
    bool deaf;       /* events are lost until the next list */
    bool repeating;  /* each event is told twice */
    bool list_again;
    int calls;
    int die_at;      /* the daemon dies at this call */
    bool die_after;  /* after its effect */
    int hook_at;     /* at this call, before it has its effect, something happens: */
    void (*hook)(void);
    bool dead;       /* nothing answers */
    bool hanging;    /* nothing answers, for long */
    const char *log; /* what a container's log holds */
    bool log_missing, log_away; /* no such log; no answer to who asks for it */
    bool list_away;  /* a watch that begins has no list before list_again */
    bool deny_deletes;
    int undelivered_creates; /* so many creations of pods have their effect and no answer */
    bool finalizers;     /* a deleted pod stays, with its deletionTimestamp */
    int64_t last_grace;  /* of the last deletion of a pod */
    const char *trouble; /* to be told by the watch */
    bool trouble_told;
};

struct k8s_client *fake_kube_new(void);
void fake_kube_free(struct k8s_client *c);
/* Under the lock. make: an object that never was begins to be. NULL: there is none. */
struct fake_object *fake_kube_object(struct k8s_client *c, struct slice path, bool make);
bool fake_object_is_pod(const struct fake_object *o);
/* Under the lock: to the watch. */
void fake_kube_tell(struct k8s_client *c, enum k8s_watch_event kind, const char *text);
/* Until the watch has told of everything. */
void fake_kube_settle(struct k8s_client *c);
/* The pod ns/name goes, whatever its finalizers. */
void fake_kube_drop_pod(struct k8s_client *c, const char *name);
