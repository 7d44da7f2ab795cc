/* wiring: makes the daemon's parts in order, hands each what it needs, and takes them down in reverse. */
#pragma once
#include "base/err.h"
#include "daemon/config.h"
#include "daemon/data_dir.h"
#include "daemon/installation.h"

struct daemon;

/* When it returns, all parts run and requests wait at the door. On an error everything that was started is stopped again. config, key and
 * installation are borrowed for the daemon's life. */
struct err *daemon_start(const struct config *config, const struct root_key *key, const struct installation *installation,
                         struct daemon **ret_daemon) NODISCARD;
/* Lets requests in, and /healthz says so: to be called once the endpoint is written where `ember env` looks for it. */
void daemon_open(struct daemon *daemon);
/* Gives the running daemon the reloadable options of config, and tokens, secrets and the certificate as their files hold them now. All or
 * nothing: on an error the daemon goes on with what it had. config is not kept. */
struct err *daemon_apply(struct daemon *daemon, const struct config *config) NODISCARD;
struct slice daemon_endpoint(const struct daemon *daemon); /* http://127.0.0.1:4567 */
/* Pods go on running; everything accepted is on disk when it returns. NULL is fine. */
void daemon_stop(struct daemon *daemon);
