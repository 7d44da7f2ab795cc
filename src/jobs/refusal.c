#include "jobs/refusal.h"

/* Static text for err->code. */
static const char VALIDATION[] = "VALIDATION_ERROR", USER[] = "USER_ERROR", CLUSTER[] = "CLUSTER_UNAVAILABLE", INTERNAL[] = "INTERNAL_ERROR";

/* From where a message says why: "pods "spark-…-driver" is forbidden: exceeded quota: …" names an object that the user has not made. */
static struct slice from_words(struct slice message, const char *words)
{
    ptrdiff_t at = slice_find(message, slice_from_cstr(words));
    return at < 0 ? message : slice_from(message, (size_t)at);
}

static struct slice behind_words(struct slice message, struct slice words)
{
    ptrdiff_t at = slice_find(message, words);
    return at < 0 ? message : slice_from(message, (size_t)at + words.len);
}

static struct err *worded(const struct err *e, struct slice cluster, struct slice namespace_)
{
    struct slice told = slice_from_cstr(e->message);
    if (slice_find(told, S("exceeded quota: ")) >= 0)
        return err_code(ERR_LIMIT, USER, "Cluster %.*s does not have sufficient resources. Namespace %.*s: %.*s", SLICE_ARG(cluster), SLICE_ARG(namespace_),
                        SLICE_ARG(from_words(told, "exceeded quota: ")));
    if (slice_find(told, S("error looking up service account ")) >= 0)
        return err_code(ERR_INVALID, USER, "JobRun submission failed. The service account is missing: %.*s",
                        SLICE_ARG(from_words(told, "error looking up service account ")));
    if (slice_find(told, S("because it is being terminated")) >= 0)
        return err_code(ERR_CONFLICT, USER, "JobRun submission failed. Namespace %.*s of cluster %.*s is being deleted.", SLICE_ARG(namespace_), SLICE_ARG(cluster));
    if (e->kind == ERR_NOT_FOUND && slice_find(told, S("namespaces \"")) >= 0)
        return err_code(ERR_NOT_FOUND, USER, "JobRun submission failed. Namespace %.*s does not exist in cluster %.*s.", SLICE_ARG(namespace_), SLICE_ARG(cluster));
    if (e->kind == ERR_DENIED && slice_find(told, S("admission webhook ")) >= 0)
        return err_code(ERR_INVALID, USER, "JobRun submission failed. %.*s", SLICE_ARG(from_words(told, "admission webhook ")));
    /* An admission plugin's words: a quota that wants limits, a limit range, pod security, a priority class. RBAC's begin with who may not. */
    if (e->kind == ERR_DENIED && slice_find(told, S(" is forbidden: ")) >= 0 && slice_find(told, S(" is forbidden: User \"")) < 0)
        return err_code(ERR_INVALID, USER, "JobRun submission failed. Namespace %.*s forbids the pod: %.*s", SLICE_ARG(namespace_),
                        SLICE_ARG(behind_words(told, S(" is forbidden: "))));
    if (e->kind == ERR_DENIED)
        return err_code(ERR_DENIED, CLUSTER, "Cluster %.*s does not have sufficient permissions. %.*s", SLICE_ARG(cluster), SLICE_ARG(behind_words(told, S(" is forbidden: "))));
    if (e->kind == ERR_INVALID || e->kind == ERR_LIMIT)
        return err_code(e->kind, VALIDATION, "JobRun submission failed. Kubernetes does not accept the run's configuration: %.*s", SLICE_ARG(behind_words(told, S(" is invalid: "))));
    if (e->kind == ERR_INTERNAL)
        return err_code(ERR_INTERNAL, INTERNAL, "JobRun submission failed due to an internal error. %.*s", SLICE_ARG(told));
    return err_code(e->kind, USER, "JobRun submission failed. Cluster %.*s, namespace %.*s: %.*s", SLICE_ARG(cluster), SLICE_ARG(namespace_), SLICE_ARG(told));
}

struct err *refusal_of_cluster(struct err *e, struct slice cluster, struct slice namespace_)
{
    if (!e || e->kind == ERR_UNAVAILABLE)
        return e;
    struct err *mine = worded(e, cluster, namespace_);
    err_free(e);
    return mine;
}
