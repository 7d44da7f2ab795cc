/* ember clusters: the names of the embedded clusters. */
#include "base/fd.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/table.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

static int is_cluster(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void print_names(struct command *command, const struct slice *names, size_t count, struct strbuf *out)
{
    static const struct table_column COLUMNS[] = {{.title = "NAME"}};
    struct table table = table_of(command->arena, COLUMNS, ARRAY_SIZE(COLUMNS));
    struct json *root = json_object(command->arena), *list = json_ensure_array(command->arena, root, "clusters");
    for (size_t i = 0; i < count; i++) {
        struct json *one = json_object(command->arena);
        json_set_text(command->arena, one, "name", names[i]);
        json_append(list, one);
        table_add(&table, &(struct table_cell){.text = names[i]});
        if (command->output == OUTPUT_TEXT)
            strbuf_append_fmt(out, "%.*s\n", SLICE_ARG(names[i]));
    }
    if (command->output == OUTPUT_TABLE)
        table_append(out, &table, screen_of(1), 0);
    else if (command->output == OUTPUT_JSON) {
        json_write_pretty(out, root);
        strbuf_append_char(out, '\n');
    }
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
    struct slice *names = ARENA_ARRAY(command->arena, (size_t)count + 1, struct slice);
    size_t found = 0;
    for (int i = 0; i < count; i++) {
        if (path_exists(
                slice_cstr(command->arena, slice_fmt(command->arena, "%s/%s/kubeconfig", dir, entries[i]->d_name))))
            names[found++] = slice_dup_cstr(command->arena, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    struct strbuf out = STRBUF_ARENA(command->arena);
    print_names(command, names, found, &out);
    return output_write(strbuf_slice(&out));
}
