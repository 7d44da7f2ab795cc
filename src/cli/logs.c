/* ember logs RUN: what its driver or executors wrote, once or until the run has ended. */
#include "cli/follow.h"
#include <stdio.h>

static struct err *read_choice(const struct command *command, struct log_choice *ret_choice)
{
    bool all = command_flag(command, "--all"), err = command_flag(command, "--stderr"),
         driver = command_flag(command, "--driver");
    struct log_choice choice = {.out = !err, .err = all || err};
    TRY(command_number(command, "--executor", 1, INT32_MAX, 0, &choice.executor));
    if (all && err)
        return err_new(ERR_INVALID, "--all and --stderr do not go together");
    if (driver && choice.executor)
        return err_new(ERR_INVALID, "--driver and --executor do not go together");
    choice.executors = choice.executor || (all && !driver);
    choice.driver = !choice.executor;
    choice.labels = all;
    *ret_choice = choice;
    return NULL;
}

static void advise(const struct command *command, const struct log_choice *choice, const struct json *run)
{
    const char *id = command->args[0];
    struct slice state = json_get_text(run, "state"), cause = text_shown(command->arena, job_run_cause(run));
    if (!job_run_is_final(run))
        fprintf(stderr, "There is nothing yet; the run is %.*s%s%.*s. Wait for it: ember logs -f %s\n",
                SLICE_ARG(state), cause.len ? ": " : "", SLICE_ARG(cause), id);
    else if (choice->executor)
        fprintf(stderr, "Executor %lld wrote nothing there, or there was none. All there is: ember logs --all %s\n",
                (long long)choice->executor, id);
    else if (choice->labels)
        fprintf(stderr, "There are no logs; the run is %.*s%s%.*s.\n", SLICE_ARG(state), cause.len ? ": " : "",
                SLICE_ARG(cause));
    else
        fprintf(stderr, "The driver wrote nothing to %s; the run is %.*s%s%.*s. All there is: ember logs --all %s\n",
                choice->err ? "stderr" : "stdout", SLICE_ARG(state), cause.len ? ": " : "", SLICE_ARG(cause), id);
}

static struct err *print_logs(struct client *client, struct follow *follow)
{
    struct command *command = client->command;
    struct json *run;
    bool printed = false;
    TRY(read_choice(command, &follow->choice));
    TRY(job_run_find(client, command->arena, command->args[0], &run));
    follow->virtual_cluster_id = json_get_text(run, "virtualClusterId");
    follow->id = json_get_text(run, "id");
    if (command_flag(command, "--follow")) {
        TRY(follow_run(follow, run, &run, &printed));
    } else {
        struct log_reader *reader;
        TRY(log_reader_open(client, run, &follow->choice, &follow->progress, &reader));
        struct err *e = log_reader_poll(reader);
        if (!e)
            e = log_reader_end(reader);
        printed = log_reader_printed(reader);
        log_reader_free(reader);
        TRY(e);
    }
    if (!printed)
        advise(command, &follow->choice, run);
    return NULL;
}

struct err *command_logs(struct command *command)
{
    struct client client;
    TRY(client_open(command, &client));
    struct follow follow = {.client = &client, .progress = progress_of()};
    struct err *e = print_logs(&client, &follow);
    progress_close(&follow.progress);
    client_close(&client);
    return e;
}
