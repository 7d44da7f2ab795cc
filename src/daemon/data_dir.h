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
/* DIR/endpoint, where `ember` finds the daemon, and DIR/emberd.pid, each replaced whole. The pid last, once requests are let in: who sees its
 * own child's pid there may believe the endpoint, also after a crash left both files of an earlier one. */
struct err *data_dir_write_endpoint(struct arena *arena, const char *dir, struct slice endpoint) NODISCARD;
struct err *data_dir_write_pid(struct arena *arena, const char *dir) NODISCARD;
void data_dir_retract(struct arena *arena, const char *dir);
