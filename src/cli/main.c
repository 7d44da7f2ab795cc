/* ember: the operator's command line. */
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef EMBER_VERSION
#define EMBER_VERSION "unknown"
#endif

static const struct {
    const char *name, *argument, *about;
    struct err *(*run)(struct command *command);
    size_t max_args;
} commands[] = {
    {"env", "", "print exports for a shell: eval \"$(ember env)\"", command_env, 0},
    {"configure", "", "write the profile ember to the AWS config files", command_configure, 0},
    {"kubeconfig", "[CLUSTER]", "print the admin's kubeconfig of an embedded cluster (local)", command_kubeconfig, 1},
    {"clusters", "", "list the embedded clusters", command_clusters, 0},
    {"doctor", "", "say what this machine has of what Ember needs", command_doctor, 0},
};

static void print_help(FILE *out)
{
    fputs("Usage: ember COMMAND [--data-dir DIR] [--region R]\n\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(out, "  %-10s %-10s %s\n", commands[i].name, commands[i].argument, commands[i].about);
    fputs("\n  --data-dir DIR   emberd's data directory ($EMBER_DATA_DIR, else ~/.ember)\n"
          "  --region R       the region that clients shall use (the daemon's)\n"
          "  --output FORMAT  text or json (doctor)\n",
          out);
}

static struct err *find_data_dir(struct arena *arena, const char *given, const char **ret_dir)
{
    const char *dir = given ? given : getenv("EMBER_DATA_DIR");
    if (!dir || !*dir) {
        const char *home = getenv("HOME");
        if (!home || !*home)
            return err_new(ERR_INVALID, "say with --data-dir where emberd's data is: HOME is not set");
        *ret_dir = slice_cstr(arena, slice_fmt(arena, "%s/.ember", home));
        return NULL;
    }
    *ret_dir = dir;
    return NULL;
}

static struct err *parse_output(const char *text, struct command *command)
{
    command->json = strcmp(text, "json") == 0;
    return command->json || strcmp(text, "text") == 0 ? NULL : err_new(ERR_INVALID, "--output %s is neither text nor json", text);
}

/* Options may stand before or after the command. */
static struct err *parse(struct arena *arena, int argc, char **argv, struct command *command, const char **ret_name)
{
    const char *data_dir = NULL;
    command->args = ARENA_ARRAY(arena, (size_t)argc + 1, const char *);
    for (int i = 1; i < argc; i++) {
        struct slice arg = slice_from_cstr(argv[i]);
        bool dir = slice_eq(arg, S("--data-dir")), region = slice_eq(arg, S("--region")), output = slice_eq(arg, S("--output"));
        if ((dir || region || output) && i + 1 >= argc)
            return err_new(ERR_INVALID, "%s needs a value", argv[i]);
        if (dir)
            data_dir = argv[++i];
        else if (region)
            command->region = slice_from_cstr(argv[++i]);
        else if (output)
            TRY(parse_output(argv[++i], command));
        else if (slice_starts_with(arg, S("--output=")))
            TRY(parse_output(argv[i] + sizeof("--output=") - 1, command));
        else if (slice_starts_with(arg, S("--data-dir=")))
            data_dir = argv[i] + sizeof("--data-dir=") - 1;
        else if (slice_starts_with(arg, S("--region=")))
            command->region = slice_from(arg, sizeof("--region=") - 1);
        else if (arg.len && arg.ptr[0] == '-')
            return err_new(ERR_INVALID, "there is no option %s; ember --help lists them", argv[i]);
        else if (!*ret_name)
            *ret_name = argv[i];
        else
            command->args[command->arg_count++] = argv[i];
    }
    return find_data_dir(arena, data_dir, &command->data_dir);
}

static struct err *run(struct command *command, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (command->arg_count > commands[i].max_args)
            return err_new(ERR_INVALID, "ember %s takes no %s", name, command->args[commands[i].max_args]);
        return commands[i].run(command);
    }
    return err_new(ERR_INVALID, "there is no command %s; ember --help lists them", name);
}

int main(int argc, char **argv)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            puts("ember " EMBER_VERSION);
            return 0;
        }
    }
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    struct command command = {.arena = arena, .region = SLICE_NONE};
    const char *name = NULL;
    struct err *e = parse(arena, argc, argv, &command, &name);
    if (!e)
        e = name ? run(&command, name) : err_new(ERR_INVALID, "name a command; ember --help lists them");
    if (!e)
        return fflush(stdout) == 0 ? 0 : 1;
    fflush(stdout);
    fprintf(stderr, "ember: %.*s\n", SLICE_ARG(err_message(e)));
    int status = e->kind == ERR_INVALID ? 2 : 1;
    err_free(e);
    return status;
}
