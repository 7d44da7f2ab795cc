/* garbage: one thread that reacts to changes in the registry: dependents follow their owners (by uid; background, foreground,
 * orphan), namespaces that are being deleted are emptied, events older than an hour go. Level-triggered: at its start it looks at
 * everything once. Source: kubernetes documentation, "Garbage Collection"; captures meta-gc-*. */
#pragma once
#include "cluster/apiserver/registry.h"

struct controllers;

struct err *controllers_start(struct registry *registry, struct controllers **ret_controllers) NODISCARD;
void controllers_stop(struct controllers *controllers); /* NULL is fine */
