/* config: emberd's options, from the command line, else the environment, else a file, else their defaults. One table
 * (config.def) has them all. The environment's name of data-dir is EMBER_DATA_DIR, and so on (EMBER_LOG is the log level's too); an empty variable counts as not
 * set. The file has lines "name = value", empty lines and lines that begin with '#'; paths in it are relative to its folder. No option
 * holds a secret: where one is needed, the option names its file.
 *
 * Texts point into argv, the environment or the arena. Pure but for the environment and the files; one thread. */
#pragma once
#include "base/err.h"
#include "base/log.h"
#include "base/slice.h"

struct arena;
struct strbuf;

enum config_option {
#define OPTION(id, name, type, argument, otherwise, min, max, reloadable, about) CONFIG_##id,
#define SWITCH(field, name, about)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
    CONFIG_OPTION_COUNT
};

enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENVIRONMENT, CONFIG_FROM_COMMAND_LINE };

struct config_value {
    const char *text; /* as it was given; NULL: it was not */
    enum config_source source;
    int line; /* CONFIG_FROM_FILE */
};

struct config {
    struct config_value values[CONFIG_OPTION_COUNT];
    const char *file; /* that was read; NULL: there is none */
    /* what they mean */
    const char *data_dir; /* absolute */
    const char *address;  /* numeric, without port or brackets */
    uint16_t port;        /* 0: any */
    struct slice account_id, region;
    const char *tls_cert, *tls_key; /* both or none */
    int node_count;
    bool strict_releases;
    enum log_level log_level;
    const char *access_log; /* "stderr" or an absolute path; NULL: off */
    int64_t access_log_max_mib; /* here and below, 0: off */
    const char *metrics_token_file; /* NULL: none */
    int64_t rate_limit, rate_limit_burst, write_limit, write_limit_burst, job_rate_limit;
    int64_t auth_failure_limit, auth_failure_burst;
    bool auth_failure_loopback;
    const char *webhook_url, *webhook_secret_file; /* both or none */
    const char *webhook_ca_file;                   /* NULL: the system's */
    int64_t webhook_give_up_minutes;               /* 0: off */
    bool help, version; /* asked for: nothing else counts */
    bool check_config, print_config;
};

/* Everything that is wrong, one sentence each, which says where it stands and what to do; 0: *ret_config is whole. */
size_t config_read(struct arena *arena, int argc, char **argv, struct config *ret_config, const struct slice **ret_problems);
/* The same for those who want one sentence: ERR_INVALID. */
struct err *config_parse(struct arena *arena, int argc, char **argv, struct config *ret_config) NODISCARD;
/* What only looking at the files can tell (certificate, token, folders): more problems, as above. */
size_t config_check_files(struct arena *arena, const struct config *config, const struct slice **ret_problems);

const char *config_name(enum config_option option); /* "data-dir" */
bool config_is_reloadable(enum config_option option);
/* What the option is now, as it would stand in a file. */
struct slice config_text(struct arena *arena, const struct config *config, enum config_option option);
struct slice config_source_text(struct arena *arena, const struct config *config, enum config_option option); /* "default", "--listen", "/x/ember.conf:3" */

void config_write_help(struct strbuf *out);
void config_write_values(struct strbuf *out, const struct config *config); /* a file with everything, and whence */
void config_write_reference(struct strbuf *out);                           /* docs/configuration.md */
