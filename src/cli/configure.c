/* ember configure: the profile ember in the AWS config files. */
#include "base/fd.h"
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>

static struct err *find_file(struct command *command, const char *variable, const char *name, const char **ret_path)
{
    const char *path = getenv(variable);
    if (path && *path) {
        *ret_path = path;
        return NULL;
    }
    const char *home = getenv("HOME");
    if (!home || !*home)
        return err_new(ERR_INVALID, "HOME is not set: say with %s which file to write", variable);
    *ret_path = slice_cstr(command->arena, slice_fmt(command->arena, "%s/.aws/%s", home, name));
    return NULL;
}

static struct err *update(struct command *command, const char *path, struct slice section, const struct ini_setting *settings, size_t count)
{
    struct slice text = S("");
    struct err *e = file_read(command->arena, path, 1 << 20, &text);
    if (e && e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    struct slice dir = slice_from_cstr(path);
    ptrdiff_t slash = slice_rindex(dir, '/');
    if (slash > 0)
        TRY(dir_make(slice_cstr(command->arena, slice_sub(dir, 0, (size_t)slash)), 0700));
    return file_write_atomic(path, ini_set(command->arena, text, section, settings, count), 0600);
}

struct err *command_configure(struct command *command)
{
    struct access access;
    const char *config, *credentials;
    TRY(command_access(command, &access));
    TRY(find_file(command, "AWS_CONFIG_FILE", "config", &config));
    TRY(find_file(command, "AWS_SHARED_CREDENTIALS_FILE", "credentials", &credentials));
    const struct ini_setting keys[] = {
        {S("aws_access_key_id"), access.access_key_id},
        {S("aws_secret_access_key"), access.secret},
    };
    const struct ini_setting settings[] = {
        {S("region"), access.region},
        {S("endpoint_url"), access.endpoint},
    };
    TRY(update(command, credentials, S("ember"), keys, ARRAY_SIZE(keys)));
    TRY(update(command, config, S("profile ember"), settings, ARRAY_SIZE(settings)));
    printf("Wrote the profile ember to %s and %s. Try: aws --profile ember sts get-caller-identity\n", config, credentials);
    return NULL;
}
