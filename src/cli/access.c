/* access: where the daemon of a data directory is and its root key, from the files that the daemon keeps there; or what
 * the environment says. */
#include "base/fd.h"
#include "cli/command.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static struct err *read_file(struct command *command, const char *name, struct slice *ret_text)
{
    const char *path = slice_cstr(command->arena, slice_fmt(command->arena, "%s/%s", command->data_dir, name));
    return file_read(command->arena, path, 65536, ret_text);
}

/* The lock is the daemon's as long as it lives. */
static bool is_running(struct command *command)
{
    const char *path = slice_cstr(command->arena, slice_fmt(command->arena, "%s/emberd.lock", command->data_dir));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool running = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return running;
}

struct err *command_access(struct command *command, struct access *ret_access)
{
    struct slice credentials, endpoint;
    struct err *e = read_file(command, "root-credentials", &credentials);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return err_new(ERR_NOT_FOUND,
                       "%s is no data directory of emberd: start emberd, or say with --data-dir where its data is",
                       command->data_dir);
    }
    if (e)
        return e;
    e = read_file(command, "endpoint", &endpoint);
    if ((e && e->kind == ERR_NOT_FOUND) || (!e && !is_running(command))) {
        err_free(e);
        return err_new(ERR_NOT_FOUND, "no emberd runs on %s: start it with emberd --data-dir %s", command->data_dir,
                       command->data_dir);
    }
    if (e)
        return e;
    struct slice profile = S("ember");
    struct access access = {
        .endpoint = slice_trim(endpoint),
        .access_key_id = ini_get(credentials, profile, S("aws_access_key_id")),
        .secret = ini_get(credentials, profile, S("aws_secret_access_key")),
        .region = command->region.ptr ? command->region : ini_get(credentials, profile, S("region")),
    };
    if (!access.access_key_id.len || !access.secret.len || !access.endpoint.len)
        return err_new(ERR_INVALID,
                       "%s/root-credentials cannot be read: restore it, or remove it and start emberd again",
                       command->data_dir);
    if (!access.region.len)
        access.region = S("us-east-1");
    *ret_access = access;
    return NULL;
}

/* ---- clients only ---- */

static struct slice variable(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? slice_from_cstr(text) : SLICE_NONE;
}

/* One of AWS's own files; absent when there is none. */
static struct slice read_aws_file(struct command *command, const char *where, const char *name)
{
    struct slice path = variable(where), home = variable("HOME"), text;
    if (!path.ptr && home.ptr)
        path = slice_fmt(command->arena, "%.*s/.aws/%s", SLICE_ARG(home), name);
    struct err *e = path.ptr ? file_read(command->arena, slice_cstr(command->arena, path), 1 << 20, &text) : NULL;
    if (!path.ptr || e) {
        err_free(e);
        return SLICE_NONE;
    }
    return text;
}

/* What the profile says of what is not known yet. */
static void complete_by_profile(struct command *command, struct access *access)
{
    struct slice profile = variable("AWS_PROFILE");
    bool named = profile.ptr != NULL;
    if (!named)
        profile = S("default");
    struct slice config = read_aws_file(command, "AWS_CONFIG_FILE", "config");
    struct slice section =
        slice_eq(profile, S("default")) ? profile : slice_fmt(command->arena, "profile %.*s", SLICE_ARG(profile));
    if (!access->access_key_id.ptr || named) { /* a profile that is named wins over keys of the environment */
        struct slice credentials = read_aws_file(command, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
        struct slice from = ini_get(credentials, profile, S("aws_access_key_id")).ptr ? credentials : config;
        struct slice where = from.ptr == credentials.ptr ? profile : section;
        if (ini_get(from, where, S("aws_access_key_id")).ptr) {
            access->access_key_id = ini_get(from, where, S("aws_access_key_id"));
            access->secret = ini_get(from, where, S("aws_secret_access_key"));
            access->session_token = ini_get(from, where, S("aws_session_token"));
        }
    }
    if (!access->endpoint.ptr)
        access->endpoint = ini_get(config, section, S("endpoint_url"));
    if (!access->region.ptr)
        access->region = ini_get(config, section, S("region"));
    if (!access->ca_path && ini_get(config, section, S("ca_bundle")).ptr)
        access->ca_path = slice_cstr(command->arena, ini_get(config, section, S("ca_bundle")));
}

/* Whether a daemon's certificate is good for this machine's own address only its clients' settings would tell; who
 * reads its data directory may use the listener on loopback that it has beside TLS. */
static void prefer_internal_endpoint(struct command *command, struct access *access)
{
    struct slice text;
    int64_t port;
    if (!slice_starts_with(access->endpoint, S("https://")))
        return;
    struct err *e = read_file(command, "internal-port", &text);
    if (!e && slice_to_i64(slice_trim(text), 1, 65535, &port))
        access->endpoint = slice_fmt(command->arena, "http://127.0.0.1:%lld", (long long)port);
    err_free(e);
}

static struct slice without_final_slash(struct slice url)
{
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    return url;
}

struct err *command_client_access(struct command *command, struct access *ret_access)
{
    struct access access = {
        .endpoint = variable("AWS_ENDPOINT_URL"),
        .access_key_id = variable("AWS_ACCESS_KEY_ID"),
        .secret = variable("AWS_SECRET_ACCESS_KEY"),
        .session_token = variable("AWS_SESSION_TOKEN"),
        .region = command->region.ptr ? command->region : variable("AWS_REGION"),
        .ca_path = getenv("AWS_CA_BUNDLE"),
    };
    if (!access.region.ptr)
        access.region = variable("AWS_DEFAULT_REGION");
    if (access.ca_path && !*access.ca_path)
        access.ca_path = NULL;
    if (!command->data_dir_given)
        complete_by_profile(command, &access);
    if (command->data_dir_given || !access.endpoint.ptr) {
        const char *ca_path = access.ca_path;
        TRY(command_access(command, &access));
        access.ca_path = ca_path;
        if (!ca_path)
            prefer_internal_endpoint(command, &access);
    }
    if (!access.access_key_id.ptr || !access.secret.ptr)
        return err_new(ERR_INVALID,
                       "there is no key for %.*s: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or "
                       "name its --data-dir",
                       SLICE_ARG(access.endpoint));
    access.endpoint = without_final_slash(access.endpoint);
    if (!slice_starts_with(access.endpoint, S("http://")) && !slice_starts_with(access.endpoint, S("https://")))
        return err_new(ERR_INVALID, "AWS_ENDPOINT_URL %.*s is no http:// or https:// address",
                       SLICE_ARG(access.endpoint));
    if (!access.region.ptr)
        access.region = S("us-east-1");
    *ret_access = access;
    return NULL;
}
