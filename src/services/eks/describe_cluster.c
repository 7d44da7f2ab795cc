#include "services/call.h"

#include "aws/codec.h"
#include "aws/gen/eks.h"
#include "base/encode.h"
#include "cluster/cluster.h"

#define SERVICE_CIDR S("10.100.0.0/16")

/* What update-kubeconfig, eksctl and Terraform take from it; a cluster of this machine has no role and no network of a cloud,
 * so roleArn is left out and the lists of the network are empty. connectorConfig stays absent: eksctl refuses clusters with it. */
static const struct eks_cluster *cluster_of_view(struct call *call, const struct cluster_view *view)
{
    struct eks_vpc_config_response *network = ARENA_NEW(call->arena, struct eks_vpc_config_response);
    *network = (struct eks_vpc_config_response){
        .subnet_ids = {.set = true},
        .security_group_ids = {.set = true},
        .endpoint_public_access = OPT_BOOL(true),
        .endpoint_private_access = OPT_BOOL(false),
        .public_access_cidrs = {.set = true},
    };
    struct eks_kubernetes_network_config_response *services = ARENA_NEW(call->arena, struct eks_kubernetes_network_config_response);
    services->service_ipv4_cidr = SERVICE_CIDR;
    services->ip_family = S("ipv4");
    struct eks_oidc *oidc = ARENA_NEW(call->arena, struct eks_oidc);
    oidc->issuer = view->oidc_issuer;
    struct eks_identity *identity = ARENA_NEW(call->arena, struct eks_identity);
    identity->oidc = oidc;
    struct eks_certificate *certificate = ARENA_NEW(call->arena, struct eks_certificate);
    certificate->data = base64_encode(call->arena, view->ca_pem);
    struct eks_access_config_response *access = ARENA_NEW(call->arena, struct eks_access_config_response);
    access->authentication_mode = S("API_AND_CONFIG_MAP");
    struct eks_cluster_health *health = ARENA_NEW(call->arena, struct eks_cluster_health);
    health->issues.set = true;
    if (view->problem.len) {
        struct eks_cluster_issue *issue = ARENA_NEW(call->arena, struct eks_cluster_issue);
        *issue = (struct eks_cluster_issue){.code = S("ClusterUnreachable"), .message = view->problem, .resource_ids = {.set = true}};
        health->issues.items = issue;
        health->issues.count = 1;
    }

    struct eks_cluster *cluster = ARENA_NEW(call->arena, struct eks_cluster);
    *cluster = (struct eks_cluster){
        .name = view->name,
        .arn = slice_fmt(call->arena, "arn:aws:eks:%.*s:%.*s:cluster/%.*s", SLICE_ARG(call->parts->region),
                         SLICE_ARG(call->parts->account_id), SLICE_ARG(view->name)),
        .created_at = OPT_INSTANT(view->created_at),
        .version = view->version,
        .endpoint = view->server,
        .resources_vpc_config = network,
        .kubernetes_network_config = services,
        .identity = identity,
        .status = view->problem.len ? S("FAILED") : S("ACTIVE"),
        .certificate_authority = certificate,
        .platform_version = S("eks.1"),
        .tags = {.set = true},
        .health = health,
        .access_config = access,
    };
    return cluster;
}

struct err *eks_describe_cluster(struct call *call, const struct eks_describe_cluster_request *in,
                                 struct eks_describe_cluster_response *out)
{
    struct cluster_view view;
    struct err *e = cluster_get(call->parts->clusters, call->arena, in->name, &view);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        return aws_err_member(
            aws_err(ERR_NOT_FOUND, 404, "ResourceNotFoundException", "No cluster found for name: %.*s.", SLICE_ARG(in->name)),
            "clusterName", in->name);
    }
    TRY(e);
    out->cluster = cluster_of_view(call, &view);
    return NULL;
}
