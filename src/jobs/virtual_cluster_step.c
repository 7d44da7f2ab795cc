/* One step of a virtual cluster that is to end: its runs are cancelled; when none is left it is TERMINATED. Runs of a cluster that is gone
 * or does not answer end by themselves after a while, so this does too. Where the cluster refuses for lack of permission, the virtual cluster
 * is ARRESTED: DeleteVirtualCluster may be asked again. */
#include "base/arena.h"
#include "jobs/job_run.h"
#include "jobs/reconciler_internal.h"
#include "store/virtual_cluster.h"

#define POLL_MS 500

static struct err *cancel_all(struct step *s, const struct slice *ids, size_t count)
{
    struct reconciler *r = s->reconciler;
    for (size_t i = 0; i < count; i++) {
        struct err *e = job_run_cancel(r->options.store, ids[i], S("the deletion of its virtual cluster"), s->now);
        if (e && e->kind != ERR_CONFLICT) /* a conflict: it is on its way to its end already */
            return e;
        err_free(e);
        reconciler_nudge(r, ids[i]);
    }
    return NULL;
}

static struct err *is_refused(struct step *s, const struct virtual_cluster *row, bool *ret_refused)
{
    struct feed *feed;
    struct err *e = feed_get(s->reconciler->feeds, s->arena, row->cluster, &feed);
    *ret_refused = !e && feed_confirm_denied(feed, row->id);
    if (e && e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return NULL;
}

struct err *step_virtual_cluster(struct step *s, struct slice id)
{
    struct reconciler *r = s->reconciler;
    struct virtual_cluster row;
    struct err *missing = store_virtual_cluster_get(r->options.store, s->arena, id, &row);
    s->done = (missing && missing->kind == ERR_NOT_FOUND) || (!missing && !slice_eq(row.state, S("TERMINATING")));
    if (s->done) {
        err_free(missing);
        return NULL;
    }
    if (missing)
        return missing;
    struct slice *live;
    size_t count;
    bool changed, refused = false;
    TRY(store_job_run_list_live(r->options.store, s->arena, id, &live, &count));
    if (!count)
        return store_virtual_cluster_move(r->options.store, id, S("TERMINATING"), S("TERMINATED"), &changed);
    TRY(is_refused(s, &row, &refused));
    if (refused)
        return store_virtual_cluster_move(r->options.store, id, S("TERMINATING"), S("ARRESTED"), &changed);
    TRY(cancel_all(s, live, count));
    s->again_ms = reconciler_monotonic_ms(r) + POLL_MS;
    return NULL;
}
