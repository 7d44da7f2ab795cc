/* kubeconfig: the part of a kubeconfig that says where its current context's cluster is and who we are there. What we
 * cannot honour is refused, never ignored: a proxy or an impersonation left out would talk to the wrong place as the
 * wrong user. */
#include "base/encode.h"
#include "base/yaml.h"
#include "k8s/client_internal.h"

static const struct json *named(const struct json *config, const char *list, struct slice name, const char *member)
{
    JSON_FOREACH (item, json_get(config, slice_from_cstr(list)))
        if (slice_eq(json_get_text(item, "name"), name))
            return json_get(item, slice_from_cstr(member));
    return NULL;
}

static struct err *refuse_members(const struct json *object, const char *const *names, const char *what)
{
    for (; *names; names++)
        if (json_get(object, slice_from_cstr(*names)))
            return err_new(ERR_INVALID,
                           "kubeconfig: %s has %s, which is not supported; use a client certificate or a token", what,
                           *names);
    return NULL;
}

/* NAME-data (base64 PEM) wins over NAME (absolute path), as in client-go. */
static struct err *pem_get(struct arena *arena, const struct json *object, const char *name, struct slice *ret_pem,
                           const char **ret_path)
{
    struct slice data = json_get_text(object, slice_fmt(arena, "%s-data", name).ptr);
    struct slice path = json_get_text(object, name);
    if (data.len) {
        if (!base64_decode(arena, data, ret_pem))
            return err_new(ERR_INVALID, "kubeconfig: %s-data is not base64", name);
    } else if (path.len) {
        if (path.ptr[0] != '/' || slice_has_nul(path))
            return err_new(ERR_INVALID,
                           "kubeconfig: %s must be an absolute path, or embedded (kubectl config view --flatten)",
                           name);
        *ret_path = slice_cstr(arena, path);
    }
    return NULL;
}

static struct err *cluster_read(struct arena *arena, const struct json *cluster, struct k8s_connect *connect)
{
    static const char *const refused[] = {"proxy-url", "tls-server-name", NULL};
    TRY(refuse_members(cluster, refused, "the cluster"));
    connect->server = json_get_text(cluster, "server");
    if (!connect->server.len)
        return err_new(ERR_INVALID, "kubeconfig: the current context's cluster has no server");
    connect->http.skip_verify = json_get_bool(cluster, "insecure-skip-tls-verify", false);
    return pem_get(arena, cluster, "certificate-authority", &connect->http.ca_pem, &connect->http.ca_path);
}

static struct err *user_read(struct arena *arena, const struct json *user, struct k8s_connect *connect)
{
    static const char *const refused[] = {"exec",   "auth-provider", "username",      "as",
                                          "as-uid", "as-groups",     "as-user-extra", NULL};
    TRY(refuse_members(user, refused, "the user"));
    TRY(pem_get(arena, user, "client-certificate", &connect->http.client_cert_pem, &connect->http.client_cert_path));
    TRY(pem_get(arena, user, "client-key", &connect->http.client_key_pem, &connect->http.client_key_path));
    bool cert = connect->http.client_cert_pem.ptr || connect->http.client_cert_path;
    bool key = connect->http.client_key_pem.ptr || connect->http.client_key_path;
    if (cert != key)
        return err_new(ERR_INVALID, "kubeconfig: client-certificate and client-key go together");
    connect->token_path = json_get_text(user, "tokenFile");
    connect->token = json_get_text(user, "token");
    return NULL;
}

struct err *k8s_client_from_kubeconfig(struct slice text, struct k8s_client **ret_client)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct json *config;
    struct err *e = yaml_parse(arena, text, &config);
    if (e)
        return err_wrap(e, "kubeconfig");
    struct slice name = json_get_text(config, "current-context");
    if (!name.len)
        return err_new(ERR_INVALID, "kubeconfig: there is no current-context");
    const struct json *context = named(config, "contexts", name, "context");
    if (!context)
        return err_new(ERR_INVALID, "kubeconfig: there is no context %.*s", SLICE_ARG(name));
    const struct json *cluster = named(config, "clusters", json_get_text(context, "cluster"), "cluster");
    const struct json *user = named(config, "users", json_get_text(context, "user"), "user");
    if (!cluster)
        return err_new(ERR_INVALID, "kubeconfig: the context %.*s names a cluster that is not there", SLICE_ARG(name));
    struct k8s_connect connect = {0};
    TRY(cluster_read(arena, cluster, &connect));
    TRY(user_read(arena, user, &connect));
    return k8s_client_connect(&connect, ret_client);
}
