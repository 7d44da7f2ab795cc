/* denials: whether a cluster refuses what ends a virtual cluster's runs, for lack of permission. That differs from namespace to namespace, so it is
 * kept for each virtual cluster by itself. Guarded by whoever owns it (a feed). */
#pragma once
#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct denial;

struct denials {
    struct denial *first;
    uint64_t of_all; /* how often the watch, which is of all namespaces, was refused */
};

void denials_deinit(struct denials *denials);
/* How the last call that removes something of that virtual cluster's went. */
void denials_note(struct denials *denials, struct slice virtual_cluster_id, bool denied);
/* The watch was refused. */
void denials_note_all(struct denials *denials);
/* Whether such a call, or the watch, was refused since the last question about that virtual cluster, and before that one too: a refusal from
 * before an operator has repaired the permissions is not enough. */
bool denials_confirm(struct denials *denials, struct slice virtual_cluster_id);
