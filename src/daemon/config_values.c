/* config_values: what the texts of options mean, and what goes together. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/tls.h"
#include "daemon/config_internal.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_TOKEN_FILE_BYTES 4096
#define MIN_TOKEN_BYTES 16
#define MAX_URL_BYTES 2048

/* The text of an option, given or default; NULL: neither. */
static const char *text_of(const struct config *config, enum config_option option)
{
    if (config->values[option].text)
        return config->values[option].text;
    return config_options[option].otherwise[0] == '(' ? NULL : config_options[option].otherwise;
}

static const char *absolute(struct arena *arena, const struct config *config, enum config_option option, const char *path)
{
    if (*path == '/')
        return path;
    if (config->values[option].source == CONFIG_FROM_FILE) {
        struct slice file = slice_from_cstr(config->file);
        ptrdiff_t slash = slice_rindex(file, '/');
        return slash < 0 ? path : slice_cstr(arena, slice_fmt(arena, "%.*s/%s", SLICE_ARG(slice_sub(file, 0, (size_t)slash)), path));
    }
    char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return path;
    const char *whole = slice_cstr(arena, slice_fmt(arena, "%s/%s", cwd, path));
    free(cwd);
    return whole;
}

static const char *path_of(struct arena *arena, struct config *config, enum config_option option, struct problems *problems)
{
    const char *text = text_of(config, option);
    if (!text)
        return NULL;
    if (!*text) {
        problem_add(problems, "%.*s names no file", SLICE_ARG(config_place(arena, config, option)));
        return NULL;
    }
    return absolute(arena, config, option, text);
}

static int64_t number_of(struct arena *arena, const struct config *config, enum config_option option, struct problems *problems)
{
    const struct option_row *row = &config_options[option];
    const char *text = text_of(config, option);
    int64_t number = 0;
    if (row->type == OPTION_LIMIT && strcmp(text, "off") == 0)
        return 0;
    if (!slice_to_i64(slice_from_cstr(text), row->min, row->max, &number))
        problem_add(problems, "%.*s is not a number from %lld to %lld%s", SLICE_ARG(config_place(arena, config, option)), (long long)row->min,
                    (long long)row->max, row->type == OPTION_LIMIT ? ", nor off" : "");
    return number;
}

static bool switch_of(struct arena *arena, const struct config *config, enum config_option option, struct problems *problems)
{
    const char *text = text_of(config, option);
    bool on = strcmp(text, "on") == 0;
    if (!on && strcmp(text, "off") != 0)
        problem_add(problems, "%.*s is neither on nor off", SLICE_ARG(config_place(arena, config, option)));
    return on;
}

/* The index of the word in "nearest|strict". */
static size_t choice_of(struct arena *arena, const struct config *config, enum config_option option, struct problems *problems)
{
    struct slice text = slice_from_cstr(text_of(config, option)), rest = slice_from_cstr(config_options[option].argument);
    for (size_t i = 0; rest.ptr; i++)
        if (slice_eq(slice_cut(&rest, '|'), text))
            return i;
    problem_add(problems, "%.*s is none of %s", SLICE_ARG(config_place(arena, config, option)), config_options[option].argument);
    return 0;
}

static void interpret_listen(struct arena *arena, struct config *config, struct problems *problems)
{
    struct slice listen = slice_from_cstr(text_of(config, CONFIG_LISTEN));
    struct slice given = config_place(arena, config, CONFIG_LISTEN);
    ptrdiff_t colon = slice_rindex(listen, ':');
    int64_t number;
    config->address = "127.0.0.1"; /* when what follows is none */
    if (colon < 0 || !slice_to_i64(slice_from(listen, (size_t)colon + 1), 0, 65535, &number)) {
        problem_add(problems, "%.*s is not ADDRESS:PORT; 127.0.0.1:4567 is one", SLICE_ARG(given));
        return;
    }
    struct slice host = slice_sub(listen, 0, (size_t)colon);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = slice_sub(host, 1, host.len - 2);
    if (slice_eq(host, S("localhost")))
        host = S("127.0.0.1");
    struct in_addr v4;
    struct in6_addr v6;
    const char *address = slice_cstr(arena, host);
    if (inet_pton(AF_INET, address, &v4) != 1 && inet_pton(AF_INET6, address, &v6) != 1) {
        problem_add(problems, "%.*s: the address must be a number like 127.0.0.1", SLICE_ARG(given));
        return;
    }
    config->address = address;
    config->port = (uint16_t)number;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static void interpret_data_dir(struct arena *arena, struct config *config, struct problems *problems)
{
    const char *dir = config->values[CONFIG_DATA_DIR].text, *home = getenv("HOME");
    if (dir && *dir)
        config->data_dir = absolute(arena, config, CONFIG_DATA_DIR, dir);
    else if (home && *home)
        config->data_dir = slice_cstr(arena, slice_fmt(arena, "%s/.ember", home));
    else
        problem_add(problems, "say with --data-dir where the data goes: HOME is not set");
}

static void interpret_names(struct arena *arena, struct config *config, struct problems *problems)
{
    uint64_t digits;
    config->account_id = slice_from_cstr(text_of(config, CONFIG_ACCOUNT_ID));
    if (config->account_id.len != 12 || !slice_to_u64(config->account_id, UINT64_MAX, &digits))
        problem_add(problems, "%.*s is not 12 digits", SLICE_ARG(config_place(arena, config, CONFIG_ACCOUNT_ID)));
    config->region = slice_from_cstr(text_of(config, CONFIG_REGION));
    bool good = config->region.len > 0 && config->region.len <= 32;
    for (size_t i = 0; i < config->region.len; i++)
        good = good && strchr("abcdefghijklmnopqrstuvwxyz0123456789-", config->region.ptr[i]);
    if (!good)
        problem_add(problems, "%.*s is no region's name; us-east-1 is one", SLICE_ARG(config_place(arena, config, CONFIG_REGION)));
}

static void interpret_tls(struct arena *arena, struct config *config, struct problems *problems)
{
    config->tls_cert = path_of(arena, config, CONFIG_TLS_CERT, problems);
    config->tls_key = path_of(arena, config, CONFIG_TLS_KEY, problems);
    bool insecure = switch_of(arena, config, CONFIG_INSECURE, problems);
    if (!config->tls_cert != !config->tls_key)
        problem_add(problems, "%.*s: --tls-cert and --tls-key go together",
                    SLICE_ARG(config_place(arena, config, config->tls_cert ? CONFIG_TLS_CERT : CONFIG_TLS_KEY)));
    else if (!is_loopback(config->address) && !config->tls_cert && !insecure)
        problem_add(problems, "%.*s: %s is not a loopback address: give --tls-cert and --tls-key, or --insecure to send everything in clear",
                    SLICE_ARG(config_place(arena, config, CONFIG_LISTEN)), config->address);
}

static void interpret_access_log(struct arena *arena, struct config *config, struct problems *problems)
{
    const char *text = text_of(config, CONFIG_ACCESS_LOG);
    if (strcmp(text, "off") == 0)
        config->access_log = NULL;
    else if (strcmp(text, "stderr") == 0)
        config->access_log = "stderr";
    else if (strcmp(text, "on") == 0)
        config->access_log = config->data_dir ? slice_cstr(arena, slice_fmt(arena, "%s/access.log", config->data_dir)) : NULL;
    else if (slice_index(slice_from_cstr(text), '/') < 0) /* a slip of "on" or "off" is no file of that name */
        problem_add(problems, "%.*s is none of on, off, stderr and a path (with a '/')", SLICE_ARG(config_place(arena, config, CONFIG_ACCESS_LOG)));
    else
        config->access_log = absolute(arena, config, CONFIG_ACCESS_LOG, text);
    config->access_log_max_mib = number_of(arena, config, CONFIG_ACCESS_LOG_MAX_MIB, problems);
}

static void interpret_limits(struct arena *arena, struct config *config, struct problems *problems)
{
    config->rate_limit = number_of(arena, config, CONFIG_RATE_LIMIT, problems);
    config->rate_limit_burst = number_of(arena, config, CONFIG_RATE_LIMIT_BURST, problems);
    config->write_limit = number_of(arena, config, CONFIG_WRITE_LIMIT, problems);
    config->write_limit_burst = number_of(arena, config, CONFIG_WRITE_LIMIT_BURST, problems);
    config->job_rate_limit = number_of(arena, config, CONFIG_JOB_RATE_LIMIT, problems);
    config->auth_failure_limit = number_of(arena, config, CONFIG_AUTH_FAILURE_LIMIT, problems);
    config->auth_failure_burst = number_of(arena, config, CONFIG_AUTH_FAILURE_BURST, problems);
    config->auth_failure_loopback = switch_of(arena, config, CONFIG_AUTH_FAILURE_LOOPBACK, problems);
}

/* The host of an absolute URL with its brackets and without its port; absent: it is none, or names a user. */
static struct slice url_host(struct slice rest)
{
    size_t len = 0;
    while (len < rest.len && !strchr("/?", rest.ptr[len]))
        len++;
    struct slice host = slice_sub(rest, 0, len);
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] <= ' ' || rest.ptr[i] >= 0x7f || strchr("#\"<>\\^`{|}", rest.ptr[i]))
            return SLICE_NONE;
    if (slice_index(host, '@') >= 0)
        return SLICE_NONE;
    ptrdiff_t colon = slice_rindex(host, ':');
    if (colon >= 0 && slice_index(slice_from(host, (size_t)colon), ']') < 0)
        host = slice_sub(host, 0, (size_t)colon);
    return host.len ? host : SLICE_NONE;
}

static void interpret_webhook(struct arena *arena, struct config *config, struct problems *problems)
{
    config->webhook_url = text_of(config, CONFIG_WEBHOOK_URL);
    config->webhook_secret_file = path_of(arena, config, CONFIG_WEBHOOK_SECRET_FILE, problems);
    config->webhook_ca_file = path_of(arena, config, CONFIG_WEBHOOK_CA_FILE, problems);
    config->webhook_give_up_minutes = number_of(arena, config, CONFIG_WEBHOOK_GIVE_UP_MINUTES, problems);
    if (!config->webhook_url != !config->webhook_secret_file)
        problem_add(problems, "%.*s: webhook-url and webhook-secret-file go together",
                    SLICE_ARG(config_place(arena, config, config->webhook_url ? CONFIG_WEBHOOK_URL : CONFIG_WEBHOOK_SECRET_FILE)));
    if (!config->webhook_url)
        return;
    struct slice url = slice_from_cstr(config->webhook_url), given = config_place(arena, config, CONFIG_WEBHOOK_URL);
    bool clear = slice_starts_with(url, S("http://"));
    struct slice host = clear || slice_starts_with(url, S("https://")) ? url_host(slice_from(url, clear ? 7 : 8)) : SLICE_NONE;
    if (!host.ptr || url.len > MAX_URL_BYTES)
        problem_add(problems, "%.*s is not an address like https://receiver.example.com/events, without a user's name in it", SLICE_ARG(given));
    else if (clear && !slice_eq(host, S("localhost")) && !slice_eq(host, S("[::1]")) && !slice_starts_with(host, S("127.")) &&
             !switch_of(arena, config, CONFIG_INSECURE, problems))
        problem_add(problems, "%.*s: %.*s is not loopback: use https, or --insecure to send everything in clear", SLICE_ARG(given), SLICE_ARG(host));
}

void config_interpret(struct arena *arena, struct config *config, struct problems *problems)
{
    interpret_data_dir(arena, config, problems);
    interpret_listen(arena, config, problems);
    interpret_names(arena, config, problems);
    interpret_tls(arena, config, problems);
    config->node_count = (int)number_of(arena, config, CONFIG_NODES, problems);
    config->strict_releases = choice_of(arena, config, CONFIG_RELEASE_POLICY, problems) == 1;
    config->log_level = (enum log_level)choice_of(arena, config, CONFIG_LOG_LEVEL, problems); /* the words stand in its order */
    interpret_access_log(arena, config, problems);
    config->metrics_token_file = path_of(arena, config, CONFIG_METRICS_TOKEN_FILE, problems);
    interpret_limits(arena, config, problems);
    interpret_webhook(arena, config, problems);
}

/* ---- files ---- */

static void check_token_file(const struct config *config, enum config_option option, const char *path, struct arena *arena, struct problems *problems)
{
    struct slice given = config_place(arena, config, option), text;
    struct stat st;
    struct err *e = file_read(arena, path, MAX_TOKEN_FILE_BYTES, &text);
    if (e)
        problem_add(problems, "%.*s: %.*s", SLICE_ARG(given), SLICE_ARG(err_message(e)));
    else if (slice_trim(text).len < MIN_TOKEN_BYTES)
        problem_add(problems, "%.*s: the %s in it has fewer than %d characters", SLICE_ARG(given),
                    option == CONFIG_WEBHOOK_SECRET_FILE ? "secret" : "token", MIN_TOKEN_BYTES);
    else if (stat(path, &st) == 0 && (st.st_mode & 07))
        problem_add(problems, "%.*s: everybody may read it: chmod 600 %s", SLICE_ARG(given), path);
    err_free(e);
}

size_t config_check_files(struct arena *arena, const struct config *config, const struct slice **ret_problems)
{
    struct problems problems = {.arena = arena};
    if (config->tls_cert && config->tls_key) {
        struct tls_context *context = NULL;
        struct err *e = tls_context_new(&(struct tls_context_options){.cert_path = config->tls_cert, .key_path = config->tls_key}, &context);
        if (e)
            problem_add(&problems, "%.*s: %.*s", SLICE_ARG(config_place(arena, config, CONFIG_TLS_CERT)), SLICE_ARG(err_message(e)));
        err_free(e);
        tls_context_free(context);
    }
    if (config->metrics_token_file)
        check_token_file(config, CONFIG_METRICS_TOKEN_FILE, config->metrics_token_file, arena, &problems);
    if (config->webhook_secret_file)
        check_token_file(config, CONFIG_WEBHOOK_SECRET_FILE, config->webhook_secret_file, arena, &problems);
    if (config->webhook_ca_file && access(config->webhook_ca_file, R_OK) != 0)
        problem_add(&problems, "%.*s: this user can't read it", SLICE_ARG(config_place(arena, config, CONFIG_WEBHOOK_CA_FILE)));
    if (config->access_log && config->access_log[0] == '/') {
        struct slice path = slice_from_cstr(config->access_log);
        const char *dir = slice_cstr(arena, slice_sub(path, 0, (size_t)slice_rindex(path, '/')));
        /* The data directory is made by the first start. */
        if (*dir && strcmp(dir, config->data_dir) != 0 && access(dir, W_OK) != 0)
            problem_add(&problems, "%.*s: %s is no folder that this user may write to", SLICE_ARG(config_place(arena, config, CONFIG_ACCESS_LOG)), dir);
    }
    *ret_problems = problems.items;
    return problems.count;
}
