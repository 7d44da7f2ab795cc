/* interrupts: Ctrl-C as something that is looked at between two calls. One thread reads the signal; the second one ends calls that are under
 * way. At most one at a time, until the end of the program. */
#pragma once
#include "base/err.h"

struct interrupts {
    int fd;                   /* can be read since a Ctrl-C that was not taken yet */
    volatile bool *stop;      /* set at the second Ctrl-C that was not taken; NULL: nothing */
    int pending;              /* atomic */
};
/* interrupts stays where it is as long as the program lives. */
struct err *interrupts_watch(struct interrupts *interrupts, volatile bool *stop) NODISCARD;
/* True when there was one since the last time; forgets all that were. */
bool interrupts_take(struct interrupts *interrupts);
