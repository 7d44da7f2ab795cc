/* interrupts: Ctrl-C as something that is looked at between two calls, and that ends a call that is under way. One
 * thread reads the signal. At most one at a time, until the end of the program. */
#pragma once
#include "base/err.h"

struct interrupts {
    int fd;              /* can be read since a Ctrl-C that was not taken yet */
    volatile bool *stop; /* set by it */
    int stop_at; /* atomic: so many that were not taken end a call: 1, or 2 while an answer must not be missed */
    int pending; /* atomic */
};
/* interrupts stays where it is as long as the program lives. */
struct err *interrupts_watch(struct interrupts *interrupts, volatile bool *stop) NODISCARD;
/* How many there were since the last time. */
int interrupts_take(struct interrupts *interrupts);
