/* ember env: exports for a shell. eval "$(ember env)" points any AWS client of that shell at this Ember. */
#include "cli/command.h"
#include <stdio.h>

struct err *command_env(struct command *command)
{
    struct access access;
    TRY(command_access(command, &access));
    const struct {
        const char *name;
        struct slice value;
    } exports[] = {
        {"AWS_ENDPOINT_URL", access.endpoint},
        {"AWS_ACCESS_KEY_ID", access.access_key_id},
        {"AWS_SECRET_ACCESS_KEY", access.secret},
        {"AWS_REGION", access.region},
        {"AWS_DEFAULT_REGION", access.region},
        /* SDKs would put "api." or an account id in front of a host that is an address. */
        {"AWS_DISABLE_HOST_PREFIX_INJECTION", S("true")},
    };
    for (size_t i = 0; i < ARRAY_SIZE(exports); i++)
        printf("export %s='%.*s'\n", exports[i].name, SLICE_ARG(exports[i].value));
    /* Left over from another account they would win over, or go along with, the key above. */
    puts("unset AWS_SESSION_TOKEN AWS_PROFILE");
    return NULL;
}
