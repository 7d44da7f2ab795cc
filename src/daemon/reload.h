/* reload: SIGHUP. Reads the configuration again, gives the daemon what can change while it runs, and says in the log what changed and what needs
 * a restart. With anything wrong, everything stays as it is and the log says why. Main thread. */
#pragma once
#include "daemon/wiring.h"

struct reload;

/* argv and config (what the daemon was started with) are borrowed. */
struct reload *reload_new(int argc, char **argv, const struct config *config);
void reload_free(struct reload *reload);
void reload_run(struct reload *reload, struct daemon *daemon);
