/* data_dir: the directory of one emberd: its lock, the root key and the files by which others find the daemon. */
#pragma once
#include "base/err.h"

struct arena;

struct root_key {
    struct slice access_key_id;
    struct slice secret; /* never logged */
};

/* Makes the directory (0700) on first use and locks it. One that is there already, made by others or by an older emberd, gets 0700 too: no
 * pod passes through it, they get what they need mounted by root before they have their own user. Unless there are other things in it, which
 * others may need: then our own within it are made private, and DATA_DIR_OPEN says so. ERR_CONFLICT: another emberd has it. *ret_lock_fd is
 * held until exit. */
struct err *data_dir_claim(struct arena *arena, const char *dir, int *ret_lock_fd) NODISCARD;
/* DIR/root-credentials: an AWS credentials file with the profile ember (0600); made on first use. */
struct err *data_dir_root_key(struct arena *arena, const char *dir, struct slice region, struct root_key *ret_key) NODISCARD;
/* DIR/emberd.pid and DIR/endpoint, each replaced whole. */
struct err *data_dir_announce(struct arena *arena, const char *dir, struct slice endpoint) NODISCARD;
void data_dir_retract(struct arena *arena, const char *dir);
