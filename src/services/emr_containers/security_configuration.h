/* security_configuration: what the operations on security configurations share. They are kept and shown; what they ask for (Lake Formation,
 * encryption with certificates from Secrets Manager, Identity Center) is not enforced here, so a virtual cluster may only name one that asks
 * for nothing: see create_virtual_cluster.c. */
#pragma once
#include "services/emr_containers/resource.h"

struct err *security_configuration_missing(struct slice id) NODISCARD; /* ResourceNotFoundException */
struct err *security_configuration_find(struct call *call, struct slice id, struct document *ret_row) NODISCARD; /* ResourceNotFoundException */
struct err *security_configuration_view(struct call *call, const struct document *row, struct emr_containers_security_configuration *ret_view) NODISCARD;
/* ValidationException when it asks for something. */
struct err *security_configuration_check_enforced(struct call *call, struct slice id) NODISCARD;
