/* schema_internal: what tools/kubegen makes; for schema.c alone. */
#pragma once
#include "cluster/apiserver/schema.h"

extern const struct schema_message *const schema_messages[]; /* by name */
extern const size_t schema_messages_count;
