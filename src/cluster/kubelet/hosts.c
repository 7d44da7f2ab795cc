#include "cluster/kubelet/hosts.h"

#include "base/arena.h"

static bool selects(const struct json *selector, const struct json *labels)
{
    if (json_count(selector) == 0)
        return false;
    JSON_FOREACH(pair, selector)
    {
        struct slice label = json_text(json_get(labels, pair->key));
        if (!label.ptr || !slice_eq(label, json_text(pair)))
            return false;
    }
    return true;
}

/* The short name is that of the pod's own namespace only. */
static void add_line(struct strbuf *out, struct slice ip, struct slice name, struct slice ns, struct slice own_ns)
{
    strbuf_append_fmt(out, "%.*s\t%.*s.%.*s.svc.cluster.local %.*s.%.*s.svc %.*s.%.*s", SLICE_ARG(ip), SLICE_ARG(name), SLICE_ARG(ns),
                      SLICE_ARG(name), SLICE_ARG(ns), SLICE_ARG(name), SLICE_ARG(ns));
    if (slice_eq(ns, own_ns))
        strbuf_append_fmt(out, " %.*s", SLICE_ARG(name));
    strbuf_append_char(out, '\n');
}

struct slice hosts_of_namespace(struct arena *arena, const struct hosts_view *view, struct slice namespace_name)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_cstr(&out, "# Services\n");
    for (size_t i = 0; i < view->service_count; i++) {
        const struct json *service = view->services[i];
        struct slice name = json_text(JSON_AT(service, "metadata", "name")), ns = json_text(JSON_AT(service, "metadata", "namespace"));
        const struct json *selector = JSON_AT(service, "spec", "selector");
        if (slice_eq(name, S("kubernetes")) && slice_eq(ns, S("default"))) {
            add_line(&out, view->api_host, name, ns, namespace_name);
            continue;
        }
        /* There are no virtual addresses here: a cluster IP's name, too, means the pods behind it. */
        for (size_t j = 0; j < view->pod_count; j++)
            if (slice_eq(view->pods[j].namespace_name, ns) && selects(selector, view->pods[j].labels))
                add_line(&out, view->pods[j].ip, name, ns, namespace_name);
    }
    return strbuf_slice(&out);
}

struct slice hosts_of_pod(struct arena *arena, struct slice shared, struct slice ip, struct slice hostname, const struct json *aliases)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_fmt(&out, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n%.*s\t%.*s\n",
                      SLICE_ARG(ip), SLICE_ARG(hostname));
    strbuf_append(&out, shared);
    JSON_FOREACH(alias, aliases)
    {
        strbuf_append(&out, json_get_text(alias, "ip"));
        JSON_FOREACH(name, JSON_AT(alias, "hostnames"))
        {
            strbuf_append_fmt(&out, "\t%.*s", SLICE_ARG(json_text(name)));
        }
        strbuf_append_char(&out, '\n');
    }
    return strbuf_slice(&out);
}
