/* ember: the command line of Ember. */
#include "base/fd.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef EMBER_VERSION
#define EMBER_VERSION "unknown"
#endif

static struct err *find_data_dir(struct command *command)
{
    const char *dir = command_option(command, "--data-dir");
    command->data_dir_given = dir != NULL;
    if (!dir)
        dir = getenv("EMBER_DATA_DIR");
    if (!dir || !*dir) {
        const char *home = getenv("HOME");
        if (!home || !*home)
            return err_new(ERR_INVALID, "say with --data-dir where emberd's data is: HOME is not set");
        dir = slice_cstr(command->arena, slice_fmt(command->arena, "%s/.ember", home));
    }
    command->data_dir = dir;
    return NULL;
}

static struct err *print(struct arena *arena, const struct command_def *def)
{
    struct strbuf out = STRBUF_ARENA(arena);
    command_help(&out, def);
    return output_write(strbuf_slice(&out));
}

static struct err *run(struct command *command, size_t count, const char *const *words)
{
    bool help;
    TRY(command_parse(command->arena, count, words, command, &help));
    if (help)
        return print(command->arena, command->def);
    if (command_flag(command, "--version"))
        return output_write(S("ember " EMBER_VERSION "\n"));
    TRY(find_data_dir(command));
    return command->def->run(command);
}

int main(int argc, char **argv)
{
    fd_hold_standard();
    /* A daemon that goes away while it is spoken to is no reason to die; output_write() looks at its own errors. */
    signal(SIGPIPE, SIG_IGN);
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    if (argc < 2) {
        struct strbuf out = STRBUF_ARENA(arena);
        command_help(&out, NULL);
        fputs(out.ptr, stderr);
        return STATUS_USAGE;
    }
    struct command command = {.arena = arena};
    const char **words = ARENA_ARRAY(arena, (size_t)argc, const char *);
    for (int i = 1; i < argc; i++)
        words[i - 1] = argv[i];
    struct err *e = run(&command, (size_t)argc - 1, words);
    struct err *unwritten = output_flush();
    if (!e)
        e = unwritten;
    else
        err_free(unwritten);
    if (!e)
        return command.exit_status;
    struct slice text = text_shown(arena, err_message(e));
    fprintf(stderr, "ember: %.*s\n", SLICE_ARG(text));
    int status = command.exit_status ? command.exit_status : e->kind == ERR_INVALID ? STATUS_USAGE : STATUS_FAILED;
    err_free(e);
    return status;
}
