/* command: what the commands of ember share. A command is one file with one function; commands.c has the one table from
 * which parsing, help, completion and manual pages are made. All of it runs in one thread and one arena that lives as
 * long as the program. What was asked for goes to stdout, all else to stderr: progress, advice, and one sentence about
 * what went wrong. Exit statuses: STATUS_*. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/strbuf.h"

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_INTERRUPTED = 130 };

enum output { OUTPUT_DEFAULT, OUTPUT_TABLE, OUTPUT_TEXT, OUTPUT_JSON };

struct command {
    struct arena *arena;
    const struct command_def *def;
    const char *data_dir; /* absolute */
    bool data_dir_given;  /* by --data-dir: it wins over AWS_* of the environment */
    struct slice region;  /* --region, else absent */
    enum output output;   /* one of def->formats, never OUTPUT_DEFAULT where it has any */
    bool json;            /* --output json */
    const char **args;    /* what is left of the command line */
    size_t arg_count;
    const char **rest; /* behind -- */
    size_t rest_count;
    struct given_option {         /* in the order of the command line */
        const char *name, *value; /* value NULL: a flag */
    } *options;
    size_t option_count;
    int exit_status; /* what a command that went well ends with: STATUS_OK, but for `ember run` */
};

/* ---- the table (commands.c) ---- */

struct option_def {
    const char *name;  /* "--state" */
    char letter;       /* 'f' for -f, or 0 */
    const char *value; /* what its value is called; NULL: a flag */
    const char *about;
    const char *words; /* the values it takes, blanks between; NULL: any */
};
struct command_def {
    const char *name;     /* "jobs", "jobs show" */
    const char *argument; /* "RUN", "" */
    const char *about;    /* one line, without a full stop */
    const char *manual;   /* paragraphs, an empty line between */
    const char *examples; /* one a line */
    const struct option_def *options;
    size_t option_count;
    size_t min_args, max_args;
    const char *rest;    /* what the words behind -- are called; NULL: none are taken */
    const char *formats; /* of --output, the default first, blanks between; NULL: --output is not taken */
    struct err *(*run)(struct command *command);
};
extern const struct command_def COMMANDS[];
extern const size_t COMMAND_COUNT;
extern const struct option_def GLOBAL_OPTIONS[];
extern const size_t GLOBAL_OPTION_COUNT;
/* Exit statuses, files and environment of the manual page ember(1): name and prose. */
struct fact {
    const char *name, *about;
};
extern const struct fact STATUSES[], ENVIRONMENT[];
extern const size_t STATUS_COUNT, ENVIRONMENT_COUNT;

/* ---- the command line (options.c) ---- */

/* Fills all of ret_command but arena, data_dir and region's default. *ret_help: --help was among the words;
 * ret_command->def may then be NULL. ERR_INVALID: one sentence about what is wrong. Pure. */
struct err *command_parse(struct arena *arena, size_t count, const char *const *words, struct command *ret_command,
                          bool *ret_help) NODISCARD;
/* The last value given for it, or NULL; of a flag: whether it was given. */
const char *command_option(const struct command *command, const char *name);
bool command_flag(const struct command *command, const char *name);
/* The option's number within [min, max], otherwise when it was not given. */
struct err *command_number(const struct command *command, const char *name, int64_t min, int64_t max, int64_t otherwise,
                           int64_t *ret_value) NODISCARD;
void command_help(struct strbuf *out, const struct command_def *def); /* NULL: all commands */

/* What a client needs to reach the daemon of data_dir. */
struct access {
    struct slice endpoint; /* http://127.0.0.1:4567 */
    struct slice access_key_id, secret, region;
    struct slice session_token; /* absent: none */
    const char *ca_path;        /* of AWS_CA_BUNDLE; NULL: the system's */
};
/* ERR_NOT_FOUND: no daemon runs on this directory, or it is none; the message says what to do. */
struct err *command_access(struct command *command, struct access *ret_access) NODISCARD;
/* The same for commands that are clients only: --data-dir, else what the environment says as the AWS CLI reads it
 * (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID …, AWS_PROFILE) where it names an endpoint, else the data directory. */
struct err *command_client_access(struct command *command, struct access *ret_access) NODISCARD;

/* Value of "name = value" in the section [profile] of an INI text, or SLICE_NONE. */
struct slice ini_get(struct slice text, struct slice section, struct slice name);
/* text with these settings in [section]: other sections, comments and other settings of it are kept as they are. */
struct ini_setting {
    struct slice name, value;
};
struct slice ini_set(struct arena *arena, struct slice text, struct slice section, const struct ini_setting *settings,
                     size_t count);

struct err *command_env(struct command *command) NODISCARD;
struct err *command_configure(struct command *command) NODISCARD;
struct err *command_kubeconfig(struct command *command) NODISCARD;
struct err *command_clusters(struct command *command) NODISCARD;
struct err *command_doctor(struct command *command) NODISCARD;
struct err *command_jobs(struct command *command) NODISCARD;
struct err *command_jobs_show(struct command *command) NODISCARD;
struct err *command_logs(struct command *command) NODISCARD;
struct err *command_events(struct command *command) NODISCARD;
struct err *command_run(struct command *command) NODISCARD;
struct err *command_completion(struct command *command) NODISCARD;
struct err *command_man(struct command *command) NODISCARD;
