/* similar: what somebody may have meant who mistyped a name. Pure. */
#pragma once
#include "base/slice.h"

/* The nearest of names, all of them in small letters with '-' between words; NULL when name is another word altogether. '_' for '-'
 * and capitals are the commonest slips and cost nothing. */
const char *similar_name(struct slice name, const char *const *names, size_t count);
