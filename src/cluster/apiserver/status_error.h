/* status_error: Kubernetes's errors as struct err. err.status is the HTTP code, err.code the reason, err.message the Status's
 * message, and the details ride along; status_error_to_json() makes the Status of any err. Words recorded from Kubernetes
 * 1.34 (tests/conformance/kubernetes). Any thread. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "cluster/apiserver/kinds.h"

/* 404 `pods "x" not found`. */
struct err *status_not_found(const struct kind *kind, struct slice name) NODISCARD;
/* 404 `the server could not find the requested resource` (unknown resource in a known group). */
struct err *status_unknown_resource(void) NODISCARD;
/* 409 `pods "p" already exists`; being deleted: `object is being deleted: pods "p" already exists`. */
struct err *status_already_exists(const struct kind *kind, struct slice name) NODISCARD;
struct err *status_already_exists_deleting(const struct kind *kind, struct slice name) NODISCARD;
/* 409 `Operation cannot be fulfilled on configmaps "a": TEXT`. */
struct err *status_conflict(const struct kind *kind, struct slice name, const char *format, ...)
    __attribute__((format(printf, 3, 4))) NODISCARD;
/* … `the object has been modified; please apply your changes to the latest version and try again`. */
struct err *status_conflict_version(const struct kind *kind, struct slice name) NODISCARD;
/* 409 of a delete precondition: names the Kind, not the resource. what: "UID" or "ResourceVersion". */
struct err *status_conflict_precondition(const struct kind *kind, struct slice name, const char *what, struct slice wanted,
                                         struct slice found) NODISCARD;
/* 403 `pods "x" is forbidden: TEXT` (name absent or empty: `pods is forbidden: TEXT`). */
struct err *status_forbidden(const struct kind *kind, struct slice name, const char *format, ...)
    __attribute__((format(printf, 3, 4))) NODISCARD;
/* 403 without a kind: `forbidden: User "bob" cannot get path "/metrics"`. */
struct err *status_forbidden_path(struct slice user, struct slice verb, struct slice path) NODISCARD;
/* 403 of creating something in a namespace that is going (cause NamespaceTerminating). */
struct err *status_namespace_terminating(const struct kind *kind, struct slice name, struct slice namespace_name) NODISCARD;
struct err *status_bad_request(const char *format, ...) __attribute__((format(printf, 1, 2))) NODISCARD;        /* 400 */
struct err *status_unauthorized(void) NODISCARD;                                                                /* 401 */
struct err *status_method_not_allowed(void) NODISCARD;                                                          /* 405 */
struct err *status_not_acceptable(const char *accepted) NODISCARD;        /* 406; accepted: "application/json, …" */
struct err *status_unsupported_media_type(const char *accepted) NODISCARD; /* 415 */
struct err *status_unsupported_patch_type(void) NODISCARD;                /* 415 `415: Unsupported Media Type`, as for any PATCH */
/* 406 of an Accept header that names nothing of ours at all (text/html). */
struct err *status_not_acceptable_at_all(const char *available) NODISCARD; /* available: "application/json, …" */
/* 410 Expired, for lists and watches. */
struct err *status_expired(const char *format, ...) __attribute__((format(printf, 1, 2))) NODISCARD;
/* The same with metadata.continue: a token with which the list may go on, inconsistently. */
struct err *status_expired_continue(struct slice fresh_continue) NODISCARD;
/* 429; retry_after_s 0: no details.retryAfterSeconds. */
struct err *status_too_many_requests(int retry_after_s, const char *format, ...) __attribute__((format(printf, 2, 3))) NODISCARD;
/* 504 `Timeout: Too large resource version: N, current: M` with its cause. */
struct err *status_too_large_version(uint64_t wanted, uint64_t current) NODISCARD;
struct err *status_timeout(const char *format, ...) __attribute__((format(printf, 1, 2))) NODISCARD;            /* 504 */
struct err *status_internal(const char *format, ...) __attribute__((format(printf, 1, 2))) NODISCARD;           /* 500 InternalError */
/* 500 with the bare message and no reason (`resourceVersion should not be set on objects to be created`). */
struct err *status_plain_500(const char *format, ...) __attribute__((format(printf, 1, 2))) NODISCARD;
/* 422 `the server rejected our request due to an error in our request` (a JSON patch that does not fit). */
struct err *status_unprocessable(void) NODISCARD;
/* Appends a cause to any of the above: {reason, message, field?}; field NULL: left out. Returns e. */
struct err *status_add_cause(struct err *e, const char *reason, struct slice message, const char *field) NODISCARD;
/* Sets details.{name, group, kind, uid} as given (NULL or absent: left out). Returns e. */
struct err *status_set_details(struct err *e, const struct kind *kind, struct slice name) NODISCARD;

/* The Status of any err and its HTTP code: err's own status, else by its kind (ERR_NOT_FOUND 404, ERR_CONFLICT 409,
 * ERR_DENIED 403, ERR_INVALID 400, ERR_LIMIT 429, ERR_UNAVAILABLE 503, ERR_INTERNAL 500 with the words
 * `Internal error occurred: …`). Does not free e. */
struct json *status_error_to_json(struct arena *arena, const struct err *e, int *ret_http_status);
/* `Status Success` of a DELETE: details {name, group, kind: resource, uid}. */
struct json *status_success(struct arena *arena, const struct kind *kind, struct slice name, struct slice uid);

/* --- 422 Invalid, gathered field by field --- */

#define FIELD_ERRORS_MAX 500

struct field_errors {
    struct arena *arena;
    size_t count; /* those past FIELD_ERRORS_MAX are not kept */
    struct json *causes; /* array of {reason, message, field} in the Status's form; NULL: none */
};

/* field is a path as Kubernetes writes it: "spec.containers[0].name". value is quoted as Kubernetes does (strings quoted,
 * numbers bare, objects and arrays as JSON). detail is printf-like. */
void field_invalid(struct field_errors *errors, struct slice field, const struct json *value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void field_required(struct field_errors *errors, struct slice field, const char *detail); /* detail "" when there is none */
void field_duplicate(struct field_errors *errors, struct slice field, const struct json *value);
/* supported: NULL-terminated, in the order of the message (Kubernetes sorts them). */
void field_not_supported(struct field_errors *errors, struct slice field, const struct json *value, const char *const *supported);
void field_not_found(struct field_errors *errors, struct slice field, const struct json *value);
void field_forbidden(struct field_errors *errors, struct slice field, const char *format, ...) __attribute__((format(printf, 3, 4)));
void field_too_long(struct field_errors *errors, struct slice field, int64_t max_bytes);
void field_too_many(struct field_errors *errors, struct slice field, int64_t count, int64_t max);
void field_type_invalid(struct field_errors *errors, struct slice field, const struct json *value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* NULL when none was gathered, else 422 `Pod "p" is invalid: …` with all causes. */
struct err *field_errors_to_err(const struct field_errors *errors, const struct kind *kind, struct slice name) NODISCARD;
/* The same for what is no stored kind: `ListOptions.meta.k8s.io "" is invalid: …` (group meta.k8s.io, kind ListOptions). */
struct err *field_errors_to_err_of(const struct field_errors *errors, const char *group, const char *kind, struct slice name)
    NODISCARD;
