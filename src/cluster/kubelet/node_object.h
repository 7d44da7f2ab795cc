/* node_object: the Node objects of a cluster: made at start, kept Ready. */
#pragma once
#include "cluster/kubelet/node.h"

/* Creates or refreshes all nodes. A node that somebody deleted comes back, as with a real kubelet. */
struct err *node_objects_write(const struct kubelet_options *options) NODISCARD;
/* NAME-1, … */
struct slice node_name(struct arena *arena, const struct kubelet_options *options, int index);
bool node_is_ours(const struct kubelet_options *options, struct slice name);
