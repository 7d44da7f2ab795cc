#include "jobs/observe_internal.h"
#include "base/arena.h"
#include "base/mutex.h"
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define POD_BUCKETS_MIN 8

struct run {
    struct run *next;
    char *id;
    bool placed; /* its place is known; until then nobody sees what watches tell */
    char *cluster, *namespace_;
    struct pod *pods, *last;
    struct pod **buckets; /* by name */
    size_t bucket_count, pod_count;
    char *pinned, *pinned_uid;        /* the driver's name and uid, once they are on record; or NULL */
    struct instant driver_created_at; /* of the latest driver */
    char *trouble;                    /* of an executor that is forgotten: the first under that driver; or NULL */
    struct instant trouble_at;        /* when that executor was created */
};

struct observations {
    struct mutex lock; /* guards all below */
    struct run *buckets[BUCKETS];
};

struct observations *observations_new(void)
{
    struct observations *obs = xcalloc(1, sizeof(*obs));
    mutex_init(&obs->lock, LOCK_OBSERVATIONS);
    return obs;
}

static void run_free(struct run *run)
{
    for (struct pod *p = run->pods; p;) {
        struct pod *next = p->next;
        pod_free(p);
        p = next;
    }
    free(run->buckets);
    free(run->trouble);
    free(run->pinned);
    free(run->pinned_uid);
    free(run->cluster);
    free(run->namespace_);
    free(run->id);
    free(run);
}

void observations_free(struct observations *obs)
{
    if (!obs)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct run *r = obs->buckets[i]; r;) {
            struct run *next = r->next;
            run_free(r);
            r = next;
        }
    }
    mutex_deinit(&obs->lock);
    free(obs);
}

static struct run **find(struct observations *obs, struct slice id)
{
    struct run **link = &obs->buckets[slice_hash(id) % BUCKETS];
    while (*link && !slice_eq(slice_from_cstr((*link)->id), id))
        link = &(*link)->next;
    return link;
}

static char *heap_cstr(struct slice s)
{
    char *copy = xcalloc(1, s.len + 1);
    memcpy(copy, s.len ? s.ptr : "", s.len);
    return copy;
}

static struct run *ensure(struct observations *obs, struct slice id)
{
    struct run **link = find(obs, id);
    if (!*link) {
        struct run *run = xcalloc(1, sizeof(*run));
        run->id = heap_cstr(id);
        run->bucket_count = POD_BUCKETS_MIN;
        run->buckets = xcalloc(run->bucket_count, sizeof(*run->buckets));
        *link = run;
    }
    return *link;
}

/* ---- a run's pods ---- */

static bool is_same_part(struct slice a, struct slice b)
{
    return !a.len || !b.len || slice_eq(a, b);
}

static bool is_same_place(const struct observed_place *a, const struct observed_place *b)
{
    return is_same_part(a->cluster, b->cluster) && is_same_part(a->namespace_, b->namespace_);
}

static bool is_of_run(const struct run *run, const struct observed_place *place)
{
    const struct observed_place own = {slice_from_cstr(run->cluster), slice_from_cstr(run->namespace_)};
    return is_same_place(place, &own);
}

/* What watches tell of a run whose place is not known may be of anybody's pods. */
static bool is_seen(const struct run *run, const struct pod *p)
{
    return run->placed || !p->place.cluster.len;
}

static struct pod **pod_find(struct run *run, struct slice name, const struct observed_place *place)
{
    struct pod **link = &run->buckets[slice_hash(name) % run->bucket_count];
    while (*link && !(slice_eq((*link)->name, name) && is_same_place(&(*link)->place, place)))
        link = &(*link)->chain;
    return link;
}

static void grow(struct run *run)
{
    if (run->pod_count < run->bucket_count * 2)
        return;
    free(run->buckets);
    run->bucket_count *= 4;
    run->buckets = xcalloc(run->bucket_count, sizeof(*run->buckets));
    for (struct pod *p = run->pods; p; p = p->next) {
        struct pod **bucket = &run->buckets[slice_hash(p->name) % run->bucket_count];
        p->chain = *bucket;
        *bucket = p;
    }
}

static void pod_add(struct run *run, struct pod *p)
{
    grow(run);
    struct pod **link = pod_find(run, p->name, &p->place);
    p->chain = *link;
    *link = p;
    p->previous = run->last;
    *(run->last ? &run->last->next : &run->pods) = p;
    run->last = p;
    run->pod_count++;
}

static void pod_replace(struct run *run, struct pod **link, struct pod *by)
{
    struct pod *p = *link;
    by->chain = p->chain;
    by->next = p->next;
    by->previous = p->previous;
    *link = by;
    *(p->previous ? &p->previous->next : &run->pods) = by;
    *(p->next ? &p->next->previous : &run->last) = by;
    pod_free(p);
}

/* Out of the lists; the caller frees it. */
static void pod_remove(struct run *run, struct pod *p)
{
    struct pod **link = &run->buckets[slice_hash(p->name) % run->bucket_count];
    while (*link != p)
        link = &(*link)->chain;
    *link = p->chain;
    *(p->previous ? &p->previous->next : &run->pods) = p->next;
    *(p->next ? &p->next->previous : &run->last) = p->previous;
    run->pod_count--;
}

/* It has the name of our driver and is another pod. */
static bool is_namesake(const struct run *run, const struct pod *p)
{
    return run->pinned && p->uid.len && slice_eq(p->name, slice_from_cstr(run->pinned)) && !slice_eq(p->uid, slice_from_cstr(run->pinned_uid));
}

/* Of two pods of one name the other is the one that counts. What we have written is the newest there is: until the watch tells of it, the
 * watch is still at those before it; after that the watch is in order. */
static bool is_present_one(const struct pod *before, enum observed what)
{
    return what == OBSERVED_CREATED || what == OBSERVED_LAUNCHED || (what == OBSERVED_PRESENT && !before->untold);
}

/* Takes fresh in the place of before (NULL: nothing was known), or what it tells into before. */
static bool replaces(struct pod *before, struct pod *fresh, enum observed what)
{
    if (!before)
        return true;
    if (before->uid.len && fresh->uid.len && !slice_eq(before->uid, fresh->uid))
        return is_present_one(before, what);
    bool told_less = fresh->gone && !fresh->container_count; /* a tombstone has no status */
    bool written = what == OBSERVED_CREATED || what == OBSERVED_LAUNCHED;
    if (!told_less && (!written || before->untold))
        return true;
    before->gone = before->gone || fresh->gone;
    before->untold = before->facts.untold = before->untold && !fresh->gone;
    return false;
}

/* Takes p. */
static void put(struct run *run, struct pod *p, enum observed what)
{
    struct pod **link = pod_find(run, p->name, &p->place);
    bool namesake = is_namesake(run, p);
    if (namesake && *link && !(*link)->untold && what == OBSERVED_PRESENT)
        (*link)->gone = true; /* ours, or its name would not be free */
    if (namesake || !replaces(*link, p, what)) {
        pod_free(p);
        return;
    }
    if (p->facts.driver_created_at.ms > run->driver_created_at.ms)
        run->driver_created_at = p->facts.driver_created_at;
    if (*link)
        pod_replace(run, link, p);
    else
        pod_add(run, p);
}

/* False: nothing new. */
static bool pin(struct run *run, struct slice name, struct slice uid)
{
    if (!uid.len || (run->pinned && slice_eq(name, slice_from_cstr(run->pinned)) && slice_eq(uid, slice_from_cstr(run->pinned_uid))))
        return false;
    free(run->pinned);
    free(run->pinned_uid);
    run->pinned = heap_cstr(name);
    run->pinned_uid = heap_cstr(uid);
    return true;
}

static void take(struct observations *obs, struct arena *arena, const struct observed_place *place, const struct json *pod, enum observed what,
                 struct slice *ret_run_id)
{
    const struct json *meta = json_get(pod, S("metadata"));
    struct slice run_id = json_text(JSON_AT(meta, "labels", LABEL_JOB_ID));
    *ret_run_id = SLICE_NONE;
    if (!run_id.len || !json_get_text(meta, "name").len)
        return;
    struct pod *fresh = pod_read(pod, place, what);
    mutex_lock(&obs->lock);
    struct run *run = ensure(obs, run_id);
    bool ours = !run->placed || is_of_run(run, place);
    if (ours && what == OBSERVED_LAUNCHED)
        (void)pin(run, fresh->name, fresh->uid);
    if (ours)
        put(run, fresh, what);
    mutex_unlock(&obs->lock);
    if (ours)
        *ret_run_id = slice_dup(arena, run_id);
    else
        pod_free(fresh);
}

void observations_told(struct observations *obs, struct arena *arena, struct slice cluster, const struct json *pod, enum observed what,
                       struct slice *ret_run_id)
{
    take(obs, arena, &(struct observed_place){cluster, json_text(JSON_AT(pod, "metadata", "namespace"))}, pod, what, ret_run_id);
}

void observations_pod(struct observations *obs, struct arena *arena, const struct json *pod, enum observed what, struct slice *ret_run_id)
{
    take(obs, arena, &(struct observed_place){0}, pod, what, ret_run_id);
}

void observations_place(struct observations *obs, struct slice run_id, struct slice cluster, struct slice namespace_)
{
    mutex_lock(&obs->lock);
    struct run *run = ensure(obs, run_id);
    if (!run->placed) {
        run->placed = true;
        run->cluster = heap_cstr(cluster);
        run->namespace_ = heap_cstr(namespace_);
        for (struct pod *p = run->pods, *next; p; p = next) {
            next = p->next;
            if (is_of_run(run, &p->place))
                continue;
            pod_remove(run, p);
            pod_free(p);
        }
    }
    mutex_unlock(&obs->lock);
}

void observations_pin(struct observations *obs, struct slice run_id, struct slice driver_pod, struct slice uid)
{
    mutex_lock(&obs->lock);
    struct run *run = ensure(obs, run_id);
    bool fresh = pin(run, driver_pod, uid);
    for (struct pod *p = fresh ? run->pods : NULL, *next; p; p = next) { /* a namesake that was told of before */
        next = p->next;
        if (!is_namesake(run, p))
            continue;
        pod_remove(run, p);
        pod_free(p);
    }
    mutex_unlock(&obs->lock);
}

struct drivers {
    struct slice *uids;
    size_t count;
};

/* Under the lock: the uids of the run's drivers that are known. */
static struct drivers drivers_of(struct arena *arena, const struct run *run)
{
    struct drivers drivers = {0};
    size_t most = 1;
    for (const struct pod *p = run ? run->pods : NULL; p; p = p->next)
        most += p->driver;
    drivers.uids = ARENA_ARRAY(arena, most, struct slice);
    if (run && run->pinned_uid)
        drivers.uids[drivers.count++] = slice_from_cstr(run->pinned_uid);
    for (const struct pod *p = run ? run->pods : NULL; p; p = p->next) {
        if (p->driver && p->uid.len && is_seen(run, p))
            drivers.uids[drivers.count++] = p->uid;
    }
    return drivers;
}

/* A driver of the run, or an executor that such a driver has made. */
static bool is_ours(const struct run *run, const struct pod *p, const struct drivers *drivers)
{
    bool ours = p->driver;
    for (size_t i = 0; i < p->owner_count && !ours; i++)
        ours = p->owners[i].len && slice_is_one_of(p->owners[i], drivers->uids, drivers->count);
    return ours && is_seen(run, p);
}

/* Which of the executors there are under the driver keeps the job from going on: the first that does not start, when none runs. */
static const struct pod *waiting_executor(const struct run *run, const struct drivers *drivers, struct instant driver_created_at, bool *ret_there)
{
    const struct pod *first = NULL;
    *ret_there = false;
    for (const struct pod *p = run->pods; p; p = p->next) {
        if (p->driver || p->gone || p->created_at.ms < driver_created_at.ms || !is_ours(run, p, drivers))
            continue;
        *ret_there = true;
        if (p->running)
            return NULL;
        first = first || !p->waiting.len ? first : p;
    }
    return first;
}

void observations_get(struct observations *obs, struct arena *arena, struct slice run_id, struct slice driver_pod, struct observation *ret_seen)
{
    struct observation seen = {.driver = DRIVER_ABSENT};
    bool gone = false, all_deleted = true;
    struct instant deleted_by = {0};
    size_t pods = 0;
    mutex_lock(&obs->lock);
    struct run *run = *find(obs, run_id);
    struct drivers drivers = drivers_of(arena, run);
    for (struct pod *p = run ? run->pods : NULL; p; p = p->next) {
        if (!is_ours(run, p, &drivers))
            continue;
        pods += !p->gone;
        all_deleted = all_deleted && (p->gone || p->deleted_by.ms);
        if (!p->gone && p->deleted_by.ms > deleted_by.ms)
            deleted_by = p->deleted_by;
        gone = gone || (p->gone && p->driver && slice_eq(p->name, driver_pod));
        if (p->driver && slice_eq(p->name, driver_pod) && (!p->gone || p->facts.driver == DRIVER_ENDED)) { /* one that ended and was then deleted has ended */
            seen = p->facts;
            seen.reason = slice_dup(arena, seen.reason);
            seen.message = slice_dup(arena, seen.message);
            seen.waiting = slice_dup(arena, seen.waiting);
            seen.held_by = slice_dup(arena, seen.held_by);
        }
    }
    if (run && run->trouble && seen.driver != DRIVER_ABSENT && run->trouble_at.ms >= seen.driver_created_at.ms)
        seen.executor_trouble = slice_dup_cstr(arena, run->trouble);
    for (struct pod *p = run ? run->pods : NULL; p && seen.driver != DRIVER_ABSENT && !seen.executor_trouble.ptr; p = p->next) {
        if (p->trouble.len && is_ours(run, p, &drivers) && p->created_at.ms >= seen.driver_created_at.ms) /* an earlier attempt's is another matter */
            seen.executor_trouble = slice_dup(arena, p->trouble);
    }
    const struct pod *waiting = run && seen.driver == DRIVER_RUNNING ? waiting_executor(run, &drivers, seen.driver_created_at, &seen.executor_there) : NULL;
    if (waiting) {
        seen.executor_waiting = slice_dup(arena, waiting->waiting);
        seen.executor_waiting_since = waiting->created_at;
    }
    mutex_unlock(&obs->lock);
    seen.pods = pods;
    seen.pods_deleted_by = all_deleted ? deleted_by : (struct instant){0};
    seen.gone = gone;
    *ret_seen = seen;
}

/* What was wrong with it may still be a cause: the first under the latest driver is kept. */
static void keep_trouble(struct run *run, const struct pod *p)
{
    if (!p->trouble.len || (run->trouble && run->trouble_at.ms >= run->driver_created_at.ms))
        return;
    free(run->trouble);
    run->trouble = heap_cstr(p->trouble);
    run->trouble_at = p->created_at;
}

void observations_containers(struct observations *obs, struct arena *arena, struct slice run_id, struct observed_container **ret_containers,
                             size_t *ret_count)
{
    size_t count = 0;
    mutex_lock(&obs->lock);
    struct run *run = *find(obs, run_id);
    for (struct pod *p = run ? run->pods : NULL; p; p = p->next)
        count += p->container_count;
    struct observed_container *list = ARENA_ARRAY(arena, count + 1, struct observed_container);
    struct drivers drivers = drivers_of(arena, run);
    count = 0;
    for (struct pod *p = run ? run->pods : NULL, *next; p; p = next) {
        next = p->next;
        if (!is_seen(run, p))
            continue;
        bool ours = is_ours(run, p, &drivers);
        for (size_t i = 0; ours && i < p->container_count; i++) {
            list[count++] = (struct observed_container){
                .pod = slice_dup(arena, p->name),
                .uid = slice_dup(arena, p->uid),
                .container = slice_dup(arena, p->containers[i].name),
                .started = p->containers[i].started,
                .ended = p->containers[i].ended || p->gone,
            };
        }
        if (p->gone && !p->driver) {
            if (ours)
                keep_trouble(run, p);
            pod_remove(run, p);
            pod_free(p);
        }
    }
    mutex_unlock(&obs->lock);
    *ret_containers = list;
    *ret_count = count;
}

void observations_pods(struct observations *obs, struct arena *arena, struct slice run_id, struct slice **ret_names, size_t *ret_count)
{
    size_t count = 0;
    mutex_lock(&obs->lock);
    struct run *run = *find(obs, run_id);
    for (struct pod *p = run ? run->pods : NULL; p; p = p->next)
        count++;
    struct slice *names = ARENA_ARRAY(arena, count + 1, struct slice);
    struct drivers drivers = drivers_of(arena, run);
    count = 0;
    for (struct pod *p = run ? run->pods : NULL; p; p = p->next) {
        if (!p->gone && is_ours(run, p, &drivers))
            names[count++] = slice_dup(arena, p->name);
    }
    mutex_unlock(&obs->lock);
    *ret_names = names;
    *ret_count = count;
}

void observations_drop(struct observations *obs, struct slice run_id)
{
    mutex_lock(&obs->lock);
    struct run **link = find(obs, run_id);
    struct run *run = *link;
    if (run)
        *link = run->next;
    mutex_unlock(&obs->lock);
    if (run)
        run_free(run);
}
