/* codec_test: routing, decoding, validating and encoding in the four protocols. */
#include "aws/test_util.h"

#include "aws/arn.h"
#include "aws/gen/eks.h"
#include "aws/gen/emr_containers.h"
#include "aws/gen/logs.h"
#include "aws/gen/s3.h"
#include "aws/gen/sts.h"
#include "aws/regex.h"
#include "aws/timestamp.h"

static struct aws_request request_of(const char *method, const char *path, const char *query, struct slice body)
{
    return (struct aws_request){.method = slice_from_cstr(method),
                                .path = slice_from_cstr(path),
                                .query = slice_from_cstr(query),
                                .body = body};
}

static struct err *decode(struct arena *arena, const struct aws_service *service, const struct aws_request *request,
                          const void **ret_in)
{
    struct aws_route route;
    void *in = NULL;
    TRY(aws_route(arena, service, request, &route));
    TRY(aws_decode_request(arena, &route, request, &in));
    *ret_in = in;
    return aws_validate(arena, route.operation, in);
}

/* ---- routes ---- */

static void test_every_route_of_rest_finds_its_operation(void **state)
{
    static const struct {
        const struct aws_service *service;
        const char *method, *path, *query, *operation; /* operation NULL: the code */
        const char *code;
        int status;
    } rows[] = {
        {&emr_containers_service, "POST", "/virtualclusters/vc/jobruns", NULL, "StartJobRun", NULL, 0},
        {&emr_containers_service, "GET", "/virtualclusters/vc/jobruns/run", NULL, "DescribeJobRun", NULL, 0},
        {&emr_containers_service, "GET", "/virtualclusters/vc/jobruns", "states=RUNNING", "ListJobRuns", NULL, 0},
        {&emr_containers_service, "DELETE", "/tags/arn%3Aaws%3Aemr%2Fx", "tagKeys=a", "UntagResource", NULL, 0},
        {&emr_containers_service, "GET", "/nothing", NULL, NULL, "UnknownOperationException", 404},
        {&emr_containers_service, "PUT", "/virtualclusters", NULL, NULL, "UnknownOperationException", 404},
        {&emr_containers_service, "GET", "/virtualclusters/", NULL, NULL, "UnknownOperationException", 404},
        {&s3_service, "GET", "/", NULL, "ListBuckets", NULL, 0},
        {&s3_service, "GET", "/b", "list-type=2&x-id=ListObjectsV2", "ListObjectsV2", NULL, 0},
        {&s3_service, "GET", "/b/", "list-type=2", "ListObjectsV2", NULL, 0},
        {&s3_service, "GET", "/b", "prefix=acl", "ListObjects", NULL, 0},
        {&s3_service, "GET", "/b", "location=", "GetBucketLocation", NULL, 0},
        {&s3_service, "POST", "/b/", "delete", "DeleteObjects", NULL, 0},
        {&s3_service, "PUT", "/b/k", "x-id=PutObject", "PutObject", NULL, 0},
        {&s3_service, "GET", "/b//a/../b", NULL, "GetObject", NULL, 0},
        {&s3_service, "PUT", "/b/k", "partNumber=1&uploadId=u&x-id=UploadPart", "UploadPart", NULL, 0},
        {&s3_service, "POST", "/b/k", "uploads=", "CreateMultipartUpload", NULL, 0},
        {&s3_service, "POST", "/b/k", "uploadId=u", "CompleteMultipartUpload", NULL, 0},
        {&s3_service, "DELETE", "/b/k", "uploadId=u", "AbortMultipartUpload", NULL, 0},
        {&s3_service, "GET", "/b/k", "uploadId=u", "ListParts", NULL, 0},
        {&s3_service, "GET", "/b", "uploads", "ListMultipartUploads", NULL, 0},
        {&s3_service, "GET", "/b/k", "partNumber=2", "GetObject", NULL, 0},
        {&s3_service, "PUT", "/b/k", "acl", NULL, "NotImplemented", 501},
        {&s3_service, "PUT", "/b/k", "tagging=", NULL, "NotImplemented", 501},
        {&s3_service, "GET", "/b/k", "attributes", NULL, "NotImplemented", 501},
        {&s3_service, "GET", "/b", "policy=", NULL, "NotImplemented", 501},
        {&s3_service, "GET", "/b", "versions", NULL, "NotImplemented", 501},
        {&s3_service, "POST", "/b/k", "select&select-type=2", NULL, "NotImplemented", 501},
        {&s3_service, "PUT", "/b/k", "uploadId=u", NULL, "NotImplemented", 501},
        {&s3_service, "DELETE", "/b/k", "acl", NULL, "NotImplemented", 501},
        {&s3_service, "POST", "/b", NULL, NULL, "MethodNotAllowed", 405},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct aws_request request = request_of(rows[i].method, rows[i].path, rows[i].query, SLICE_NONE);
        struct aws_route route;
        struct err *e = aws_route(*state, rows[i].service, &request, &route);
        if (rows[i].operation) {
            if (e || !slice_eq(route.operation->name, slice_from_cstr(rows[i].operation)))
                fail_msg("%s %s?%s: %s", rows[i].method, rows[i].path, rows[i].query ? rows[i].query : "",
                         e ? e->message : route.operation->name.ptr);
        } else {
            assert_error(e, rows[i].code, rows[i].status);
        }
    }
}

static void test_a_copy_is_told_by_its_header(void **state)
{
    struct aws_header copy = {S("x-amz-copy-source"), S("b/k")};
    struct aws_request request = request_of("PUT", "/b/k", NULL, SLICE_NONE);
    request.headers = (struct aws_headers){&copy, 1};
    struct aws_route route;
    assert_ok(aws_route(*state, &s3_service, &request, &route));
    assert_slice(route.operation->name, S("CopyObject"));
    request.query = S("partNumber=1&uploadId=u");
    assert_ok(aws_route(*state, &s3_service, &request, &route));
    assert_slice(route.operation->name, S("UploadPartCopy"));
}

static void test_a_bucket_may_come_from_the_host(void **state)
{
    struct aws_request request = request_of("GET", "/a%2Fb//c+d", NULL, SLICE_NONE);
    request.bucket = S("bkt");
    struct aws_route route;
    assert_ok(aws_route(*state, &s3_service, &request, &route));
    assert_slice(route.operation->name, S("GetObject"));
    assert_slice(route.labels[0].value, S("bkt"));
    assert_slice(route.labels[1].value, S("a/b//c+d"));
    request.path = S("/");
    assert_ok(aws_route(*state, &s3_service, &request, &route));
    assert_slice(route.operation->name, S("ListObjects"));
}

static void test_labels_are_decoded_after_the_path_is_split(void **state)
{
    const void *in;
    struct aws_request request =
        request_of("GET", "/tags/arn%3Aaws%3Aemr-containers%3Aus-east-1%3A111122223333%3A%2Fvirtualclusters%2Fabc123",
                   NULL, SLICE_NONE);
    assert_ok(decode(*state, &emr_containers_service, &request, &in));
    const struct emr_containers_list_tags_for_resource_request *list = in;
    assert_slice(list->resource_arn, S("arn:aws:emr-containers:us-east-1:111122223333:/virtualclusters/abc123"));
}

/* ---- decoding ---- */

static void test_a_job_run_is_read_from_json(void **state)
{
    struct aws_request request = request_of(
        "POST", "/virtualclusters/vc1/jobruns", NULL,
        S("{\"name\":\"n\",\"clientToken\":\"t\",\"tags\":{\"a\":\"b\"},\"unknown\":[1,{}],\"executionRoleArn\":null,"
          "\"jobDriver\":{\"sparkSubmitJobDriver\":{\"entryPoint\":\"local:///"
          "x.py\",\"entryPointArguments\":[\"1\",\"2\"]}},"
          "\"configurationOverrides\":{\"applicationConfiguration\":[{\"classification\":\"spark-defaults\","
          "\"properties\":{\"k\":\"v\"},"
          "\"configurations\":[{\"classification\":\"inner\"}]}]},\"retryPolicyConfiguration\":{\"maxAttempts\":3}}"));
    const void *in;
    assert_ok(decode(*state, &emr_containers_service, &request, &in));
    const struct emr_containers_start_job_run_request *run = in;
    assert_slice(run->virtual_cluster_id, S("vc1"));
    assert_null(run->execution_role_arn.ptr);
    assert_int_equal(run->job_driver->spark_submit_job_driver->entry_point_arguments.count, 2);
    assert_slice(run->job_driver->spark_submit_job_driver->entry_point_arguments.items[1], S("2"));
    assert_null(run->job_driver->spark_sql_job_driver);
    const struct emr_containers_configuration *configuration =
        &run->configuration_overrides->application_configuration.items[0];
    assert_slice(configuration->properties.entries[0].value, S("v"));
    assert_slice(configuration->configurations.items[0].classification, S("inner"));
    assert_int_equal(run->retry_policy_configuration->max_attempts.value, 3);
    assert_slice(run->tags.entries[0].key, S("a"));
}

static void test_a_missing_client_token_is_made(void **state)
{
    struct aws_request request = request_of("POST", "/virtualclusters/vc1/jobruns", NULL, S("{}"));
    const void *in;
    assert_ok(decode(*state, &emr_containers_service, &request, &in));
    assert_int_equal(((const struct emr_containers_start_job_run_request *)in)->client_token.len, 36);
}

static void test_lists_and_times_are_read_from_the_query(void **state)
{
    struct aws_request request =
        request_of("GET", "/virtualclusters/vc/jobruns",
                   "states=RUNNING&states=FAILED&createdAfter=2026-11-21T21%3A10%3A00Z&maxResults=7", SLICE_NONE);
    const void *in;
    assert_ok(decode(*state, &emr_containers_service, &request, &in));
    const struct emr_containers_list_job_runs_request *list = in;
    assert_int_equal(list->states.count, 2);
    assert_slice(list->states.items[1], EMR_CONTAINERS_JOB_RUN_STATE_FAILED);
    assert_int_equal(list->max_results.value, 7);
    assert_int_equal(list->created_after.value.ms, 1795295400000);
}

static void test_unreadable_bodies_are_serialization_exceptions(void **state)
{
    static const char *const bodies[] = {"{",
                                         "[]",
                                         "{\"name\":1}",
                                         "{\"tags\":[]}",
                                         "{\"jobDriver\":\"x\"}",
                                         "{\"retryPolicyConfiguration\":{\"maxAttempts\":\"3\"}}"};
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct aws_request request =
            request_of("POST", "/virtualclusters/vc/jobruns", NULL, slice_from_cstr(bodies[i]));
        const void *in;
        assert_error(decode(*state, &emr_containers_service, &request, &in), "SerializationException", 400);
    }
}

static void test_a_put_object_is_read_from_its_headers(void **state)
{
    struct aws_header headers[] = {{S("X-Amz-Meta-Colour"), S("red")},
                                   {S("x-amz-meta-Size"), S("9")},
                                   {S("Content-Length"), S("5")},
                                   {S("Content-Type"), S("text/plain")},
                                   {S("If-None-Match"), S("*")}};
    struct aws_request request = request_of("PUT", "/bucket/a%20b/c", NULL, SLICE_NONE);
    request.headers = (struct aws_headers){headers, ARRAY_SIZE(headers)};
    const void *in;
    assert_ok(decode(*state, &s3_service, &request, &in));
    const struct s3_put_object_request *put = in;
    assert_slice(put->bucket, S("bucket"));
    assert_slice(put->key, S("a b/c"));
    assert_int_equal(put->metadata.count, 2);
    assert_slice(put->metadata.entries[0].key, S("colour"));
    assert_slice(put->if_none_match, S("*"));
    assert_int_equal(put->content_length.value, 5);
}

static void test_xml_is_read_with_and_without_a_namespace(void **state)
{
    static const char *const bodies[] = {
        "<Delete><Quiet>true</Quiet><Object><Key>a&amp;b</Key></Object><Object><VersionId>v</VersionId><Key> c "
        "</Key></Object></Delete>",
        "<?xml version=\"1.0\"?><x:Delete "
        "xmlns:x=\"http://s3.amazonaws.com/doc/2006-03-01/\"><x:Object><x:Key>a&amp;b</x:Key></x:Object>"
        "<x:Object><x:Key> c </x:Key><x:VersionId>v</x:VersionId></x:Object><x:Quiet>true</x:Quiet></x:Delete>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct aws_request request = request_of("POST", "/b", "delete", slice_from_cstr(bodies[i]));
        const void *in;
        assert_ok(decode(*state, &s3_service, &request, &in));
        const struct s3_delete_objects_request *delete_objects = in;
        assert_true(delete_objects->delete->quiet.value);
        assert_int_equal(delete_objects->delete->objects.count, 2);
        assert_slice(delete_objects->delete->objects.items[0].key, S("a&b"));
        assert_slice(delete_objects->delete->objects.items[1].key, S(" c "));
        assert_slice(delete_objects->delete->objects.items[1].version_id, S("v"));
    }
}

static void test_bad_xml_is_malformed(void **state)
{
    static const char *const bodies[] = {
        "<Delete>",
        "<Other/>",
        "<Delete/>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><Delete><Object><Key>&b;</Key></Object></Delete>",
        "<Delete><Object><VersionId>v</VersionId></Object></Delete>",
        "{}"};
    for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
        struct aws_request request = request_of("POST", "/b", "delete", slice_from_cstr(bodies[i]));
        const void *in;
        assert_error(decode(*state, &s3_service, &request, &in), "MalformedXML", 400);
    }
}

static void test_an_action_may_be_in_the_form_or_the_query(void **state)
{
    const void *in;
    struct aws_route route;
    struct aws_request form = request_of("POST", "/", NULL, S("Version=2011-06-15&Action=GetCallerIdentity"));
    assert_ok(decode(*state, &sts_service, &form, &in));
    struct aws_request query =
        request_of("GET", "/", "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Date=x", SLICE_NONE);
    assert_ok(decode(*state, &sts_service, &query, &in));
    struct aws_request unknown = request_of("POST", "/", NULL, S("Action=AssumeRole&Version=2011-06-15"));
    struct err *e = aws_route(*state, &sts_service, &unknown, &route);
    assert_string_equal(e->message, "Could not find operation AssumeRole for version 2011-06-15");
    err_free(e);
}

static void test_a_target_names_the_operation(void **state)
{
    struct aws_route route;
    assert_ok(aws_route_target(&logs_service, S("Logs_20140328.PutLogEvents"), &route));
    assert_slice(route.operation->name, S("PutLogEvents"));
    assert_error(aws_route_target(&logs_service, S("Logs_20140328.StartLiveTail"), &route), "UnknownOperationException",
                 400);
    assert_error(aws_route_target(&logs_service, S("Other.PutLogEvents"), &route), "UnknownOperationException", 400);
    assert_error(aws_route_target(&logs_service, SLICE_NONE, &route), "UnknownOperationException", 400);
}

/* ---- validation ---- */

static void assert_violations(struct arena *arena, const struct aws_service *service, const struct aws_request *request,
                              const char *code, const char *message)
{
    const void *in;
    struct err *e = decode(arena, service, request, &in);
    assert_non_null(e);
    assert_string_equal(e->code, code);
    assert_string_equal(e->message, message);
    err_free(e);
}

static void test_all_violations_are_told_at_once(void **state)
{
    struct aws_request request =
        request_of("POST", "/virtualclusters/vc/jobruns", NULL,
                   S("{\"name\":\"\",\"executionRoleArn\":\"x\",\"jobDriver\":{\"sparkSubmitJobDriver\":{}},"
                     "\"configurationOverrides\":{\"monitoringConfiguration\":{\"persistentAppUI\":\"MAYBE\","
                     "\"s3MonitoringConfiguration\":{}}}}"));
    assert_violations(
        *state, &emr_containers_service, &request, "ValidationException",
        "7 validation errors detected: "
        "Value '' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "[\\.\\-_/#A-Za-z0-9]+; "
        "Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1; "
        "Value 'x' at 'executionRoleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "^arn:(aws[a-zA-Z0-9-]*):iam::(\\d{12})?:(role((\\u002F)|(\\u002F[\\u0021-\\u007F]+\\u002F))[\\w+=,.@-]+)$; "
        "Value 'x' at 'executionRoleArn' failed to satisfy constraint: Member must have length greater than or equal "
        "to 20; "
        "Value null at 'jobDriver.sparkSubmitJobDriver.entryPoint' failed to satisfy constraint: Member must not be "
        "null; "
        "Value 'MAYBE' at 'configurationOverrides.monitoringConfiguration.persistentAppUI' failed to satisfy "
        "constraint: Member must satisfy enum value set: [ENABLED, DISABLED]; "
        "Value null at 'configurationOverrides.monitoringConfiguration.s3MonitoringConfiguration.logUri' failed to "
        "satisfy constraint: Member must not be null");
}

static void test_one_violation_is_singular(void **state)
{
    struct aws_header target = {S("X-Amz-Target"), S("Logs_20140328.PutLogEvents")};
    struct aws_request request = request_of(
        "POST", "/", NULL,
        S("{\"logGroupName\":\"g\",\"logStreamName\":\"s\",\"logEvents\":[{\"timestamp\":-1,\"message\":\"m\"}]}"));
    request.headers = (struct aws_headers){&target, 1};
    assert_violations(*state, &logs_service, &request, "InvalidParameterException",
                      "1 validation error detected: Value '-1' at 'logEvents.1.member.timestamp' failed to satisfy "
                      "constraint: Member must have value greater than or equal to 0");
}

static void test_map_keys_and_values_are_checked(void **state)
{
    struct aws_request request =
        request_of("POST", "/tags/arn%3Aaws%3Aemr-containers%3Aus-east-1%3A111122223333%3A%2Fvirtualclusters%2Fabc123",
                   NULL, S("{\"tags\":{\"\":\"v\"}}"));
    assert_violations(
        *state, &emr_containers_service, &request, "ValidationException",
        "1 validation error detected: Value '{=v}' at 'tags' failed to satisfy constraint: Map keys must satisfy "
        "constraint: "
        "[Member must have length less than or equal to 128, Member must have length greater than or equal to 1, "
        "Member must satisfy regular expression pattern: .*\\S.*]");
}

static void test_secret_values_are_not_echoed(void **state)
{
    struct aws_request request = request_of("POST", "/virtualclusters/vc/jobruns", NULL,
                                            S("{\"configurationOverrides\":{\"applicationConfiguration\":[{"
                                              "\"classification\":\"c\",\"properties\":{\"password\":\"\"}}]}}"));
    const void *in;
    struct err *e = decode(*state, &emr_containers_service, &request, &in);
    assert_non_null(e);
    assert_true(slice_starts_with(err_message(e),
                                  S("1 validation error detected: Value at "
                                    "'configurationOverrides.applicationConfiguration.1.member.properties' failed")));
    err_free(e);
}

static void test_lengths_count_utf16_units(void **state)
{
    /* 33 emoji are 66 units: past the 64 of a name is the client token's bound. */
    struct strbuf body = STRBUF_ARENA(*state);
    strbuf_append_cstr(&body, "{\"clientToken\":\"");
    for (int i = 0; i < 33; i++)
        strbuf_append_cstr(&body, "\xF0\x9F\x98\x80");
    strbuf_append_cstr(&body, "\"}");
    struct aws_request request = request_of("POST", "/virtualclusters/vc/jobruns", NULL, strbuf_slice(&body));
    const void *in;
    struct err *e = decode(*state, &emr_containers_service, &request, &in);
    assert_non_null(e);
    assert_true(slice_ends_with(err_message(e), S("Member must have length less than or equal to 64")));
    err_free(e);
}

static void test_patterns_match_whole_values(void **state)
{
    const struct aws_shape *log_group =
        aws_member_find(aws_operation_find(&logs_service, S("CreateLogGroup"))->request, S("logGroupName"))->shape;
    const struct aws_shape *tags =
        aws_member_find(aws_operation_find(&logs_service, S("CreateLogGroup"))->request, S("tags"))->shape;
    const struct aws_shape *namespace =
        aws_member_find(
            aws_member_find(
                aws_member_find(
                    aws_member_find(aws_operation_find(&emr_containers_service, S("CreateVirtualCluster"))->request,
                                    S("containerProvider"))
                        ->shape,
                    S("info"))
                    ->shape,
                S("eksInfo"))
                ->shape,
            S("namespace"))
            ->shape;
    assert_true(aws_regex_matches(log_group->pattern, S("/aws/a-b.c#1")));
    assert_false(aws_regex_matches(log_group->pattern, S("/aws/a b")));
    assert_false(aws_regex_matches(log_group->pattern, S("")));
    assert_false(aws_regex_matches(log_group->pattern, S("a\n")));
    assert_true(aws_regex_matches(tags->key->pattern, S("\xC3\xBC\xCE\xBB x:1")));
    assert_false(aws_regex_matches(tags->key->pattern, S("a!")));
    assert_false(aws_regex_matches(tags->key->pattern, S("\xff")));
    assert_true(aws_regex_matches(namespace->pattern, S("a")));
    assert_true(aws_regex_matches(namespace->pattern, S("a-b-9")));
    assert_false(aws_regex_matches(namespace->pattern, S("a-")));
    assert_false(aws_regex_matches(namespace->pattern, S("A")));
    const struct aws_shape *not_blank =
        aws_member_find(aws_operation_find(&emr_containers_service, S("StartJobRun"))->request, S("clientToken"))->shape;
    assert_true(aws_regex_matches(not_blank->pattern, S("--conf a=b \\\n--conf c=d\n")));
    assert_false(aws_regex_matches(not_blank->pattern, S(" \n\t")));
}

/* ---- answers ---- */

static struct slice header_of(const struct aws_response *response, const char *name)
{
    return aws_header_get((struct aws_headers){response->headers, response->header_count}, slice_from_cstr(name));
}

static void test_times_in_json_follow_the_model(void **state)
{
    struct eks_cluster cluster = {.name = S("c"), .created_at = OPT_INSTANT((struct instant){1795295400123})};
    struct eks_describe_cluster_response eks = {.cluster = &cluster};
    struct aws_response response =
        aws_encode_response(*state, aws_operation_find(&eks_service, S("DescribeCluster")), NULL, S("id"), &eks);
    assert_slice(response.body, S("{\"cluster\":{\"name\":\"c\",\"createdAt\":1795295400.123}}"));
    assert_slice(header_of(&response, "Content-Type"), S("application/json"));
    assert_slice(header_of(&response, "x-amzn-RequestId"), S("id"));
    struct emr_containers_job_run run = {.id = S("r"), .created_at = OPT_INSTANT((struct instant){1795295400000})};
    struct emr_containers_describe_job_run_response emr = {.job_run = &run};
    response = aws_encode_response(*state, aws_operation_find(&emr_containers_service, S("DescribeJobRun")), NULL,
                                   S("id"), &emr);
    assert_slice(response.body, S("{\"jobRun\":{\"id\":\"r\",\"createdAt\":\"2026-11-21T21:10:00Z\"}}"));
}

static void test_void_operations_answer_as_aws_does(void **state)
{
    struct logs_create_log_group_response none = {0};
    struct aws_response response =
        aws_encode_response(*state, aws_operation_find(&logs_service, S("CreateLogGroup")), NULL, S("id"), &none);
    assert_int_equal(response.body.len, 0);
    struct emr_containers_tag_resource_response empty = {0};
    response = aws_encode_response(*state, aws_operation_find(&emr_containers_service, S("TagResource")), NULL, S("id"),
                                   &empty);
    assert_slice(response.body, S("{}"));
    struct s3_delete_object_response deleted = {0};
    response = aws_encode_response(*state, aws_operation_find(&s3_service, S("DeleteObject")), NULL, S("id"), &deleted);
    assert_int_equal(response.status, 204);
    assert_null(response.body.ptr);
}

static void test_s3_lists_have_the_root_that_sdks_expect(void **state)
{
    struct s3_object object = {.key = S("a<\x01"),
                               .e_tag = S("\"e\""),
                               .size = OPT_I64(3),
                               .last_modified = OPT_INSTANT((struct instant){1795295400999})};
    struct s3_common_prefix prefix = {.prefix = S("p/")};
    struct s3_list_objects_v2_response list = {.is_truncated = OPT_BOOL(false),
                                               .name = S("b"),
                                               .contents = {true, 1, &object},
                                               .common_prefixes = {true, 1, &prefix}};
    struct aws_response response =
        aws_encode_response(*state, aws_operation_find(&s3_service, S("ListObjectsV2")), NULL, S("id"), &list);
    assert_slice(response.body, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
                                  "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                                  "<IsTruncated>false</IsTruncated><Contents><Key>a&lt;&#x1;</"
                                  "Key><LastModified>2026-11-21T21:10:00.000Z</LastModified>"
                                  "<ETag>&quot;e&quot;</ETag><Size>3</Size></Contents><Name>b</Name>"
                                  "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>"));
    struct s3_get_bucket_location_response location = {.location_constraint = S("eu-west-1")};
    response =
        aws_encode_response(*state, aws_operation_find(&s3_service, S("GetBucketLocation")), NULL, S("id"), &location);
    assert_true(slice_ends_with(
        response.body,
        S("<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">eu-west-1</LocationConstraint>")));
}

/* S3 writes other control characters by their number (see above), which some readers take; none takes that of NUL. */
static void test_an_error_that_repeats_a_nul_can_be_read(void **state)
{
    struct err *e = aws_err_member(aws_err(ERR_NOT_FOUND, 404, "NoSuchKey", "The specified key does not exist."), "Key", slice_of("a\0b", 3));
    struct aws_response response = aws_encode_error(*state, &s3_service, &(struct aws_request){.method = S("GET")}, S("id"), e);
    assert_true(slice_find(response.body, S("<Key>a\xEF\xBF\xBD" "b</Key>")) > 0);
    err_free(e);
}

static void test_object_answers_travel_in_headers(void **state)
{
    struct slice_map_entry meta = {S("colour"), S("red\r\nx: y")};
    struct s3_head_object_response head = {.e_tag = S("\"e\""),
                                           .content_length = OPT_I64(5),
                                           .content_type = S("text/plain"),
                                           .last_modified = OPT_INSTANT((struct instant){1795295400123}),
                                           .metadata = {true, 1, &meta}};
    struct aws_response response =
        aws_encode_response(*state, aws_operation_find(&s3_service, S("HeadObject")), NULL, S("id"), &head);
    assert_slice(header_of(&response, "Last-Modified"), S("Sat, 21 Nov 2026 21:10:00 GMT"));
    assert_slice(header_of(&response, "Content-Type"), S("text/plain"));
    assert_slice(header_of(&response, "x-amz-meta-colour"), S("red  x: y"));
    assert_null(header_of(&response, "Content-Length").ptr);
    assert_null(response.body.ptr);
}

static void test_sts_answers_xml_or_json(void **state)
{
    struct sts_get_caller_identity_response identity = {.user_id = S("u"), .account = S("111122223333"), .arn = S("a")};
    const struct aws_operation *operation = aws_operation_find(&sts_service, S("GetCallerIdentity"));
    struct aws_response response = aws_encode_response(*state, operation, NULL, S("id"), &identity);
    assert_slice(response.body,
                 S("<GetCallerIdentityResponse "
                   "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><UserId>u</UserId>"
                   "<Account>111122223333</Account><Arn>a</Arn></"
                   "GetCallerIdentityResult><ResponseMetadata><RequestId>id</RequestId>"
                   "</ResponseMetadata></GetCallerIdentityResponse>"));
    struct aws_header accept = {S("accept"), S("application/json")};
    struct aws_request request = {.headers = {&accept, 1}};
    response = aws_encode_response(*state, operation, &request, S("id"), &identity);
    assert_slice(response.body, S("{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"UserId\":\"u\","
                                  "\"Account\":\"111122223333\",\"Arn\":\"a\"},"
                                  "\"ResponseMetadata\":{\"RequestId\":\"id\"}}}"));
    assert_slice(header_of(&response, "Content-Type"), S("application/json"));
}

static void test_errors_have_the_form_of_their_protocol(void **state)
{
    struct err *e = err_code(ERR_NOT_FOUND, "ResourceNotFoundException", "no %s", "x");
    struct aws_response response = aws_encode_error(*state, &emr_containers_service, NULL, S("id"), e);
    assert_int_equal(response.status, 400);
    assert_slice(header_of(&response, "x-amzn-ErrorType"), S("ResourceNotFoundException"));
    assert_slice(response.body, S("{\"__type\":\"ResourceNotFoundException\",\"message\":\"no x\"}"));
    e = aws_err_member(e, "clusterName", S("c"));
    response = aws_encode_error(*state, &eks_service, NULL, S("id"), e);
    assert_int_equal(response.status, 404);
    assert_slice(response.body,
                 S("{\"__type\":\"ResourceNotFoundException\",\"message\":\"no x\",\"clusterName\":\"c\"}"));
    response = aws_encode_error(*state, &logs_service, NULL, S("id"), e);
    assert_int_equal(response.status, 400);
    assert_slice(header_of(&response, "Content-Type"), S("application/x-amz-json-1.1"));
    response = aws_encode_error(*state, &sts_service, NULL, S("id"), e);
    assert_slice(response.body, S("<ErrorResponse "
                                  "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</"
                                  "Type><Code>ResourceNotFoundException</Code>"
                                  "<Message>no x</Message></Error><RequestId>id</RequestId></ErrorResponse>"));
    err_free(e);
    e = aws_err_member(err_code(ERR_NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist"), "BucketName",
                       S("b&"));
    response = aws_encode_error(*state, &s3_service, NULL, S("ID"), e);
    assert_int_equal(response.status, 404);
    assert_true(slice_starts_with(
        response.body, S("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchBucket</Code><Message>The "
                         "specified bucket does not exist</Message>"
                         "<BucketName>b&amp;</BucketName><RequestId>ID</RequestId><HostId>")));
    struct aws_request head = {.method = S("HEAD")};
    assert_null(aws_encode_error(*state, &s3_service, &head, S("ID"), e).body.ptr);
    err_free(e);
}

static void test_failures_do_not_show_their_message(void **state)
{
    struct err *e = err_new(ERR_INTERNAL, "secret path");
    static const struct aws_service *const services[] = {&emr_containers_service, &eks_service, &logs_service,
                                                         &sts_service, &s3_service};
    static const char *const codes[] = {"InternalServerException", "ServerException", "InternalFailure",
                                        "InternalFailure", "InternalError"};
    for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
        struct aws_response response = aws_encode_error(*state, services[i], NULL, S("id"), e);
        assert_int_equal(response.status, 500);
        assert_true(slice_find(response.body, slice_from_cstr(codes[i])) >= 0);
        assert_true(slice_find(response.body, S("secret")) < 0);
    }
    err_free(e);
}

/* ---- small parts ---- */

static void test_timestamps_of_every_form(void **state)
{
    static const struct {
        const char *text;
        enum aws_timestamp_format format;
        int64_t ms;
        bool good;
    } rows[] = {
        {"1795295400", AWS_TIMESTAMP_UNIX, 1795295400000, true},
        {"1795295400.5", AWS_TIMESTAMP_UNIX, 1795295400500, true},
        {"1.7952954E9", AWS_TIMESTAMP_UNIX, 1795295400000, true},
        {"-1.5", AWS_TIMESTAMP_UNIX, -1500, true},
        {"2026-11-21T21:10:00.25Z", AWS_TIMESTAMP_ISO8601, 1795295400250, true},
        {"2026-11-21T22:10:00+01:00", AWS_TIMESTAMP_ISO8601, 1795295400000, true},
        {"Sat, 21 Nov 2026 21:10:00 GMT", AWS_TIMESTAMP_RFC822, 1795295400000, true},
        {"", AWS_TIMESTAMP_UNIX, 0, false},
        {"1.", AWS_TIMESTAMP_UNIX, 0, false},
        {"1e999", AWS_TIMESTAMP_UNIX, 0, false},
        {"nan", AWS_TIMESTAMP_UNIX, 0, false},
        {"99999999999999", AWS_TIMESTAMP_UNIX, 0, false},
        {"yesterday", AWS_TIMESTAMP_ISO8601, 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct instant t = {0};
        bool good = aws_timestamp_parse(slice_from_cstr(rows[i].text), rows[i].format, &t);
        if (good != rows[i].good || t.ms != rows[i].ms)
            fail_msg("%s: %d %lld", rows[i].text, good, (long long)t.ms);
    }
    assert_slice(aws_timestamp_format(*state, (struct instant){-1500}, AWS_TIMESTAMP_UNIX), S("-1.500"));
}

static void test_arns_are_split_and_put_together(void **state)
{
    struct arn arn;
    struct slice text = S("arn:aws:iam::111122223333:role/path/name"), type, id;
    assert_true(arn_parse(text, &arn));
    assert_slice(arn.region, S(""));
    assert_slice(arn_format(*state, &arn), text);
    arn_split_resource(&arn, &type, &id);
    assert_slice(type, S("role"));
    assert_slice(id, S("path/name"));
    assert_true(arn_parse(S("arn:aws:logs:r:1:log-group:g:*"), &arn));
    assert_slice(arn.resource, S("log-group:g:*"));
    static const char *const bad[] = {
        "", "arn", "arn:aws", "arn:aws:iam:::", "arn::iam:::x", "urn:aws:iam::1:x", "arn:aws:iam:r"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(arn_parse(slice_from_cstr(bad[i]), &arn));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_route_of_rest_finds_its_operation),
        TEST(test_a_copy_is_told_by_its_header),
        TEST(test_a_bucket_may_come_from_the_host),
        TEST(test_labels_are_decoded_after_the_path_is_split),
        TEST(test_a_job_run_is_read_from_json),
        TEST(test_a_missing_client_token_is_made),
        TEST(test_lists_and_times_are_read_from_the_query),
        TEST(test_unreadable_bodies_are_serialization_exceptions),
        TEST(test_a_put_object_is_read_from_its_headers),
        TEST(test_xml_is_read_with_and_without_a_namespace),
        TEST(test_bad_xml_is_malformed),
        TEST(test_an_action_may_be_in_the_form_or_the_query),
        TEST(test_a_target_names_the_operation),
        TEST(test_all_violations_are_told_at_once),
        TEST(test_one_violation_is_singular),
        TEST(test_map_keys_and_values_are_checked),
        TEST(test_secret_values_are_not_echoed),
        TEST(test_lengths_count_utf16_units),
        TEST(test_patterns_match_whole_values),
        TEST(test_times_in_json_follow_the_model),
        TEST(test_void_operations_answer_as_aws_does),
        TEST(test_s3_lists_have_the_root_that_sdks_expect),
        TEST(test_an_error_that_repeats_a_nul_can_be_read),
        TEST(test_object_answers_travel_in_headers),
        TEST(test_sts_answers_xml_or_json),
        TEST(test_errors_have_the_form_of_their_protocol),
        TEST(test_failures_do_not_show_their_message),
        TEST(test_timestamps_of_every_form),
        TEST(test_arns_are_split_and_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
