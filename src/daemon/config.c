/* config: parse and check the options of config.def. */
#include "daemon/config.h"
#include "base/arena.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct raw {
#define OPTION(field, flag, argument, otherwise, about) const char *field;
#define SWITCH(field, flag, about) bool field;
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};

void config_print_help(void)
{
    puts("Usage: emberd [option...]\n\n"
         "Amazon EMR on EKS on your own machines: the AWS API on one address, Spark on Kubernetes behind it.\n");
#define OPTION(field, flag, argument, otherwise, about) printf("  %-34s %s (%s)\n", flag " " argument, about, otherwise);
#define SWITCH(field, flag, about) printf("  %-34s %s\n", flag, about);
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
}

/* The argument of flag at argv[*i]: "--flag VALUE" or "--flag=VALUE"; NULL: it is another flag. */
static const char *match(const char *flag, int argc, char **argv, int *i, bool *ret_missing)
{
    size_t len = strlen(flag);
    if (strncmp(argv[*i], flag, len) != 0)
        return NULL;
    if (argv[*i][len] == '=')
        return argv[*i] + len + 1;
    if (argv[*i][len])
        return NULL;
    if (*i + 1 >= argc) {
        *ret_missing = true;
        return NULL;
    }
    return argv[++*i];
}

static struct err *parse_raw(int argc, char **argv, struct raw *raw)
{
    for (int i = 1; i < argc; i++) {
        const char *value;
        bool missing = false;
        const char *given = argv[i];
#define OPTION(field, flag, argument, otherwise, about)                                                                        \
    if ((value = match(flag, argc, argv, &i, &missing))) {                                                                     \
        raw->field = value;                                                                                                    \
        continue;                                                                                                              \
    }
#define SWITCH(field, flag, about)                                                                                             \
    if (strcmp(argv[i], flag) == 0) {                                                                                          \
        raw->field = true;                                                                                                     \
        continue;                                                                                                              \
    }
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
        if (missing)
            return err_new(ERR_INVALID, "%s needs a value; emberd --help lists the options", given);
        return err_new(ERR_INVALID, "there is no option %s; emberd --help lists the options", given);
    }
    return NULL;
}

static struct err *parse_listen(struct arena *arena, const char *text, struct config *config)
{
    struct slice listen = slice_from_cstr(text), host, port;
    ptrdiff_t colon = slice_rindex(listen, ':');
    int64_t number;
    if (colon < 0 || !slice_to_i64(slice_from(listen, (size_t)colon + 1), 0, 65535, &number))
        return err_new(ERR_INVALID, "--listen %s is not ADDRESS:PORT; 127.0.0.1:4567 is one", text);
    host = slice_sub(listen, 0, (size_t)colon);
    port = slice_from(listen, (size_t)colon + 1);
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = slice_sub(host, 1, host.len - 2);
    if (slice_eq(host, S("localhost")))
        host = S("127.0.0.1");
    (void)port;
    config->address = slice_cstr(arena, host);
    config->port = (uint16_t)number;
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, config->address, &v4) != 1 && inet_pton(AF_INET6, config->address, &v6) != 1)
        return err_new(ERR_INVALID, "--listen %s: the address must be a number like 127.0.0.1", text);
    return NULL;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

static struct err *find_data_dir(struct arena *arena, const char *given, const char **ret_dir)
{
    const char *dir = given ? given : getenv("EMBER_DATA_DIR");
    if (!dir || !*dir) {
        const char *home = getenv("HOME");
        if (!home || !*home)
            return err_new(ERR_INVALID, "say with --data-dir where the data goes: HOME is not set");
        *ret_dir = slice_cstr(arena, slice_fmt(arena, "%s/.ember", home));
        return NULL;
    }
    if (*dir == '/') {
        *ret_dir = dir;
        return NULL;
    }
    char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return err_new(ERR_INVALID, "--data-dir %s: give an absolute path, the current directory is gone", dir);
    *ret_dir = slice_cstr(arena, slice_fmt(arena, "%s/%s", cwd, dir));
    free(cwd);
    return NULL;
}

struct err *config_parse(struct arena *arena, int argc, char **argv, struct config *ret_config)
{
    struct raw raw = {0};
    struct config config = {.account_id = S("111122223333"), .region = S("us-east-1"), .node_count = 1};
    TRY(parse_raw(argc, argv, &raw));
    config.help = raw.help;
    config.version = raw.version;
    if (raw.help || raw.version) {
        *ret_config = config;
        return NULL;
    }
    TRY(find_data_dir(arena, raw.data_dir, &config.data_dir));
    TRY(parse_listen(arena, raw.listen ? raw.listen : "127.0.0.1:4567", &config));
    int64_t number;
    if (raw.account_id) {
        config.account_id = slice_from_cstr(raw.account_id);
        uint64_t digits;
        if (config.account_id.len != 12 || !slice_to_u64(config.account_id, UINT64_MAX, &digits))
            return err_new(ERR_INVALID, "--account-id %s is not 12 digits", raw.account_id);
    }
    if (raw.region) {
        config.region = slice_from_cstr(raw.region);
        bool good = config.region.len > 0 && config.region.len <= 32;
        for (size_t i = 0; i < config.region.len; i++)
            good = good && strchr("abcdefghijklmnopqrstuvwxyz0123456789-", config.region.ptr[i]);
        if (!good)
            return err_new(ERR_INVALID, "--region %s is no region's name; us-east-1 is one", raw.region);
    }
    if (raw.nodes) {
        if (!slice_to_i64(slice_from_cstr(raw.nodes), 1, 100, &number))
            return err_new(ERR_INVALID, "--nodes %s is not a number from 1 to 100", raw.nodes);
        config.node_count = (int)number;
    }
    if (raw.release_policy) {
        config.strict_releases = strcmp(raw.release_policy, "strict") == 0;
        if (!config.strict_releases && strcmp(raw.release_policy, "nearest") != 0)
            return err_new(ERR_INVALID, "--release-policy %s is neither nearest nor strict", raw.release_policy);
    }
    config.tls_cert = raw.tls_cert;
    config.tls_key = raw.tls_key;
    if (!config.tls_cert != !config.tls_key)
        return err_new(ERR_INVALID, "--tls-cert and --tls-key go together");
    if (!is_loopback(config.address) && !config.tls_cert && !raw.insecure)
        return err_new(ERR_INVALID, "%s is not a loopback address: give --tls-cert and --tls-key, or --insecure to send everything in clear",
                       config.address);
    *ret_config = config;
    return NULL;
}
