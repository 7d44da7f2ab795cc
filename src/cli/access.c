/* access: where the daemon of a data directory is and its root key, from the files that the daemon keeps there. */
#include "base/fd.h"
#include "cli/command.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static struct err *read_file(struct command *command, const char *name, struct slice *ret_text)
{
    const char *path = slice_cstr(command->arena, slice_fmt(command->arena, "%s/%s", command->data_dir, name));
    return file_read(command->arena, path, 65536, ret_text);
}

/* The lock is the daemon's as long as it lives. */
static bool is_running(struct command *command)
{
    const char *path = slice_cstr(command->arena, slice_fmt(command->arena, "%s/emberd.lock", command->data_dir));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool running = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return running;
}

struct err *command_access(struct command *command, struct access *ret_access)
{
    struct slice credentials, endpoint;
    struct err *e = read_file(command, "root-credentials", &credentials);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return err_new(ERR_NOT_FOUND, "%s is no data directory of emberd: start emberd, or say with --data-dir where its data is",
                       command->data_dir);
    }
    if (e)
        return e;
    e = read_file(command, "endpoint", &endpoint);
    if ((e && e->kind == ERR_NOT_FOUND) || (!e && !is_running(command))) {
        err_free(e);
        return err_new(ERR_NOT_FOUND, "no emberd runs on %s: start it with emberd --data-dir %s", command->data_dir, command->data_dir);
    }
    if (e)
        return e;
    struct slice profile = S("ember");
    struct access access = {
        .endpoint = slice_trim(endpoint),
        .access_key_id = ini_get(credentials, profile, S("aws_access_key_id")),
        .secret = ini_get(credentials, profile, S("aws_secret_access_key")),
        .region = command->region.ptr ? command->region : ini_get(credentials, profile, S("region")),
    };
    if (!access.access_key_id.len || !access.secret.len || !access.endpoint.len)
        return err_new(ERR_INVALID, "%s/root-credentials cannot be read: restore it, or remove it and start emberd again", command->data_dir);
    if (!access.region.len)
        access.region = S("us-east-1");
    *ret_access = access;
    return NULL;
}
