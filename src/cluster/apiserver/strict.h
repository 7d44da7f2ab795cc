/* strict: finds the members of JSON text that occur twice in one object; the parser keeps only the last. Pure. */
#pragma once
#include "base/json.h"

/* text must be valid JSON. Appends `duplicate field "metadata.name"` for each to found, in the order of the text, each path
 * once. Bounded by the parser's own depth. */
void strict_find_duplicates(struct arena *arena, struct slice text, struct json *found);
