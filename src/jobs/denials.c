#include "jobs/denials.h"
#include "base/arena.h"
#include <stdlib.h>
#include <string.h>

struct denial {
    struct denial *next;
    bool denied, was_denied; /* since the last question; before it */
    uint64_t of_all;         /* as it was at the last question; 0: there was none, so what the watch was told before counts */
    char id[];
};

void denials_deinit(struct denials *denials)
{
    for (struct denial *d = denials->first, *next; d; d = next) {
        next = d->next;
        free(d);
    }
    denials->first = NULL;
}

static struct denial **find(struct denials *denials, struct slice id)
{
    struct denial **link = &denials->first;
    while (*link && !slice_eq(slice_from_cstr((*link)->id), id))
        link = &(*link)->next;
    return link;
}

static struct denial *ensure(struct denials *denials, struct slice id)
{
    struct denial **link = find(denials, id);
    if (!*link) {
        *link = xcalloc(1, sizeof(**link) + id.len + 1);
        memcpy((*link)->id, id.ptr, id.len);
    }
    return *link;
}

static void drop(struct denial **link)
{
    struct denial *d = *link;
    *link = d->next;
    free(d);
}

void denials_note(struct denials *denials, struct slice virtual_cluster_id, bool denied)
{
    struct denial **link = find(denials, virtual_cluster_id);
    if (denied)
        ensure(denials, virtual_cluster_id)->denied = true;
    else if (*link && (*link)->was_denied)
        (*link)->denied = false;
    else if (*link)
        drop(link);
}

void denials_note_all(struct denials *denials)
{
    denials->of_all++;
}

bool denials_confirm(struct denials *denials, struct slice virtual_cluster_id)
{
    struct denial *d = ensure(denials, virtual_cluster_id);
    bool denied = d->denied || d->of_all != denials->of_all, confirmed = denied && d->was_denied;
    d->denied = false;
    d->was_denied = denied;
    d->of_all = denials->of_all;
    if (confirmed || !denied)
        drop(find(denials, virtual_cluster_id));
    return confirmed;
}
