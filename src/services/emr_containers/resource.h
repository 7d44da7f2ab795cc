/* resource: what the operations of emr-containers share: ARNs, tags, page tokens, the digest of a request, and the errors that more
 * than one of them gives. Any thread; results live in the call's arena. */
#pragma once
#include "aws/gen/emr_containers.h"
#include "services/call.h"
#include "store/job_run.h"
#include "store/tag.h"
#include "store/virtual_cluster.h"

#define EMR_CONTAINERS_MAX_TAGS 50
#define EMR_CONTAINERS_PAGE 100 /* most results of one page, and its size when the client names none */

/* arn:aws:emr-containers:REGION:ACCOUNT:/virtualclusters/ID: the resource begins with a slash. Source: Service Authorization
 * Reference, Amazon EMR on EKS. */
struct slice virtual_cluster_arn(const struct call *call, struct slice id);
struct slice job_run_arn(const struct call *call, struct slice virtual_cluster_id, struct slice id);

/* ValidationException with that text. */
#define emr_containers_invalid(...) err_code(ERR_INVALID, "ValidationException", __VA_ARGS__)
/* "Virtual cluster X doesn't exist." and "Job run X doesn't exist.", ResourceNotFoundException. Source: moto's tests. */
struct err *virtual_cluster_missing(struct slice id) NODISCARD;
struct err *job_run_missing(struct slice id) NODISCARD;

/* The job run of that cluster; ValidationException for an id that can be none, else as job_run_missing. */
struct err *job_run_find(struct call *call, struct slice virtual_cluster_id, struct slice id, struct job_run *ret_row) NODISCARD;

struct err *tags_from_map(struct call *call, const struct slice_map *map, struct tags *ret_tags) NODISCARD;
struct slice_map tags_to_map(struct call *call, const struct tags *tags);
/* The tags of a resource of ours as the API shows them: an empty map when there are none. */
struct err *tags_of(struct call *call, struct slice arn, struct slice_map *ret_map) NODISCARD;
/* ERR unless arn names a resource of ours that exists. */
struct err *tagged_resource_check(struct call *call, struct slice arn) NODISCARD;

/* A page token is opaque: a position in base64url. kind tells the lists apart. */
struct slice page_token_make(struct call *call, char kind, struct slice position);
struct err *page_token_read(struct call *call, char kind, struct slice token, struct slice *ret_position) NODISCARD;
/* ValidationException for less than 1; more than a page is a page. */
struct err *page_size(struct opt_i64 max_results, int64_t *ret_size) NODISCARD;

/* SHA-256 in hex of the request without its client token: what makes a repeated token a repeated request. */
struct slice request_digest(struct call *call, struct slice path_id, const void *in_without_token);
/* A structure of the request as JSON, members in the model's order; absent stays absent. name: the request's member. */
struct slice request_member_json(struct call *call, struct slice name, const void *value);
