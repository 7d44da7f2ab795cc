#include "cluster/apiserver/table.h"
#include "base/arena.h"
#include "cluster/apiserver/selector.h"
#include "cluster/apiserver/status_error.h"
#include "cluster/apiserver/table_internal.h"
#include <string.h>

#define COLUMNS_MAX 12
#define NAME_DESCRIPTION                                                                                                       \
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client " \
    "to request the generation of an appropriate name automatically."
#define AGE_DESCRIPTION "CreationTimestamp is the server's time when the object was created."

struct err *table_include_parse(struct slice text, enum table_include *ret_include)
{
    if (text.len == 0 || slice_eq(text, S("Metadata")))
        *ret_include = TABLE_INCLUDE_METADATA;
    else if (slice_eq(text, S("None")))
        *ret_include = TABLE_INCLUDE_NONE;
    else if (slice_eq(text, S("Object")))
        *ret_include = TABLE_INCLUDE_OBJECT;
    else
        return status_bad_request("Unable to convert to Table as requested: includeObject: Invalid value: \"%.*s\": must be 'Metadata', 'Object', "
                                  "'None', or empty",
                                  SLICE_ARG(text));
    return NULL;
}

/* --- ages (apimachinery's duration.HumanDuration) --- */

static struct slice duration_text(struct arena *arena, int64_t seconds)
{
    int64_t minutes = seconds / 60, hours = seconds / 3600, days = hours / 24, years = days / 365;
    if (seconds < -1)
        return S("<invalid>");
    if (seconds < 0)
        return S("0s");
    if (seconds < 120)
        return slice_fmt(arena, "%llds", (long long)seconds);
    if (minutes < 10)
        return seconds % 60 ? slice_fmt(arena, "%lldm%llds", (long long)minutes, (long long)(seconds % 60))
                            : slice_fmt(arena, "%lldm", (long long)minutes);
    if (minutes < 180)
        return slice_fmt(arena, "%lldm", (long long)minutes);
    if (hours < 8)
        return minutes % 60 ? slice_fmt(arena, "%lldh%lldm", (long long)hours, (long long)(minutes % 60))
                            : slice_fmt(arena, "%lldh", (long long)hours);
    if (hours < 48)
        return slice_fmt(arena, "%lldh", (long long)hours);
    if (days < 8)
        return hours % 24 ? slice_fmt(arena, "%lldd%lldh", (long long)days, (long long)(hours % 24)) : slice_fmt(arena, "%lldd", (long long)days);
    if (days < 730)
        return slice_fmt(arena, "%lldd", (long long)days);
    if (days < 365 * 8)
        return days % 365 ? slice_fmt(arena, "%lldy%lldd", (long long)years, (long long)(days % 365)) : slice_fmt(arena, "%lldy", (long long)years);
    return slice_fmt(arena, "%lldy", (long long)years);
}

struct slice age_text(struct arena *arena, struct slice timestamp, struct instant now)
{
    struct instant t;
    if (timestamp.len == 0 || !instant_parse_iso8601(timestamp, &t))
        return S("<unknown>");
    return duration_text(arena, (now.ms - t.ms) / 1000);
}

/* --- cells --- */

void cell_text(struct arena *arena, struct json *cells, struct slice text)
{
    json_append(cells, json_string(arena, text.ptr ? text : S("")));
}

void cell_text_or(struct arena *arena, struct json *cells, struct slice text, const char *otherwise)
{
    cell_text(arena, cells, text.len ? text : slice_from_cstr(otherwise));
}

void cell_age(struct arena *arena, struct json *cells, const struct json *object, struct instant now)
{
    cell_text(arena, cells, age_text(arena, json_text(JSON_AT(object, "metadata", "creationTimestamp")), now));
}

static void cell_name(struct arena *arena, struct json *cells, const struct json *object)
{
    cell_text(arena, cells, json_text(JSON_AT(object, "metadata", "name")));
}

static void cell_number(struct arena *arena, struct json *cells, int64_t value)
{
    json_append(cells, json_i64(arena, value));
}

/* "a=b,c=d" by key; "<none>". */
static struct slice map_text(struct arena *arena, const struct json *map)
{
    struct json *selector = json_object(arena);
    if (!map || !map->first)
        return S("<none>");
    json_set(arena, selector, S("matchLabels"), json_clone(arena, map));
    return label_selector_json_to_text(arena, selector);
}

/* --- rows --- */

static struct slice ports_text(struct arena *arena, const struct json *ports)
{
    struct strbuf out = STRBUF_ARENA(arena);
    JSON_FOREACH (port, ports) {
        int64_t node = json_get_i64(port, "nodePort", 0);
        strbuf_append_fmt(&out, "%s%lld", out.len ? "," : "", (long long)json_get_i64(port, "port", 0));
        if (node)
            strbuf_append_fmt(&out, ":%lld", (long long)node);
        strbuf_append_fmt(&out, "/%.*s", SLICE_ARG(json_get_text(port, "protocol")));
    }
    return out.len ? strbuf_slice(&out) : S("<none>");
}

static struct slice join(struct arena *arena, const struct json *list, const char *member)
{
    struct strbuf out = STRBUF_ARENA(arena);
    JSON_FOREACH (item, list) {
        struct slice text = member ? json_get_text(item, member) : json_text(item);
        if (text.len)
            strbuf_append_fmt(&out, "%s%.*s", out.len ? "," : "", SLICE_ARG(text));
    }
    return strbuf_slice(&out);
}

static struct slice external_ip(struct arena *arena, const struct json *service)
{
    const struct json *spec = json_get(service, S("spec"));
    struct slice type = json_get_text(spec, "type"), addresses = join(arena, json_get(spec, S("externalIPs")), NULL);
    if (slice_eq(type, S("ExternalName")))
        return json_get_text(spec, "externalName");
    if (!slice_eq(type, S("LoadBalancer")))
        return addresses.len ? addresses : S("<none>");
    struct slice balancer = join(arena, JSON_AT(service, "status", "loadBalancer", "ingress"), "ip");
    if (balancer.len && addresses.len)
        return slice_fmt(arena, "%.*s,%.*s", SLICE_ARG(balancer), SLICE_ARG(addresses));
    return balancer.len ? balancer : addresses.len ? addresses : S("<pending>");
}

static void service_row(struct arena *arena, const struct json *service, struct instant now, struct json *cells)
{
    const struct json *spec = json_get(service, S("spec")), *ips = json_get(spec, S("clusterIPs"));
    cell_name(arena, cells, service);
    cell_text(arena, cells, json_get_text(spec, "type"));
    cell_text_or(arena, cells, json_text(ips ? ips->first : NULL), "<none>");
    cell_text(arena, cells, external_ip(arena, service));
    cell_text(arena, cells, ports_text(arena, json_get(spec, S("ports"))));
    cell_age(arena, cells, service, now);
    cell_text(arena, cells, map_text(arena, json_get(spec, S("selector"))));
}

static void namespace_row(struct arena *arena, const struct json *object, struct instant now, struct json *cells)
{
    cell_name(arena, cells, object);
    cell_text(arena, cells, json_text(JSON_AT(object, "status", "phase")));
    cell_age(arena, cells, object, now);
}

static void account_row(struct arena *arena, const struct json *object, struct instant now, struct json *cells)
{
    cell_name(arena, cells, object);
    cell_number(arena, cells, (int64_t)json_count(json_get(object, S("secrets"))));
    cell_age(arena, cells, object, now);
}

static void config_map_row(struct arena *arena, const struct json *object, struct instant now, struct json *cells)
{
    cell_name(arena, cells, object);
    cell_number(arena, cells, (int64_t)(json_count(json_get(object, S("data"))) + json_count(json_get(object, S("binaryData")))));
    cell_age(arena, cells, object, now);
}

static void secret_row(struct arena *arena, const struct json *object, struct instant now, struct json *cells)
{
    cell_name(arena, cells, object);
    cell_text(arena, cells, json_get_text(object, "type"));
    cell_number(arena, cells, (int64_t)json_count(json_get(object, S("data"))));
    cell_age(arena, cells, object, now);
}

/* Suffixes of node-role.kubernetes.io/ and the value of kubernetes.io/role, sorted. */
static struct slice roles_text(struct arena *arena, const struct json *labels)
{
    struct json *roles = json_array(arena);
    JSON_FOREACH (label, labels) {
        struct slice prefix = S("node-role.kubernetes.io/"), role = SLICE_NONE;
        if (slice_starts_with(label->key, prefix))
            role = slice_from(label->key, prefix.len);
        else if (slice_eq(label->key, S("kubernetes.io/role")))
            role = label->text;
        if (role.len == 0)
            continue;
        struct json *before = roles->first, *item = json_string(arena, role), *sorted = json_array(arena);
        for (; before && slice_cmp(before->text, role) < 0; before = before->next)
            json_append(sorted, json_string(arena, before->text));
        json_append(sorted, item);
        for (; before; before = before->next)
            json_append(sorted, json_string(arena, before->text));
        roles = sorted;
    }
    return roles->first ? join(arena, roles, NULL) : S("<none>");
}

static struct slice node_status(struct arena *arena, const struct json *node)
{
    struct slice text = S("Unknown");
    JSON_FOREACH (condition, JSON_AT(node, "status", "conditions"))
        if (slice_eq(json_get_text(condition, "type"), S("Ready")))
            text = slice_eq(json_get_text(condition, "status"), S("True")) ? S("Ready") : S("NotReady");
    bool closed = json_to_bool(JSON_AT(node, "spec", "unschedulable"), false);
    return closed ? slice_fmt(arena, "%.*s,SchedulingDisabled", SLICE_ARG(text)) : text;
}

static struct slice node_address(const struct json *node, const char *type)
{
    JSON_FOREACH (address, JSON_AT(node, "status", "addresses"))
        if (slice_eq(json_get_text(address, "type"), slice_from_cstr(type)))
            return json_get_text(address, "address");
    return SLICE_NONE;
}

static void node_row(struct arena *arena, const struct json *node, struct instant now, struct json *cells)
{
    const struct json *info = JSON_AT(node, "status", "nodeInfo");
    cell_name(arena, cells, node);
    cell_text(arena, cells, node_status(arena, node));
    cell_text(arena, cells, roles_text(arena, JSON_AT(node, "metadata", "labels")));
    cell_age(arena, cells, node, now);
    cell_text(arena, cells, json_get_text(info, "kubeletVersion"));
    cell_text_or(arena, cells, node_address(node, "InternalIP"), "<none>");
    cell_text_or(arena, cells, node_address(node, "ExternalIP"), "<none>");
    cell_text_or(arena, cells, json_get_text(info, "osImage"), "<unknown>");
    cell_text_or(arena, cells, json_get_text(info, "kernelVersion"), "<unknown>");
    cell_text_or(arena, cells, json_get_text(info, "containerRuntimeVersion"), "<unknown>");
}

static void event_row(struct arena *arena, const struct json *event, struct instant now, struct json *cells)
{
    const struct json *involved = json_get(event, S("involvedObject")), *series = json_get(event, S("series"));
    struct slice first = json_get_text(event, "firstTimestamp"), last = json_get_text(event, "lastTimestamp");
    if (!first.len)
        first = json_get_text(event, "eventTime");
    if (series)
        last = json_get_text(series, "lastObservedTime");
    if (!last.len)
        last = first;
    int64_t count = series ? json_get_i64(series, "count", 1) : json_get_i64(event, "count", 0);
    struct slice component = json_text(JSON_AT(event, "source", "component")), host = json_text(JSON_AT(event, "source", "host"));
    if (!component.len)
        component = json_get_text(event, "reportingComponent");
    if (!host.len)
        host = json_get_text(event, "reportingInstance");
    struct slice kind = slice_lower(arena, json_get_text(involved, "kind")), name = json_get_text(involved, "name");

    cell_text(arena, cells, age_text(arena, last, now));
    cell_text(arena, cells, json_get_text(event, "type"));
    cell_text(arena, cells, json_get_text(event, "reason"));
    cell_text(arena, cells, name.len ? slice_fmt(arena, "%.*s/%.*s", SLICE_ARG(kind), SLICE_ARG(name)) : kind);
    cell_text(arena, cells, json_get_text(involved, "fieldPath"));
    cell_text(arena, cells, host.len ? slice_fmt(arena, "%.*s, %.*s", SLICE_ARG(component), SLICE_ARG(host)) : component);
    cell_text(arena, cells, slice_trim(json_get_text(event, "message")));
    cell_text(arena, cells, age_text(arena, first, now));
    cell_number(arena, cells, count ? count : 1);
    cell_name(arena, cells, event);
}

static struct slice access_modes(struct arena *arena, const struct json *modes)
{
    static const char *const shorts[][2] = {
        {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < ARRAY_SIZE(shorts); i++)
        JSON_FOREACH (mode, modes)
            if (slice_eq(json_text(mode), slice_from_cstr(shorts[i][0]))) {
                strbuf_append_fmt(&out, "%s%s", out.len ? "," : "", shorts[i][1]);
                break;
            }
    return strbuf_slice(&out);
}

static void claim_row(struct arena *arena, const struct json *claim, struct instant now, struct json *cells)
{
    const struct json *spec = json_get(claim, S("spec")), *status = json_get(claim, S("status"));
    struct slice phase = json_get_text(status, "phase"), volume = json_get_text(spec, "volumeName");
    bool bound = volume.len != 0;
    cell_name(arena, cells, claim);
    cell_text(arena, cells, JSON_AT(claim, "metadata", "deletionTimestamp") ? S("Terminating") : phase);
    cell_text(arena, cells, volume);
    cell_text(arena, cells, bound ? json_text(JSON_AT(status, "capacity", "storage")) : S(""));
    cell_text(arena, cells, bound ? access_modes(arena, json_get(status, S("accessModes"))) : S(""));
    cell_text(arena, cells, json_get_text(spec, "storageClassName"));
    cell_text_or(arena, cells, json_get_text(spec, "volumeAttributesClassName"), "<unset>");
    cell_age(arena, cells, claim, now);
    cell_text_or(arena, cells, json_get_text(spec, "volumeMode"), "<unset>");
}

static void policy_row(struct arena *arena, const struct json *policy, struct instant now, struct json *cells)
{
    cell_name(arena, cells, policy);
    cell_text(arena, cells, label_selector_json_to_text(arena, JSON_AT(policy, "spec", "podSelector")));
    cell_age(arena, cells, policy, now);
}

static void quota_row(struct arena *arena, const struct json *quota, struct instant now, struct json *cells)
{
    struct strbuf texts[] = {STRBUF_ARENA(arena), STRBUF_ARENA(arena)}; /* requests, limits */
    JSON_FOREACH (hard, JSON_AT(quota, "status", "hard")) {
        struct slice used = json_text(json_get(JSON_AT(quota, "status", "used"), hard->key));
        struct strbuf *text = &texts[slice_starts_with(hard->key, S("limits."))];
        strbuf_append_fmt(text, "%s%.*s: %.*s/%.*s", text->len ? ", " : "", SLICE_ARG(hard->key), SLICE_ARG(used.len ? used : S("0")),
                          SLICE_ARG(hard->text));
    }
    cell_name(arena, cells, quota);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        cell_text(arena, cells, texts[i].len ? strbuf_slice(&texts[i]) : S(""));
    cell_age(arena, cells, quota, now);
}

static void pod_template_row(struct arena *arena, const struct json *object, struct instant now, struct json *cells)
{
    const struct json *containers = JSON_AT(object, "template", "spec", "containers");
    cell_name(arena, cells, object);
    cell_text(arena, cells, join(arena, containers, "name"));
    cell_text(arena, cells, join(arena, containers, "image"));
    cell_text(arena, cells, map_text(arena, JSON_AT(object, "template", "metadata", "labels")));
}

static void plain_row(struct arena *arena, const struct json *object, struct instant now, struct json *cells)
{
    cell_name(arena, cells, object);
    cell_text(arena, cells, json_text(JSON_AT(object, "metadata", "creationTimestamp")));
}

/* --- columns --- */

struct column {
    const char *name, *type, *format, *description;
    int priority; /* 1: shown by -o wide only, but always sent */
};

#define TEXT(name, description) {name, "string", "", description, 0}
#define WIDE(name, description) {name, "string", "", description, 1}
#define NAME_COLUMN {"Name", "string", "name", NAME_DESCRIPTION, 0}
#define AGE_COLUMN {"Age", "string", "", AGE_DESCRIPTION, 0}

/* clang-format off */
static const struct printer {
    const char *stored_as;
    table_row_fn *row;
    struct column columns[COLUMNS_MAX];
} printers[] = {
    {"/pods", table_pod_row, {NAME_COLUMN, TEXT("Ready", "The aggregate readiness state of this pod for accepting traffic."),
        TEXT("Status", "The aggregate status of the containers in this pod."),
        TEXT("Restarts", "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted."),
        AGE_COLUMN, WIDE("IP", "podIP address allocated to the pod."), WIDE("Node", "NodeName indicates in which node this pod is scheduled."),
        WIDE("Nominated Node", "nominatedNodeName is set when this pod waits for others to be removed from a node."),
        WIDE("Readiness Gates", "If specified, all readiness gates will be evaluated for pod readiness.")}},
    {"/services", service_row, {NAME_COLUMN, TEXT("Type", "type determines how the Service is exposed."),
        TEXT("Cluster-IP", "clusterIP is the IP address of the service."), TEXT("External-IP", "externalIPs is a list of IP addresses of the service."),
        TEXT("Port(s)", "The list of ports that are exposed by this service."), AGE_COLUMN, WIDE("Selector", "Route service traffic to pods with these labels.")}},
    {"/namespaces", namespace_row, {NAME_COLUMN, TEXT("Status", "The status of the namespace"), AGE_COLUMN}},
    {"/serviceaccounts", account_row, {NAME_COLUMN, TEXT("Secrets", "Secrets is a list of the secrets of this account."), AGE_COLUMN}},
    {"/configmaps", config_map_row, {NAME_COLUMN, TEXT("Data", "Data contains the configuration data."), AGE_COLUMN}},
    {"/secrets", secret_row, {NAME_COLUMN, TEXT("Type", "Used to facilitate programmatic handling of secret data."),
        TEXT("Data", "Data contains the secret data."), AGE_COLUMN}},
    {"/nodes", node_row, {NAME_COLUMN, TEXT("Status", "The status of the node"), TEXT("Roles", "The roles of the node"), AGE_COLUMN,
        TEXT("Version", "Kubelet Version reported by the node."), WIDE("Internal-IP", "List of addresses reachable to the node."),
        WIDE("External-IP", "List of addresses reachable to the node."), WIDE("OS-Image", "OS Image reported by the node."),
        WIDE("Kernel-Version", "Kernel Version reported by the node."), WIDE("Container-Runtime", "ContainerRuntime Version reported by the node.")}},
    {"/events", event_row, {TEXT("Last Seen", "The time at which the most recent occurrence of this event was recorded."), TEXT("Type", "Type of this event."),
        TEXT("Reason", "This should be a short, machine understandable string."), TEXT("Object", "The object that this event is about."),
        WIDE("Subobject", "If referring to a piece of an object, the path of it."), WIDE("Source", "The component reporting this event."),
        TEXT("Message", "A human-readable description of the status of this operation."), WIDE("First Seen", "The time at which the event was first recorded."),
        WIDE("Count", "The number of times this event has occurred."), {"Name", "string", "name", NAME_DESCRIPTION, 1}}},
    {"/persistentvolumeclaims", claim_row, {NAME_COLUMN, TEXT("Status", "phase represents the current phase of the claim."),
        TEXT("Volume", "volumeName is the binding reference to the volume."), TEXT("Capacity", "capacity represents the actual resources of the volume."),
        TEXT("Access Modes", "accessModes contains the actual access modes of the volume."), TEXT("StorageClass", "StorageClass of the claim."),
        TEXT("VolumeAttributesClass", "VolumeAttributesClass of the claim."), AGE_COLUMN, WIDE("VolumeMode", "volumeMode defines what type of volume is required.")}},
    {"/resourcequotas", quota_row, {NAME_COLUMN, TEXT("Request", "Request represents a minimum amount of cpu/memory that a container may consume."),
        TEXT("Limit", "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node."), AGE_COLUMN}},
    {"networking.k8s.io/networkpolicies", policy_row, {NAME_COLUMN, TEXT("Pod-Selector", "Selects the pods to which this policy applies."), AGE_COLUMN}},
    {"/podtemplates", pod_template_row, {NAME_COLUMN, TEXT("Containers", "Names of each container in the template."),
        TEXT("Images", "Images referenced by each container in the template."), TEXT("Pod Labels", "The labels for the pod template.")}},
};
static const struct printer plain_printer = {NULL, plain_row, {NAME_COLUMN, {"Created At", "date", "", AGE_DESCRIPTION, 0}}};
/* clang-format on */

static const struct printer *printer_of(const struct kind *kind)
{
    for (size_t i = 0; kind->stored_as && i < ARRAY_SIZE(printers); i++)
        if (strcmp(printers[i].stored_as, kind->stored_as) == 0)
            return &printers[i];
    return &plain_printer;
}

static struct json *columns_json(struct arena *arena, const struct printer *printer)
{
    struct json *list = json_array(arena);
    for (const struct column *column = printer->columns; column < printer->columns + COLUMNS_MAX && column->name; column++) {
        struct json *row = json_object(arena);
        json_set_cstr(arena, row, "name", column->name);
        json_set_cstr(arena, row, "type", column->type);
        json_set_cstr(arena, row, "format", column->format);
        json_set_cstr(arena, row, "description", column->description);
        json_set_i64(arena, row, "priority", column->priority);
        json_append(list, row);
    }
    return list;
}

static struct json *row_object(struct arena *arena, const struct json *object, enum table_include include)
{
    switch (include) {
    case TABLE_INCLUDE_NONE:
        return json_null(arena);
    case TABLE_INCLUDE_METADATA:
        return partial_object_metadata(arena, object);
    case TABLE_INCLUDE_OBJECT:
        return json_clone(arena, object);
    }
    return json_null(arena);
}

static struct json *row_json(struct arena *arena, const struct kind *kind, const struct printer *printer, const struct json *object,
                             const struct table_options *options)
{
    struct json *row = json_object(arena), *cells = json_array(arena);
    const struct json *printed = object;
    if (kind->stored_as && strcmp(kind->stored_as, "/events") == 0 && kind->group[0]) {
        struct json *core = json_clone(arena, object);
        kind_convert(arena, core, kind, kind_find(S(""), S("v1"), S("events")));
        printed = core;
    }
    printer->row(arena, printed, options->now, cells);
    json_set(arena, row, S("cells"), cells);
    if (printer->row == table_pod_row) {
        struct json *conditions = table_pod_conditions(arena, object);
        if (conditions)
            json_set(arena, row, S("conditions"), conditions);
    }
    json_set(arena, row, S("object"), row_object(arena, object, options->include));
    return row;
}

struct json *table_render(struct arena *arena, const struct kind *kind, const struct json *objects, const struct json *list_metadata,
                          const struct table_options *options)
{
    const struct printer *printer = printer_of(kind);
    struct json *table = json_object(arena), *rows = json_array(arena), *metadata;
    json_set_cstr(arena, table, "kind", "Table");
    json_set_cstr(arena, table, "apiVersion", "meta.k8s.io/v1");
    if (list_metadata) {
        metadata = json_clone(arena, list_metadata);
    } else {
        metadata = json_object(arena);
        struct slice version = json_text(JSON_AT(objects, "metadata", "resourceVersion"));
        if (version.len)
            json_set_text(arena, metadata, "resourceVersion", version);
    }
    json_set(arena, table, S("metadata"), metadata);
    json_set(arena, table, S("columnDefinitions"), options->omit_columns ? json_null(arena) : columns_json(arena, printer));
    if (json_is(objects, JSON_ARRAY))
        JSON_FOREACH (object, objects)
            json_append(rows, row_json(arena, kind, printer, object, options));
    else
        json_append(rows, row_json(arena, kind, printer, objects, options));
    json_set(arena, table, S("rows"), rows);
    return table;
}

struct json *partial_object_metadata(struct arena *arena, const struct json *object)
{
    struct json *partial = json_object(arena);
    const struct json *metadata = json_get(object, S("metadata"));
    json_set_cstr(arena, partial, "kind", "PartialObjectMetadata");
    json_set_cstr(arena, partial, "apiVersion", "meta.k8s.io/v1");
    json_set(arena, partial, S("metadata"), metadata ? json_clone(arena, metadata) : json_object(arena));
    return partial;
}

struct json *partial_object_metadata_list(struct arena *arena, const struct json *objects, const struct json *list_metadata)
{
    struct json *list = json_object(arena), *items = json_array(arena);
    json_set_cstr(arena, list, "kind", "PartialObjectMetadataList");
    json_set_cstr(arena, list, "apiVersion", "meta.k8s.io/v1");
    json_set(arena, list, S("metadata"), list_metadata ? json_clone(arena, list_metadata) : json_object(arena));
    JSON_FOREACH (object, objects)
        json_append(items, partial_object_metadata(arena, object));
    json_set(arena, list, S("items"), items->first ? items : json_null(arena));
    return list;
}
