#include "edge/metrics.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct aws_operation *operation_of(const char *service, const char *name)
{
    return aws_operation_find(aws_service_find(slice_from_cstr(service)), slice_from_cstr(name));
}

static void count(struct metrics *metrics, const struct aws_service *service, const struct aws_operation *operation, int status, int64_t us)
{
    metrics_request_begins(metrics, service);
    metrics_request_ends(metrics, &(struct metrics_request){
                                      .service = service, .begun_as = service, .operation = operation, .status = status, .bytes_in = 10, .bytes_out = 100, .duration_us = us});
}

static void assert_line(const struct strbuf *page, const char *line)
{
    const char *at = strstr(page->ptr, line);
    if (!at || (at != page->ptr && at[-1] != '\n') || at[strlen(line)] != '\n')
        fail_msg("there is no line %s in\n%s", line, page->ptr);
}

static void test_requests_are_counted_by_operation_and_code(void **state)
{
    struct arena *arena = arena_new();
    struct strbuf page = STRBUF_ARENA(arena);
    struct metrics *metrics = metrics_new();
    const struct aws_operation *run = operation_of("emr-containers", "DescribeJobRun");
    count(metrics, run->service, run, 200, 700);
    count(metrics, run->service, run, 200, 20000);
    count(metrics, run->service, run, 400, 40000000);
    count(metrics, NULL, NULL, 200, 1);
    metrics_render(metrics, &page);
    assert_line(&page, "# TYPE ember_requests_total counter");
    assert_line(&page, "ember_requests_total{service=\"emr-containers\",operation=\"DescribeJobRun\",code=\"200\"} 2");
    assert_line(&page, "ember_requests_total{service=\"emr-containers\",operation=\"DescribeJobRun\",code=\"400\"} 1");
    assert_line(&page, "ember_requests_total{service=\"none\",operation=\"other\",code=\"200\"} 1");
    assert_line(&page, "ember_request_duration_seconds_bucket{service=\"emr-containers\",operation=\"DescribeJobRun\",le=\"0.0005\"} 0");
    assert_line(&page, "ember_request_duration_seconds_bucket{service=\"emr-containers\",operation=\"DescribeJobRun\",le=\"0.001\"} 1");
    assert_line(&page, "ember_request_duration_seconds_bucket{service=\"emr-containers\",operation=\"DescribeJobRun\",le=\"0.025\"} 2");
    assert_line(&page, "ember_request_duration_seconds_bucket{service=\"emr-containers\",operation=\"DescribeJobRun\",le=\"30\"} 2");
    assert_line(&page, "ember_request_duration_seconds_bucket{service=\"emr-containers\",operation=\"DescribeJobRun\",le=\"+Inf\"} 3");
    assert_line(&page, "ember_request_duration_seconds_sum{service=\"emr-containers\",operation=\"DescribeJobRun\"} 40.020700");
    assert_line(&page, "ember_request_duration_seconds_count{service=\"emr-containers\",operation=\"DescribeJobRun\"} 3");
    assert_line(&page, "ember_response_bytes_total{service=\"emr-containers\",operation=\"DescribeJobRun\"} 300");
    assert_null(strstr(page.ptr, "ListJobRuns"));
    metrics_free(metrics);
    arena_free(arena);
}

static void test_what_is_not_served_and_strange_codes_are_other(void **state)
{
    struct arena *arena = arena_new();
    struct strbuf page = STRBUF_ARENA(arena);
    struct metrics *metrics = metrics_new();
    const struct aws_service *s3 = aws_service_find(S("s3"));
    size_t unserved = 0;
    while (s3->operations[unserved].served)
        unserved++;
    count(metrics, s3, &s3->operations[unserved], 501, 1);
    count(metrics, s3, NULL, 418, 1);
    count(metrics, s3, NULL, 0, 1);
    metrics_authentication_failed(metrics, S("InvalidAccessKeyId"));
    metrics_authentication_failed(metrics, S("Whatever\"\n"));
    metrics_throttled(metrics, s3, THROTTLE_WRITES);
    metrics_render(metrics, &page);
    assert_line(&page, "ember_requests_total{service=\"s3\",operation=\"other\",code=\"501\"} 1");
    assert_line(&page, "ember_requests_total{service=\"s3\",operation=\"other\",code=\"499\"} 1");
    assert_line(&page, "ember_requests_total{service=\"s3\",operation=\"other\",code=\"other\"} 1");
    assert_line(&page, "ember_authentication_failures_total{code=\"InvalidAccessKeyId\"} 1");
    assert_line(&page, "ember_authentication_failures_total{code=\"other\"} 1");
    assert_line(&page, "ember_throttled_requests_total{service=\"s3\",limit=\"writes\"} 1");
    metrics_free(metrics);
    arena_free(arena);
}

static void test_what_begins_is_in_flight_until_it_ends(void **state)
{
    struct arena *arena = arena_new();
    struct strbuf page = STRBUF_ARENA(arena), after = STRBUF_ARENA(arena);
    struct metrics *metrics = metrics_new();
    const struct aws_service *s3 = aws_service_find(S("s3"));
    metrics_request_begins(metrics, s3);
    metrics_render(metrics, &page);
    assert_line(&page, "ember_requests_in_flight{service=\"s3\"} 1");
    metrics_request_ends(metrics, &(struct metrics_request){.service = s3, .begun_as = s3, .status = 200});
    metrics_render(metrics, &after);
    assert_line(&after, "ember_requests_in_flight{service=\"s3\"} 0");
    metrics_free(metrics);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_counted_by_operation_and_code),
        cmocka_unit_test(test_what_is_not_served_and_strange_codes_are_other),
        cmocka_unit_test(test_what_begins_is_in_flight_until_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
