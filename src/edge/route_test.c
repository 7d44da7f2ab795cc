#include "edge/edge_internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct row {
    const char *path, *query, *host, *header, *value, *body;
    enum door door;
    const char *service;
};

#define SIGNED(scope) "Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/20261121/us-east-1/" scope "/aws4_request, SignedHeaders=host, Signature=00"
#define FORM "Content-Type", "application/x-www-form-urlencoded; charset=utf-8"

static const struct row ROWS[] = {
    {"/", NULL, "h", SIGNED("s3"), NULL, DOOR_SERVICE, "s3"},
    {"/", NULL, "h", SIGNED("logs"), NULL, DOOR_SERVICE, "logs"},
    {"/healthz", NULL, "h", SIGNED("emr-containers"), NULL, DOOR_SERVICE, "emr-containers"},
    {"/ember/events", "limit=1", "h", SIGNED("emr-containers"), NULL, DOOR_EVENTS, "emr-containers"},
    {"/ember/events", NULL, "h", SIGNED("s3"), NULL, DOOR_SERVICE, "s3"},
    {"/ember/events", NULL, "h", NULL, NULL, NULL, DOOR_SERVICE, "s3"},
    {"/ember/jobruns/r/effective", NULL, "h", SIGNED("emr-containers"), NULL, DOOR_EFFECTIVE, "emr-containers"},
    {"/ember/jobruns//effective", NULL, "h", SIGNED("emr-containers"), NULL, DOOR_SERVICE, "emr-containers"},
    {"/ember/jobruns/r/effective", NULL, "h", SIGNED("s3"), NULL, DOOR_SERVICE, "s3"},
    {"/", NULL, "h", SIGNED("ec2"), NULL, DOOR_UNKNOWN, "emr-containers"},
    {"/", NULL, "h", SIGNED("s3express"), NULL, DOOR_UNKNOWN, "s3"},
    {"/", "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F2026%2Fus-east-1%2Fsts%2Faws4_request",
     "h", NULL, NULL, NULL, DOOR_SERVICE, "sts"},
    {"/b/k", "AWSAccessKeyId=A&Expires=1&Signature=x", "h", NULL, NULL, NULL, DOOR_SERVICE, "s3"},
    {"/", NULL, "h", "Authorization", "AWS4-HMAC-SHA256 Credential=junk", NULL, DOOR_SERVICE, "s3"},
    {"/", NULL, "h", "Authorization", "Bearer x", NULL, DOOR_SERVICE, "s3"},
    {"/", NULL, "h", "X-Amz-Target", "Logs_20140328.PutLogEvents", NULL, DOOR_SERVICE, "logs"},
    {"/", NULL, "h", "X-Amz-Target", "Other_1.X", NULL, DOOR_SERVICE, "logs"},
    {"/", NULL, "h", FORM, "Version=2010-05-08&Action=ListRoles", DOOR_SERVICE, "iam"},
    {"/", NULL, "h", FORM, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15", DOOR_SERVICE, "sts"},
    {"/", NULL, "h", FORM, NULL, DOOR_SERVICE, "sts"},
    {"/", NULL, "h", FORM, "a=b", DOOR_SERVICE, "s3"},
    {"/virtualclusters", NULL, "emr-containers.us-east-1.amazonaws.com", NULL, NULL, NULL, DOOR_SERVICE, "emr-containers"},
    {"/b/k", NULL, "127.0.0.1:4567", NULL, NULL, NULL, DOOR_SERVICE, "s3"},
    {"/healthz", NULL, "h", NULL, NULL, NULL, DOOR_HEALTH, "s3"},
    {"/metrics", NULL, "h", NULL, NULL, NULL, DOOR_METRICS, "s3"},
    {"/console/x", NULL, "h", NULL, NULL, NULL, DOOR_OURS, "s3"},
    {"/console-logs/x", NULL, "h", NULL, NULL, NULL, DOOR_SERVICE, "s3"},
};

static void test_a_request_finds_its_service(void **state)
{
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        const struct row *row = &ROWS[i];
        struct aws_header header = {.name = slice_from_cstr(row->header), .value = slice_from_cstr(row->value)};
        struct aws_request request = {
            .method = S("POST"),
            .path = slice_from_cstr(row->path),
            .query = slice_from_cstr(row->query),
            .headers = {.items = &header, .count = row->header ? 1 : 0},
            .body = slice_from_cstr(row->body),
            .bucket = SLICE_NONE,
        };
        struct target target = edge_route_target(arena, &request, slice_from_cstr(row->host));
        if (target.door != row->door || !slice_eq(target.service->signing_name, slice_from_cstr(row->service)))
            fail_msg("row %zu (%s): door %d, service %.*s", i, row->path, (int)target.door, SLICE_ARG(target.service->signing_name));
    }
    arena_free(arena);
}

static void test_a_virtual_host_names_its_bucket(void **state)
{
    static const struct {
        const char *host, *bucket;
    } rows[] = {
        {"bucket.s3.us-east-1.amazonaws.com", "bucket"},
        {"bucket.s3.amazonaws.com:443", "bucket"},
        {"my.dotted.bucket.s3.us-east-1.amazonaws.com", "my.dotted.bucket"},
        {"odd.s3.bucket.s3.us-east-1.amazonaws.com", "odd.s3.bucket"},
        {"bucket.s3-us-west-2.amazonaws.com", "bucket"},
        {"bucket.localhost:4567", "bucket"},
        {"bucket.s3.localhost:4567", "bucket"},
        {"bucket.s3.eu-west-1.localhost:4567", "bucket"},
        {"my.dotted.bucket.s3.localhost", "my.dotted.bucket"},
        {"my.dotted.bucket.LocalHost", "my.dotted.bucket"},
        {"s3.eu-west-1.localhost", NULL},
        {".localhost", NULL},
        {"[::1]:4567", NULL},
        {"s3.us-east-1.amazonaws.com", NULL},
        {"s3.localhost:4567", NULL},
        {"localhost:4567", NULL},
        {"127.0.0.1:4567", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct slice bucket = edge_virtual_bucket(slice_from_cstr(rows[i].host));
        if (!slice_eq(bucket, slice_from_cstr(rows[i].bucket)))
            fail_msg("%s: %.*s", rows[i].host, SLICE_ARG(bucket));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_request_finds_its_service),
        cmocka_unit_test(test_a_virtual_host_names_its_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
