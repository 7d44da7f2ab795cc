/* ember kubeconfig [CLUSTER]: the admin's kubeconfig of an embedded cluster, as the daemon keeps it. */
#include "base/fd.h"
#include "cli/command.h"
#include <stdio.h>

struct err *command_kubeconfig(struct command *command)
{
    struct slice name = command->arg_count ? slice_from_cstr(command->args[0]) : S("local");
    if (slice_index(name, '/') >= 0)
        return err_new(ERR_INVALID, "%.*s is no cluster's name; ember clusters lists them", SLICE_ARG(name));
    struct access access;
    TRY(command_access(command, &access));
    struct slice text;
    const char *path = slice_cstr(command->arena, slice_fmt(command->arena, "%s/clusters/%.*s/kubeconfig", command->data_dir, SLICE_ARG(name)));
    struct err *e = file_read(command->arena, path, 1 << 20, &text);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return err_new(ERR_NOT_FOUND, "there is no embedded cluster %.*s; ember clusters lists them", SLICE_ARG(name));
    }
    if (e)
        return e;
    fwrite(text.ptr, 1, text.len, stdout);
    return NULL;
}
