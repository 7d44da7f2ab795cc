#include "cluster/kubelet/volume.h"

#include "base/arena.h"
#include "base/fd.h"
#include "cluster/kubelet/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MODE 0644
#define TOKEN_DEFAULT_SECONDS 3600

struct maker {
    struct arena *arena;
    const struct volume_input *input;
    struct slice dir;          /* of the volume */
    int64_t default_mode;
    bool tokens_only;
    struct instant renew_at;
};

static bool is_inside(struct slice path)
{
    if (!path.len || path.ptr[0] == '/' || slice_has_nul(path))
        return false;
    struct slice rest = path;
    while (rest.ptr)
        if (slice_eq(slice_cut(&rest, '/'), S("..")))
            return false;
    return true;
}

/* Beside and renamed: whoever reads sees the old or the new content. */
static struct err *write_file(struct maker *m, struct slice path, struct slice content, int64_t mode)
{
    if (!is_inside(path))
        return err_new(ERR_INVALID, "path \"%.*s\" leaves the volume", SLICE_ARG(path));
    struct slice full = slice_fmt(m->arena, "%.*s/%.*s", SLICE_ARG(m->dir), SLICE_ARG(path));
    ptrdiff_t slash = slice_rindex(full, '/');
    TRY(dir_make(slice_cstr(m->arena, slice_sub(full, 0, (size_t)slash)), 0755));
    struct slice fresh = slice_fmt(m->arena, "%.*s..new", SLICE_ARG(full));
    _cleanup_(fd_closep) int fd = open(fresh.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(errno, "cannot write %s", fresh.ptr);
    TRY(fd_write_all(fd, content));
    if (m->input->run_uid > 0 && fchown(fd, (uid_t)m->input->run_uid, (gid_t)m->input->run_uid) < 0)
        return err_errno(errno, "cannot give %s to the pod's user", fresh.ptr);
    if (fchmod(fd, (mode_t)(mode & 0777)) < 0 || rename(fresh.ptr, full.ptr) < 0)
        return err_errno(errno, "cannot place %s", full.ptr);
    return NULL;
}

static int64_t item_mode(const struct maker *m, const struct json *item)
{
    return json_get_i64(item, "mode", m->default_mode);
}

/* A ConfigMap's or Secret's data as files: all keys, or those of items under their paths. */
static struct err *put_data(struct maker *m, const char *resource, struct slice name, const struct json *source)
{
    const struct pod_env_input *env = m->input->env;
    const struct json *object = env->source.get(env->source.ctx, m->arena, resource, name), *items = JSON_AT(source, "items");
    bool optional = json_get_bool(source, "optional", false);
    const char *what = resource[0] == 's' ? "secret" : "configmap";
    if (!object)
        return optional ? NULL : err_new(ERR_NOT_FOUND, "%s \"%.*s\" not found", what, SLICE_ARG(name));
    JSON_FOREACH(item, items)
    {
        struct slice key = json_get_text(item, "key"), value = pod_data_get(m->arena, object, key);
        if (!value.ptr && optional)
            continue;
        if (!value.ptr)
            return err_new(ERR_NOT_FOUND, "%s references non-existent config key: %.*s", what, SLICE_ARG(key));
        TRY(write_file(m, json_get_text(item, "path"), value, item_mode(m, item)));
    }
    if (json_count(items))
        return NULL;
    static const char *const members[] = {"data", "binaryData"};
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        JSON_FOREACH(pair, json_get(object, slice_from_cstr(members[i])))
        {
            struct slice value = pod_data_get(m->arena, object, pair->key);
            if (value.ptr)
                TRY(write_file(m, pair->key, value, m->default_mode));
        }
    return NULL;
}

static const struct json *container_named(const struct json *pod, struct slice name)
{
    JSON_FOREACH(container, JSON_AT(pod, "spec", "containers"))
    {
        if (slice_eq(json_get_text(container, "name"), name))
            return container;
    }
    return NULL;
}

static struct err *put_downward(struct maker *m, const struct json *source)
{
    JSON_FOREACH(item, JSON_AT(source, "items"))
    {
        const struct json *field = JSON_AT(item, "fieldRef"), *resource = JSON_AT(item, "resourceFieldRef");
        struct slice value = S("");
        if (field)
            TRY(pod_field(m->arena, m->input->env, json_get_text(field, "fieldPath"), &value));
        else
            TRY(pod_resource_field(m->arena, m->input->env, container_named(m->input->env->pod, json_get_text(resource, "containerName")),
                                   resource, &value));
        TRY(write_file(m, json_get_text(item, "path"), value, item_mode(m, item)));
    }
    return NULL;
}

static struct err *put_token(struct maker *m, const struct json *source)
{
    const struct json *pod = m->input->env->pod;
    struct slice account = json_text(JSON_AT(pod, "spec", "serviceAccountName")), token;
    struct instant expires_at;
    struct token_wish wish = {
        .namespace_name = json_text(JSON_AT(pod, "metadata", "namespace")),
        .service_account = account.len ? account : S("default"),
        .audience = json_get_text(source, "audience"),
        .expiration_seconds = json_get_i64(source, "expirationSeconds", TOKEN_DEFAULT_SECONDS),
        .pod_name = json_text(JSON_AT(pod, "metadata", "name")),
        .pod_uid = json_text(JSON_AT(pod, "metadata", "uid")),
        .node_name = json_text(JSON_AT(pod, "spec", "nodeName")),
    };
    TRY(m->input->mint_token(m->input->mint_ctx, m->arena, &wish, &token, &expires_at));
    /* The kubelet's rule: renewed when 80 % of its time has passed. */
    int64_t now = instant_now().ms, renew_at = now + (expires_at.ms - now) * 8 / 10;
    if (m->renew_at.ms == 0 || renew_at < m->renew_at.ms)
        m->renew_at.ms = renew_at;
    return write_file(m, json_get_text(source, "path"), token, m->input->run_uid > 0 ? 0600 : m->default_mode);
}

static struct err *put_projected(struct maker *m, const struct json *projected)
{
    JSON_FOREACH(source, JSON_AT(projected, "sources"))
    {
        const struct json *token = JSON_AT(source, "serviceAccountToken"), *config = JSON_AT(source, "configMap");
        const struct json *secret = JSON_AT(source, "secret"), *downward = JSON_AT(source, "downwardAPI");
        if (token)
            TRY(put_token(m, token));
        else if (m->tokens_only)
            continue;
        else if (config)
            TRY(put_data(m, "configmaps", json_get_text(config, "name"), config));
        else if (secret)
            TRY(put_data(m, "secrets", json_get_text(secret, "name"), secret));
        else if (downward)
            TRY(put_downward(m, downward));
        else
            return err_new(ERR_INVALID, "a projected source of this kind is not served");
    }
    return NULL;
}

static struct err *make_empty_dir(struct maker *m)
{
    const char *path = slice_cstr(m->arena, m->dir);
    if (m->input->run_uid > 0 && chown(path, (uid_t)m->input->run_uid, (gid_t)m->input->run_uid) < 0)
        return err_errno(errno, "cannot give %s to the pod's user", path);
    return chmod(path, 0777) < 0 ? err_errno(errno, "cannot set the mode of %s", path) : NULL;
}

static struct err *make_volume(struct maker *m, const struct json *volume)
{
    const struct json *config = JSON_AT(volume, "configMap"), *secret = JSON_AT(volume, "secret"), *projected = JSON_AT(volume, "projected");
    const struct json *downward = JSON_AT(volume, "downwardAPI"), *empty = JSON_AT(volume, "emptyDir");
    const struct json *claim = JSON_AT(volume, "persistentVolumeClaim");
    const struct json *source = config ? config : secret ? secret : projected ? projected : downward;
    m->default_mode = json_get_i64(source, "defaultMode", DEFAULT_MODE);
    if (m->tokens_only)
        return projected ? put_projected(m, projected) : NULL;
    TRY(dir_make(slice_cstr(m->arena, m->dir), 0755));
    if (config)
        return put_data(m, "configmaps", json_get_text(config, "name"), config);
    if (secret)
        return put_data(m, "secrets", json_get_text(secret, "secretName"), secret);
    if (projected)
        return put_projected(m, projected);
    if (downward)
        return put_downward(m, downward);
    if (empty)
        return make_empty_dir(m);
    if (JSON_AT(volume, "hostPath"))
        return err_new(ERR_INVALID, "hostPath volumes are refused: an embedded cluster does not open its machine to pods");
    if (claim)
        return err_new(ERR_INVALID, "persistentvolumeclaim \"%.*s\" is not bound: an embedded cluster has no storage to claim",
                       SLICE_ARG(json_get_text(claim, "claimName")));
    return err_new(ERR_INVALID, "volumes of this kind are not served by an embedded cluster");
}

static struct err *walk(struct arena *arena, const struct volume_input *input, bool tokens_only, struct instant *ret_renew_at)
{
    struct maker m = {.arena = arena, .input = input, .tokens_only = tokens_only};
    JSON_FOREACH(volume, JSON_AT(input->env->pod, "spec", "volumes"))
    {
        struct slice name = json_get_text(volume, "name");
        if (!is_inside(name) || slice_index(name, '/') >= 0)
            return err_new(ERR_INVALID, "volume name \"%.*s\"", SLICE_ARG(name));
        m.dir = slice_fmt(arena, "%.*s/" WIRE_VOLUMES_DIR "/%.*s", SLICE_ARG(input->pod_dir), SLICE_ARG(name));
        struct err *e = make_volume(&m, volume);
        if (e)
            return err_wrap(e, "MountVolume.SetUp failed for volume \"%.*s\" ", SLICE_ARG(name));
    }
    *ret_renew_at = m.renew_at;
    return NULL;
}

struct err *volumes_make(struct arena *arena, const struct volume_input *input, struct instant *ret_renew_at)
{
    return walk(arena, input, false, ret_renew_at);
}

struct err *volumes_renew_tokens(struct arena *arena, const struct volume_input *input, struct instant *ret_renew_at)
{
    return walk(arena, input, true, ret_renew_at);
}

/* ---- who mentions what ---- */

static bool source_mentions(const struct json *source, const char *member, const char *name_member, struct slice name)
{
    return slice_eq(json_get_text(json_get(source, slice_from_cstr(member)), name_member), name);
}

static bool container_mentions(const struct json *container, bool secret, struct slice name)
{
    JSON_FOREACH(from, JSON_AT(container, "envFrom"))
    {
        if (source_mentions(from, secret ? "secretRef" : "configMapRef", "name", name))
            return true;
    }
    JSON_FOREACH(var, JSON_AT(container, "env"))
    {
        if (source_mentions(JSON_AT(var, "valueFrom"), secret ? "secretKeyRef" : "configMapKeyRef", "name", name))
            return true;
    }
    return false;
}

bool pod_mentions(const struct json *pod, const char *resource, struct slice name)
{
    bool secret = resource[0] == 's';
    const char *member = secret ? "secret" : "configMap";
    JSON_FOREACH(volume, JSON_AT(pod, "spec", "volumes"))
    {
        if (source_mentions(volume, member, secret ? "secretName" : "name", name))
            return true;
        JSON_FOREACH(source, JSON_AT(volume, "projected", "sources"))
        {
            if (source_mentions(source, member, "name", name))
                return true;
        }
    }
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
        JSON_FOREACH(container, json_get(JSON_AT(pod, "spec"), slice_from_cstr(lists[i])))
        {
            if (container_mentions(container, secret, name))
                return true;
        }
    return false;
}
