/* progress: one line on stderr about what is waited for. On a terminal it is redrawn in place and goes when something
 * else is printed; elsewhere each change is a line of its own. Also waiting itself: with patience for a daemon that is
 * away for a while. One thread. */
#pragma once
#include "base/clock.h"
#include "cli/client.h"
#include "cli/terminal.h"

struct progress {
    struct screen screen; /* of stderr */
    bool shown;
    struct strbuf last; /* heap */
};
struct progress progress_of(void);
void progress_close(struct progress *progress); /* the line goes */
/* key: what it is about without what merely grows (a time): elsewhere than on a terminal only its change is told. */
void progress_show(struct progress *progress, struct arena *arena, struct slice key, struct slice text);
void progress_hide(struct progress *progress);
/* A sentence on stderr that stays. */
void progress_say(struct progress *progress, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True at once when fd (-1: none) can be read, false when the time has passed. */
bool wait_ms(int fd, int64_t ms);

/* Calls that failed since nobody answers are made again for five minutes. */
struct patience {
    bool reached;     /* by a call before; who was never reached is not waited for */
    int64_t since_ms; /* monotonic; 0: the last call went well */
    bool told;
};
/* After a call: with e NULL or while it is worth it NULL is returned (e is freed, *ret_again says that it must be made
 * again, after a short wait that readiness of fd ends), else e. */
struct err *patience_after(struct patience *patience, struct client *client, struct progress *progress, int fd,
                           struct err *e, bool *ret_again) NODISCARD;
