/* mounts: a container's volumes as arguments of bubblewrap. What a container wrote into a volume (a link to "/" where a later one's
 * subPath or mount point is) must lead neither us nor bubblewrap, who may read and write everywhere, out of it; and no volume may
 * stand where the sandbox's first process (init.h), which still has rights, is loaded from. */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"
#include "runner/run_spec.h"

/* A mount that the first process checks before it starts the command: target shows the directory that was meant, whatever became of its
 * name between our look and bubblewrap's. */
struct mount_check {
    struct slice target;
    uint64_t device, inode;
};

/* Appends to args (each ends with NUL). ERR_INVALID, in words for people: a source that is no volume of the pod or leads out of it, a
 * target that is not served. ret_checks: in the arena, at most container->mount_count. */
struct err *mounts_put(struct arena *arena, struct strbuf *args, const struct run_container *container, struct slice pod_dir,
                       struct mount_check **ret_checks, size_t *ret_check_count) NODISCARD;

/* The file that path in the sandbox is, when it is in one of the volumes: a plain file, at most max_bytes. Absent: it is in none. */
struct err *mounts_read_file(struct arena *arena, const struct run_container *container, struct slice pod_dir, struct slice path,
                             size_t max_bytes, struct slice *ret_text) NODISCARD;

/* The directory that a mount's source is, for reading; -1: there is none, or a link leads to it. */
int mounts_open_dir(struct arena *arena, struct slice pod_dir, struct slice source);

/* "/a//./b/../c/" -> "/a/c", by its text alone. */
struct slice path_clean(struct arena *arena, struct slice path);
/* Whether a volume at this clean path would be under, at or above what the first process is loaded from. */
bool mount_target_is_refused(struct arena *arena, struct slice target);
