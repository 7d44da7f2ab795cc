/* kinds: what the API server serves, as rows (kinds.def): one a resource of one group and version. REST, discovery,
 * validation, tables and garbage collection all read the same row, so that a kind is added by adding a row and its schema.
 * Constant data, any thread. Names and verbs are those of Kubernetes 1.34. */
#pragma once
#include "base/json.h"
#include "base/slice.h"

enum verb {
    VERB_CREATE = 1 << 0,
    VERB_DELETE = 1 << 1,
    VERB_DELETECOLLECTION = 1 << 2,
    VERB_GET = 1 << 3,
    VERB_LIST = 1 << 4,
    VERB_PATCH = 1 << 5,
    VERB_UPDATE = 1 << 6,
    VERB_WATCH = 1 << 7,
};

enum name_rule {
    NAME_DNS_SUBDOMAIN,   /* pods, configmaps, …: 253 */
    NAME_DNS_LABEL,       /* namespaces: 63, no dots */
    NAME_DNS_1035,        /* services: 63, starts with a letter */
    NAME_PATH_SEGMENT,    /* roles: anything without '/', '%', '.' and '..' */
    NAME_NONE,            /* reviews and requests: no name at all */
};

/* What DELETE answers when the object is gone at once. */
enum delete_answer { DELETE_ANSWERS_STATUS, DELETE_ANSWERS_OBJECT };

/* metadata.generation: kept by the server (1, +1 with each change of spec) or left as the client sent it. */
enum generation_rule { GENERATION_NONE, GENERATION_SPEC };

struct subresource {
    const char *name;       /* "status", "log", "token", "eviction", … */
    const char *group;      /* of the body's kind: differs for eviction (policy) and token (authentication.k8s.io) */
    const char *version;
    const char *kind;       /* of the body: "Pod", "Eviction", "TokenRequest", "PodExecOptions" */
    unsigned verbs;
};

#define KIND_SUBRESOURCES_MAX 14

struct kind {
    const char *group;       /* "" for core */
    const char *version;
    const char *resource;    /* "pods"; "" for a kind that is only the body of a subresource */
    const char *singular;    /* "pod" */
    const char *kind;        /* "Pod" */
    const char *short_names; /* "po" or "a,b" or "" */
    const char *categories;  /* "all" or "" */
    const char *message;     /* schema: protobuf message, "k8s.io.api.core.v1.Pod" */
    bool namespaced;
    unsigned verbs;
    enum name_rule name_rule;
    enum delete_answer delete_answer;
    enum generation_rule generation;
    const char *stored_as;   /* "group/resource" key in the registry; the two event kinds share "/events"; NULL: never stored */
    struct subresource subresources[KIND_SUBRESOURCES_MAX]; /* ends at name == NULL */
};

extern const struct kind kinds[];
extern const size_t kinds_count;

/* By path segments; NULL when not served. group "" is core. */
const struct kind *kind_find(struct slice group, struct slice version, struct slice resource);
/* By apiVersion ("v1", "networking.k8s.io/v1") and kind; also the kinds that are only bodies of subresources
 * (TokenRequest, Eviction) have rows, without list verbs. NULL when unknown. */
const struct kind *kind_find_by_name(struct slice api_version, struct slice kind);
/* True when any row has the group (and version, unless absent). */
bool kind_group_is_served(struct slice group, struct slice version);
bool kind_has_verb(const struct kind *kind, enum verb verb);
const struct subresource *kind_find_subresource(const struct kind *kind, struct slice name);
/* "v1" or "group/version". Borrowed from static rows or copied into the arena. */
struct slice kind_api_version(struct arena *arena, const struct kind *kind);
/* "pods" or "jobs.batch", as messages name it. */
struct slice kind_qualified_resource(struct arena *arena, const struct kind *kind);

/* The two kinds of event are one stored object: changes an object of from's form (in place) to to's form. Equal kinds: only
 * sets apiVersion and kind. */
void kind_convert(struct arena *arena, struct json *object, const struct kind *from, const struct kind *to);
