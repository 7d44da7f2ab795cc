/* virtual_cluster_view: a stored virtual cluster as the API shows it. */
#pragma once
#include "services/emr_containers/resource.h"

/* With its tags; memory of the call's arena. */
struct err *virtual_cluster_view(struct call *call, const struct virtual_cluster *row, struct emr_containers_virtual_cluster *ret_view) NODISCARD;
