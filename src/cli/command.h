/* command: what the commands of ember share. A command is one file with one function; main.c has the table. All of it runs in one
 * thread and one arena that lives as long as the program. Output goes to stdout, one sentence about what went wrong to stderr. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/strbuf.h"

struct command {
    struct arena *arena;
    const char *data_dir; /* absolute */
    struct slice region;  /* --region, else absent */
    bool json;            /* --output json */
    const char **args;    /* what is left of the command line */
    size_t arg_count;
};

/* What a client needs to reach the daemon of data_dir. */
struct access {
    struct slice endpoint; /* http://127.0.0.1:4567 */
    struct slice access_key_id, secret, region;
};
/* ERR_NOT_FOUND: no daemon runs on this directory, or it is none; the message says what to do. */
struct err *command_access(struct command *command, struct access *ret_access) NODISCARD;

/* Value of "name = value" in the section [profile] of an INI text, or SLICE_NONE. */
struct slice ini_get(struct slice text, struct slice section, struct slice name);
/* text with these settings in [section]: other sections, comments and other settings of it are kept as they are. */
struct ini_setting {
    struct slice name, value;
};
struct slice ini_set(struct arena *arena, struct slice text, struct slice section, const struct ini_setting *settings, size_t count);

struct err *command_env(struct command *command) NODISCARD;
struct err *command_configure(struct command *command) NODISCARD;
struct err *command_kubeconfig(struct command *command) NODISCARD;
struct err *command_clusters(struct command *command) NODISCARD;
struct err *command_doctor(struct command *command) NODISCARD;
