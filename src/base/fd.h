/* fd: files and descriptors. Every error names the path. All descriptors are close-on-exec. */
#pragma once
#include "base/err.h"
#include <sys/types.h>

/* First thing in main: where stdin, stdout or stderr were closed by whoever started us, the next file or connection would take their
 * place, and be written to by what is meant for people. They become /dev/null; writing to such a stdout fails, as it should. */
void fd_hold_standard(void);
void fd_closep(int *fd); /* for _cleanup_(fd_closep); -1 is fine */
struct err *fd_write_all(int fd, struct slice data) NODISCARD;
struct err *file_read(struct arena *arena, const char *path, size_t max_bytes, struct slice *ret_data) NODISCARD; /* ERR_NOT_FOUND, ERR_LIMIT */
/* Written beside, synced, renamed, directory synced: after a crash either the old or the new content. */
struct err *file_write_atomic(const char *path, struct slice data, mode_t mode) NODISCARD;
struct err *file_sync_parent(const char *path) NODISCARD;
struct err *dir_make(const char *path, mode_t mode) NODISCARD; /* with parents, whatever the umask; existing is fine */
struct err *tree_remove(const char *path) NODISCARD;           /* never follows links; absent is fine */
bool path_exists(const char *path);
