/* resource: what the operations of emr-containers share: ARNs, tags, page tokens, the digest of a request, and the errors that more
 * than one of them gives. Any thread; results live in the call's arena. */
#pragma once
#include "aws/gen/emr_containers.h"
#include "services/call.h"
#include "store/document.h"
#include "store/job_run.h"
#include "store/tag.h"
#include "store/virtual_cluster.h"

#define EMR_CONTAINERS_MAX_TAGS 50
#define EMR_CONTAINERS_PAGE 100 /* most results of one page, and its size when the client names none */

/* arn:aws:emr-containers:REGION:ACCOUNT:/virtualclusters/ID: the resource begins with a slash. Source: Service Authorization
 * Reference, Amazon EMR on EKS. */
struct slice virtual_cluster_arn(const struct call *call, struct slice id);
struct slice job_run_arn(const struct call *call, struct slice virtual_cluster_id, struct slice id);
struct slice job_template_arn(const struct call *call, struct slice id);
struct slice security_configuration_arn(const struct call *call, struct slice id);

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

/* A page token holds for the operation and for what this request asks for (all but nextToken and maxResults); see page_token.h. in: the
 * operation's decoded request. */
struct slice page_token_make(struct call *call, const void *in, struct slice place);
struct err *page_token_read(struct call *call, const void *in, struct slice token, struct slice *ret_place) NODISCARD;
struct slice page_token_make_i64(struct call *call, const void *in, int64_t place);
struct err *page_token_read_i64(struct call *call, const void *in, struct slice token, int64_t *ret_place) NODISCARD;
/* ValidationException for less than 1; more than a page is a page. */
struct err *page_size(struct opt_i64 max_results, int64_t *ret_size) NODISCARD;

/* SHA-256 in hex of what a request asks for, its client token left out: what makes a repeated token a repeated request. in: the operation's
 * decoded request. */
struct slice request_digest(struct call *call, const void *in);
/* What the same request with this token (absent: none) was answered before; ret_use->id is absent when it is new. To be asked before anything
 * is looked up that may have gone since. ValidationException: the token was used for another request. in: the operation's decoded request. */
struct err *request_answered(struct call *call, struct slice token, const void *in, struct client_token_use *ret_use) NODISCARD;
/* That exception. */
struct err *client_token_taken(struct slice token) NODISCARD;
/* A structure of the request as JSON, members in the model's order; absent stays absent. name: the request's member. */
struct slice request_member_json(struct call *call, struct slice name, const void *value);
/* Stored JSON (of our own writing) back to the structure of that member of that operation's request; NULL when json is absent. */
struct err *stored_member_decode(struct call *call, struct slice operation, struct slice member, struct slice json, const void **ret_value) NODISCARD;

/* Documents (store/document.h): a new one, or as the one that the same token made before was; in: the request, which has token.
 * ValidationException for tags and for a token that was used for another request. */
struct err *document_create(struct call *call, enum document_kind kind, struct slice name, struct slice body, const struct slice_map *tags,
                            struct slice token, const void *in, struct document *ret_row) NODISCARD;
/* A page by filter (page size and place are filled in here) and the token of the next; in: the request. */
struct err *document_list(struct call *call, struct document_filter *filter, struct opt_i64 max_results, struct slice next_token, const void *in,
                          struct document_page *ret_page, struct slice *ret_next_token) NODISCARD;
