/* notify: tells systemd (or whoever set NOTIFY_SOCKET) how the daemon is, as sd_notify(3) does. Does nothing without it. */
#pragma once

void notify_ready(void);
void notify_reloading(void); /* notify_ready comes after it */
void notify_stopping(void);
