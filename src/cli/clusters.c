/* ember clusters: the names of the embedded clusters, one a line. */
#include "base/fd.h"
#include "cli/command.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int is_cluster(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

struct err *command_clusters(struct command *command)
{
    struct access access;
    TRY(command_access(command, &access));
    const char *dir = slice_cstr(command->arena, slice_fmt(command->arena, "%s/clusters", command->data_dir));
    struct dirent **entries;
    int count = scandir(dir, &entries, is_cluster, alphasort);
    if (count < 0)
        return err_errno(errno, "%s", dir);
    for (int i = 0; i < count; i++) {
        if (path_exists(slice_cstr(command->arena, slice_fmt(command->arena, "%s/%s/kubeconfig", dir, entries[i]->d_name))))
            puts(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return NULL;
}
