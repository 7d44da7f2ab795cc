/* logs: what the operations of this folder share. */
#pragma once
#include "aws/codec.h"
#include "aws/gen/logs.h"
#include "base/strbuf.h"
#include "logstore/logstore.h"
#include "services/call.h"

#define LOGS_PAGE_MAX_EVENTS 10000
#define LOGS_PAGE_MAX_BYTES (1 << 20)
#define LOGS_LIST_MAX 50

struct err *logs_invalid_parameter(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull)) NODISCARD;
/* The group's name from logGroupName or logGroupIdentifier (a name, or an ARN with or without ":*"): exactly one of them. */
struct err *logs_group_name(struct slice name, struct slice identifier, struct slice *ret_name) NODISCARD;
/* arn:aws:logs:REGION:ACCOUNT:log-group:NAME */
struct slice logs_group_arn(const struct call *call, struct slice group);
/* 1..50 */
struct err *logs_limit(struct opt_i64 limit, int64_t max, size_t *ret_limit) NODISCARD;
/* A token is the place behind which a list goes on, as text that clients need not understand. */
struct slice logs_list_token(struct arena *arena, struct slice last);
struct err *logs_list_token_parse(struct arena *arena, struct slice token, struct slice *ret_after) NODISCARD;
