/* rest: the verbs on resources. Each function answers the call or returns a Status for the caller to answer. */
#pragma once
#include "cluster/apiserver/call.h"

struct err *rest_get(struct api_call *call) NODISCARD;
struct err *rest_list(struct api_call *call) NODISCARD;
struct err *rest_create(struct api_call *call) NODISCARD;
struct err *rest_update(struct api_call *call) NODISCARD;
struct err *rest_patch(struct api_call *call) NODISCARD;
struct err *rest_delete(struct api_call *call) NODISCARD;
struct err *rest_delete_collection(struct api_call *call) NODISCARD;

/* Subresources that are not halves of the object, and the reviews. */
struct err *rest_token(struct api_call *call) NODISCARD;
struct err *rest_eviction(struct api_call *call) NODISCARD;
struct err *rest_binding(struct api_call *call) NODISCARD;
struct err *rest_review(struct api_call *call) NODISCARD;
struct err *rest_log(struct api_call *call) NODISCARD;

/* The query and body of a deletion. */
struct err *delete_options_parse(struct api_call *call, struct delete_options *ret_options, bool *ret_dry_run) NODISCARD;
