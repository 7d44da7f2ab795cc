/* ember run FILE: uploads it, starts a job run of it, follows its output and ends as the job ended. */
#include "base/digest.h"
#include "base/fd.h"
#include "cli/follow.h"
#include "cli/run_wish.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX_BYTES ((size_t)1 << 30)
#define TELL_UPLOAD_BYTES (8 << 20)
#define EXECUTORS_MAX 10000

struct run {
    struct command *command;
    struct client *client;
    struct follow follow;
    struct interrupts *interrupts;
    struct slice file;
    enum program_kind kind;
    int64_t executors;
    struct slice virtual_cluster_id, account;
    bool cancelled, detached;
};

/* ---- what is missing ---- */

static struct err *create_virtual_cluster(struct run *run, struct json **ret_cluster)
{
    struct arena *arena = run->command->arena;
    struct json *input = json_object(arena), *answer;
    json_set_cstr(arena, input, "name", "default");
    json_set_text(arena, input, "clientToken", random_uuid(arena));
    struct json *provider = json_ensure_object(arena, input, "containerProvider");
    json_set_cstr(arena, provider, "id", "local");
    json_set_cstr(arena, provider, "type", "EKS");
    json_set_cstr(arena, json_ensure_object(arena, json_ensure_object(arena, provider, "info"), "eksInfo"), "namespace",
                  "default");
    TRY(client_emr(run->client, arena, S("POST"), S("/virtualclusters"), SLICE_NONE, input, &answer));
    progress_say(&run->follow.progress,
                 "Made the virtual cluster default (%.*s) in the namespace default of the cluster local.",
                 SLICE_ARG(json_get_text(answer, "id")));
    *ret_cluster = answer;
    return NULL;
}

/* arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/ID */
static struct slice account_of(struct slice arn)
{
    for (int i = 0; i < 4 && arn.ptr; i++)
        slice_cut(&arn, ':');
    return slice_cut(&arn, ':');
}

static struct err *find_virtual_cluster(struct run *run)
{
    struct json *cluster;
    struct err *e = virtual_cluster_choose(run->client, run->command->arena, &cluster);
    bool wanted = e && e->kind == ERR_NOT_FOUND && command_flag(run->command, "--create") &&
                  !command_option(run->command, "--virtual-cluster");
    if (e && !wanted)
        return e;
    err_free(e);
    if (wanted)
        TRY(create_virtual_cluster(run, &cluster));
    run->virtual_cluster_id = json_get_text(cluster, "id");
    run->account = account_of(json_get_text(cluster, "arn"));
    return NULL;
}

/* ---- the upload ---- */

static struct err *read_program(struct run *run, struct slice *ret_bytes)
{
    const char *path = slice_cstr(run->command->arena, run->file);
    struct stat info;
    if (stat(path, &info) != 0)
        return err_errno(errno, "%s", path);
    if (!S_ISREG(info.st_mode))
        return err_new(ERR_NOT_FOUND, "%s is no file", path);
    if ((size_t)info.st_size > FILE_MAX_BYTES)
        return err_new(ERR_LIMIT, "%s has more than 1 GiB: upload it with aws s3 cp and name its s3:// address", path);
    return file_read(run->command->arena, path, FILE_MAX_BYTES, ret_bytes);
}

static struct err *ensure_bucket(struct run *run, struct slice bucket)
{
    struct arena *arena = run->command->arena;
    struct http_response response;
    struct err *e = client_s3(run->client, arena, &(struct s3_call){.method = S("HEAD"), .bucket = bucket}, &response);
    if (!e || e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    if (!command_flag(run->command, "--create"))
        return err_new(
            ERR_NOT_FOUND,
            "there is no bucket %.*s to upload to: say ember run --create, or make it with aws s3 mb s3://%.*s",
            SLICE_ARG(bucket), SLICE_ARG(bucket));
    struct slice region = run->client->access.region, body = SLICE_NONE;
    if (!slice_eq(region, S("us-east-1")))
        body = slice_fmt(arena,
                         "<CreateBucketConfiguration "
                         "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>%.*s</"
                         "LocationConstraint></CreateBucketConfiguration>",
                         SLICE_ARG(region));
    TRY(client_s3(run->client, arena, &(struct s3_call){.method = S("PUT"), .bucket = bucket, .body = body},
                  &response));
    progress_say(&run->follow.progress, "Made the bucket %.*s.", SLICE_ARG(bucket));
    return NULL;
}

/* The key has the content's digest, so that a program that is there already need not travel again, and one that runs
 * never changes. */
static struct err *upload(struct run *run, struct slice *ret_entry_point)
{
    struct arena *arena = run->command->arena;
    struct slice bytes, base = slice_from(run->file, (size_t)(slice_rindex(run->file, '/') + 1));
    TRY(read_program(run, &bytes));
    struct slice bucket =
        slice_fmt(arena, "ember-run-%.*s-%.*s", SLICE_ARG(run->account), SLICE_ARG(run->client->access.region));
    static const char *const ENDINGS[] = {[PROGRAM_PYTHON] = ".py", [PROGRAM_JAR] = ".jar", [PROGRAM_SQL] = ".sql"};
    struct slice key = slice_fmt(arena, "%.*s/%.*s%s", SLICE_ARG(slice_sub(sha256_hex(arena, bytes), 0, 32)),
                                 SLICE_ARG(program_name(arena, base)), ENDINGS[run->kind]);
    struct http_response response;
    TRY(ensure_bucket(run, bucket));
    *ret_entry_point = slice_fmt(arena, "s3://%.*s/%.*s", SLICE_ARG(bucket), SLICE_ARG(key));
    struct err *e =
        client_s3(run->client, arena, &(struct s3_call){.method = S("HEAD"), .bucket = bucket, .key = key}, &response);
    if (!e || e->kind != ERR_NOT_FOUND)
        return e;
    err_free(e);
    if (bytes.len >= TELL_UPLOAD_BYTES) {
        struct slice text = slice_fmt(arena, "Uploading %.*s (%zu MiB) …", SLICE_ARG(base), bytes.len >> 20);
        progress_show(&run->follow.progress, arena, text, text);
    }
    e = client_s3(run->client, arena,
                  &(struct s3_call){.method = S("PUT"), .bucket = bucket, .key = key, .body = bytes}, &response);
    progress_hide(&run->follow.progress);
    return e;
}

/* ---- the start ---- */

static struct err *make_wish(struct run *run, struct run_wish *ret_wish)
{
    struct command *command = run->command;
    struct arena *arena = command->arena;
    const char *name = command_option(command, "--name"), *role = command_option(command, "--role"),
               *release = command_option(command, "--release"), *group = command_option(command, "--log-group");
    *ret_wish = (struct run_wish){
        .entry_point = run->file,
        .name = name ? slice_from_cstr(name) : program_name(arena, run->file),
        .role =
            role ? slice_from_cstr(role)
                 : slice_fmt(arena, "arn:aws:iam::%.*s:role/EMRContainers-JobExecutionRole", SLICE_ARG(run->account)),
        .release = release ? slice_from_cstr(release) : S("emr-6.2.0-latest"),
        .client_token = random_uuid(arena),
        .log_group = group ? slice_from_cstr(group) : S("ember-run"),
        .kind = run->kind,
        .executors = run->executors,
    };
    return program_is_remote(run->file) ? NULL : upload(run, &ret_wish->entry_point);
}

/* The client token makes it safe to ask again when nobody answered. */
static struct err *start(struct run *run, const struct json *input, struct json **ret_answer)
{
    struct arena *arena = run->command->arena;
    struct patience patience = {.reached = true};
    bool again = true;
    while (again) {
        if (patience.since_ms && interrupts_take(run->interrupts)) {
            run->command->exit_status = STATUS_INTERRUPTED;
            return err_new(ERR_UNAVAILABLE,
                           "interrupted before Ember said that the job run is started; ember jobs shows whether it is");
        }
        struct err *e =
            client_emr(run->client, arena, S("POST"),
                       slice_fmt(arena, "/virtualclusters/%.*s/jobruns", SLICE_ARG(run->virtual_cluster_id)),
                       SLICE_NONE, input, ret_answer);
        TRY(patience_after(&patience, run->client, &run->follow.progress, run->interrupts->fd, e, &again));
    }
    return NULL;
}

/* ---- Ctrl-C ---- */

static void detach(struct run *run)
{
    run->detached = true;
    progress_say(&run->follow.progress, "The job run goes on. Its log: ember logs -f %.*s", SLICE_ARG(run->follow.id));
}

static struct err *cancel(struct run *run)
{
    struct arena *arena = run->command->arena;
    struct json *ignored;
    run->cancelled = true;
    struct slice path = slice_fmt(arena, "/virtualclusters/%.*s/jobruns/%.*s", SLICE_ARG(run->virtual_cluster_id),
                                  SLICE_ARG(run->follow.id));
    struct err *e = client_emr(run->client, arena, S("DELETE"), path, SLICE_NONE, NULL, &ignored);
    if (e && e->kind == ERR_UNAVAILABLE)
        return err_wrap(e, "the job run could not be cancelled");
    if (e)
        progress_say(&run->follow.progress, "%.*s.", SLICE_ARG(err_message(e))); /* it had ended just before */
    else
        progress_say(&run->follow.progress, "Cancelling …");
    err_free(e);
    return NULL;
}

/* 'c', 'd' or '\n', as a line begins; 'd' too when there are no more lines or at another Ctrl-C. */
static char ask(struct run *run)
{
    char line[64];
    for (;;) {
        fputs("Cancel the job run? [c]ancel, [d]etach, [Enter] go on: ", stderr);
        struct pollfd both[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = run->interrupts->fd, .events = POLLIN}};
        if (poll(both, ARRAY_SIZE(both), -1) < 0)
            continue;
        if (both[1].revents && interrupts_take(run->interrupts)) {
            fputc('\n', stderr);
            return 'd';
        }
        if (!both[0].revents)
            continue;
        ssize_t len = read(STDIN_FILENO, line, sizeof(line));
        if (len <= 0)
            return 'd';
        if (line[0] == '\n' || line[0] == 'c' || line[0] == 'd')
            return line[0];
    }
}

static struct err *interrupted(struct follow *follow, int count, bool *ret_leave)
{
    struct run *run = follow->context;
    run->command->exit_status = STATUS_INTERRUPTED;
    bool can_ask = isatty(STDIN_FILENO) && follow->progress.screen.terminal;
    const char *told = command_option(run->command, "--on-interrupt");
    char answer = told && strcmp(told, "cancel") == 0 ? 'c' : 'd';
    if (run->cancelled || (count > 1 && can_ask))
        answer = 'd'; /* no patience */
    else if (can_ask && !told) {
        fputc('\n', stderr);
        answer = ask(run);
    }
    if (answer == 'c')
        return cancel(run);
    if (answer == 'd') {
        detach(run);
        *ret_leave = true;
    } else {
        run->command->exit_status = STATUS_OK;
    }
    return NULL;
}

/* ---- all of it ---- */

static void end_as(struct run *run, const struct json *end)
{
    struct slice state = json_get_text(end, "state"), cause = text_shown(run->command->arena, job_run_cause(end));
    bool completed = slice_eq(state, S("COMPLETED"));
    if (!run->cancelled)
        run->command->exit_status = completed                      ? STATUS_OK
                                    : slice_eq(state, S("FAILED")) ? job_run_exit_code(end)
                                                                   : STATUS_FAILED;
    if (completed)
        return;
    progress_say(&run->follow.progress, "The job run is %.*s%s%.*s.", SLICE_ARG(state), cause.len ? ": " : "",
                 SLICE_ARG(cause));
    if (slice_eq(state, S("FAILED")))
        progress_say(&run->follow.progress, "More: ember logs --stderr %.*s; ember jobs show %.*s",
                     SLICE_ARG(run->follow.id), SLICE_ARG(run->follow.id));
}

static struct err *follow_started(struct run *run)
{
    struct arena *arena = run->command->arena;
    struct json *now, *end;
    bool printed;
    TRY(job_run_describe(run->client, arena, run->virtual_cluster_id, run->follow.id, &now));
    TRY(follow_run(&run->follow, now, &end, &printed));
    if (end && !run->detached)
        end_as(run, end);
    return NULL;
}

static struct err *run_program(struct run *run)
{
    struct command *command = run->command;
    struct run_wish wish;
    struct json *input, *answer;
    TRY(find_virtual_cluster(run));
    TRY(make_wish(run, &wish));
    TRY(run_wish_to_json(command, &wish, &input));
    TRY(interrupts_watch(run->interrupts, &run->client->stop));       /* until here Ctrl-C simply ends the program */
    __atomic_store_n(&run->interrupts->stop_at, 2, __ATOMIC_SEQ_CST); /* who would know then whether there is a run? */
    TRY(start(run, input, &answer));
    __atomic_store_n(&run->interrupts->stop_at, 1, __ATOMIC_SEQ_CST);
    struct slice id = json_get_text(answer, "id");
    run->follow.virtual_cluster_id = run->virtual_cluster_id;
    run->follow.id = id;
    if (command_flag(command, "--detach")) {
        TRY(output_write(slice_fmt(command->arena, "%.*s\n", SLICE_ARG(id))));
        return output_flush();
    }
    progress_say(&run->follow.progress, "Job run %.*s", SLICE_ARG(id));
    return follow_started(run);
}

struct err *command_run(struct command *command)
{
    static struct interrupts interrupts; /* its thread lives as long as the program, and knows both */
    static struct client client;
    struct run run = {.command = command, .client = &client, .file = slice_from_cstr(command->args[0])};
    if (!program_kind_of(run.file, &run.kind))
        return err_new(ERR_INVALID, "%s is neither a .py, a .jar nor a .sql file", command->args[0]);
    TRY(command_number(command, "--executors", 1, EXECUTORS_MAX, 2, &run.executors));
    TRY(client_open(command, &client));
    run.follow = (struct follow){.client = &client,
                                 .choice = {.out = true, .driver = true},
                                 .interrupts = &interrupts,
                                 .interrupted = interrupted,
                                 .context = &run,
                                 .progress = progress_of()};
    run.interrupts = &interrupts;
    struct err *e = run_program(&run);
    progress_close(&run.follow.progress);
    client_close(&client);
    return e;
}
