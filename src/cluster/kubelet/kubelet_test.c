/* The pure parts of kubelet and scheduler, and the reader of logs. */
#include "base/arena.h"
#include "base/fd.h"
#include "cluster/apiserver/log_reader.h"
#include "cluster/kubelet/address.h"
#include "cluster/kubelet/hosts.h"
#include "cluster/kubelet/image.h"
#include "cluster/kubelet/kube_status.h"
#include "cluster/kubelet/pod_env.h"
#include "cluster/kubelet/pod_log.h"
#include "cluster/scheduler/fit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

static struct json *parse(struct arena *arena, const char *text)
{
    struct json *json = NULL;
    assert_null(json_parse(arena, slice_from_cstr(text), JSON_DUPLICATES_REFUSE, &json));
    return json;
}

#define assert_text(slice_, text_)                                                                                                 \
    do {                                                                                                                       \
        struct slice got_ = (slice_);                                                                                          \
        assert_string_equal(slice_cstr(arena, got_), (text_));                                                                 \
    } while (0)

/* ---- environment ---- */

static void test_references_expand_as_in_kubernetes(void **state)
{
    static const struct {
        const char *text, *value;
    } table[] = {
        {"plain", "plain"}, {"$(A)", "1"}, {"x$(A)y$(B)", "x1y2"}, {"$$(A)", "$(A)"}, {"$(NONE)", "$(NONE)"}, {"$(A", "$(A"}, {"$", "$"},
        {"$$", "$"}, {"$A", "$A"}, {"$$$(A)", "$1"},
    };
    struct arena *arena = arena_new();
    struct pod_env_var vars[] = {{S("A"), S("1")}, {S("B"), S("2")}};
    struct pod_env_list list = {.items = vars, .count = 2, .cap = 2};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct slice text;
        assert_null(pod_env_expand(arena, slice_from_cstr(table[i].text), &list, &text));
        assert_text(text, table[i].value);
    }
    arena_free(arena);
}

static const struct json *no_objects(void *ctx, struct arena *arena, const char *resource, struct slice name)
{
    if (ctx && resource[0] == 's' && slice_eq(name, S("sec")))
        return parse(arena, "{\"kind\":\"Secret\",\"data\":{\"k\":\"dmFsdWU=\"}}");
    return NULL;
}

static struct pod_env_input env_input(struct arena *arena, void *ctx)
{
    return (struct pod_env_input){
        .pod = parse(arena, "{\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"uid\":\"u\",\"labels\":{\"a/b\":\"L\"}},\"spec\":{\"nodeName\":\"node\"}}"),
        .pod_ip = S("127.1.0.2"), .host_ip = S("127.1.0.1"), .allocatable_cpu_millis = 16000, .allocatable_memory_bytes = 1 << 20,
        .api_host = S("127.1.0.1"), .api_port = 6443, .source = {no_objects, ctx}};
}

static void test_environment_comes_from_fields_resources_and_secrets(void **state)
{
    struct arena *arena = arena_new();
    struct pod_env_input input = env_input(arena, arena);
    struct json *container = parse(arena,
        "{\"resources\":{\"limits\":{\"cpu\":\"1500m\"}},\"env\":["
        "{\"name\":\"IP\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"status.podIP\"}}},"
        "{\"name\":\"LABEL\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"metadata.labels['a/b']\"}}},"
        "{\"name\":\"CPU\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"limits.cpu\"}}},"
        "{\"name\":\"MEM\",\"valueFrom\":{\"resourceFieldRef\":{\"resource\":\"limits.memory\",\"divisor\":\"1Ki\"}}},"
        "{\"name\":\"SEC\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"sec\",\"key\":\"k\"}}},"
        "{\"name\":\"OPT\",\"valueFrom\":{\"secretKeyRef\":{\"name\":\"none\",\"key\":\"k\",\"optional\":true}}},"
        "{\"name\":\"ALL\",\"value\":\"$(IP)-$(SEC)\"},{\"name\":\"IP\",\"value\":\"again\"}]}");
    struct pod_env_list list;
    assert_null(pod_env_build(arena, &input, container, &list));
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < list.count; i++)
        strbuf_append_fmt(&out, "%.*s=%.*s ", SLICE_ARG(list.items[i].name), SLICE_ARG(list.items[i].value));
    assert_text(strbuf_slice(&out), "KUBERNETES_SERVICE_HOST=127.1.0.1 KUBERNETES_SERVICE_PORT=6443 KUBERNETES_SERVICE_PORT_HTTPS=6443 "
                                    "IP=again LABEL=L CPU=2 MEM=1024 SEC=value ALL=127.1.0.2-value ");
    arena_free(arena);
}

static void test_references_to_references_do_not_grow_without_end(void **state)
{
    struct arena *arena = arena_new();
    struct pod_env_input input = env_input(arena, arena);
    struct json *container = json_object(arena), *env = json_ensure_array(arena, container, "env");
    for (int i = 0; i < 40; i++) { /* each twice as long as the one before */
        struct json *var = json_object(arena);
        json_set_text(arena, var, "name", slice_fmt(arena, "A%d", i));
        json_set_text(arena, var, "value", i ? slice_fmt(arena, "$(A%d)$(A%d)", i - 1, i - 1) : S("x"));
        json_append(env, var);
    }
    struct pod_env_list list;
    struct err *e = pod_env_build(arena, &input, container, &list);
    assert_int_equal(e->kind, ERR_INVALID);
    err_free(e);
    arena_free(arena);
}

static void test_many_variables_are_each_found(void **state)
{
    struct arena *arena = arena_new();
    struct pod_env_input input = env_input(arena, arena);
    struct json *container = json_object(arena), *env = json_ensure_array(arena, container, "env");
    for (int i = 0; i < 2000; i++) {
        struct json *var = json_object(arena);
        json_set_text(arena, var, "name", slice_fmt(arena, "A%d", i % 1000));
        json_set_text(arena, var, "value", slice_fmt(arena, "%d", i));
        json_append(env, var);
    }
    struct pod_env_list list;
    struct slice text;
    assert_null(pod_env_build(arena, &input, container, &list));
    assert_int_equal(list.count, 1003);
    assert_null(pod_env_expand(arena, S("$(A0) $(A999)$(A1000)$($(A7)$("), &list, &text));
    assert_text(text, "1000 1999$(A1000)$(1007$(");
    arena_free(arena);
}

static void test_a_missing_config_map_is_worth_another_try(void **state)
{
    struct arena *arena = arena_new();
    struct pod_env_input input = env_input(arena, NULL);
    struct pod_env_list list;
    struct err *e = pod_env_build(arena, &input, parse(arena, "{\"envFrom\":[{\"configMapRef\":{\"name\":\"cm\"}}]}"), &list);
    assert_int_equal(e->kind, ERR_NOT_FOUND);
    assert_text(err_message(e), "configmap \"cm\" not found");
    err_free(e);
    arena_free(arena);
}

/* ---- addresses ---- */

static void test_addresses_are_unique_and_not_used_again_soon(void **state)
{
    struct arena *arena = arena_new();
    static struct address_pool pool;
    address_pool_init(&pool, 16);
    assert_true(address_claim(&pool, S("127.16.0.2")));
    assert_false(address_claim(&pool, S("127.16.0.2")));
    assert_false(address_claim(&pool, S("127.16.0.1"))); /* the API server's */
    assert_false(address_claim(&pool, S("127.17.0.3")));
    assert_text(address_take(&pool, arena), "127.16.0.3");
    address_give(&pool, S("127.16.0.3"));
    assert_text(address_take(&pool, arena), "127.16.0.4");
    for (int i = 0; i < 250; i++)
        address_take(&pool, arena);
    assert_text(address_take(&pool, arena), "127.16.1.1");
    assert_int_equal(address_low_bits(S("127.16.1.2")), 16 << 16 | 1 << 8 | 2);
    assert_int_equal(address_low_bits(S("10.0.0.1")), -1);
    size_t taken = 0;
    while (address_take(&pool, arena).ptr)
        taken++;
    assert_true(taken > 60000);
    arena_free(arena);
}

/* ---- names ---- */

static void test_services_name_the_pods_that_they_select(void **state)
{
    struct arena *arena = arena_new();
    struct json *services[] = {
        parse(arena, "{\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\"},\"spec\":{}}"),
        parse(arena, "{\"metadata\":{\"name\":\"d\",\"namespace\":\"n\"},\"spec\":{\"clusterIP\":\"None\",\"selector\":{\"r\":\"driver\"}}}"),
        parse(arena, "{\"metadata\":{\"name\":\"no\",\"namespace\":\"n\"},\"spec\":{}}"),
    };
    struct hosts_pod pods[] = {
        {S("n"), S("127.1.0.5"), parse(arena, "{\"r\":\"driver\",\"x\":\"y\"}")},
        {S("other"), S("127.1.0.6"), parse(arena, "{\"r\":\"driver\"}")},
        {S("n"), S("127.1.0.7"), NULL},
    };
    struct hosts_view view = {services, 3, pods, 3, S("127.1.0.1")};
    struct slice shared = hosts_of_namespace(arena, &view, S("n"));
    assert_text(shared, "# Services\n127.1.0.1\tkubernetes.default.svc.cluster.local kubernetes.default.svc kubernetes.default\n"
                        "127.1.0.5\td.n.svc.cluster.local d.n.svc d.n d\n");
    struct slice whole = hosts_of_pod(arena, shared, S("127.1.0.5"), S("host"), parse(arena, "[{\"ip\":\"1.2.3.4\",\"hostnames\":[\"a\",\"b\"]}]"));
    assert_true(slice_find(whole, S("\n127.1.0.5\thost\n")) > 0);
    assert_true(slice_ends_with(whole, S("1.2.3.4\ta\tb\n")));
    arena_free(arena);
}

/* ---- images ---- */

static void test_unknown_images_are_refused_in_the_kubelets_words(void **state)
{
    static const struct {
        const char *name, *code;
    } table[] = {
        {"ember/host:latest", NULL}, {"ember/host", NULL}, {"busybox:1", NULL}, {"", "InvalidImageName"}, {"a b", "InvalidImageName"},
        {"x:", "InvalidImageName"}, {"nginx:1", "ErrImagePull"}, {"ember/spark:3.5.9", "ErrImagePull"}, {"1.dkr.ecr/spark/emr-6.2.0:latest", "ErrImagePull"},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct image image;
        struct err *e = image_find(arena, S("/nonexistent"), slice_from_cstr(table[i].name), &image);
        if (!table[i].code)
            assert_null(e);
        else
            assert_true(err_has_code(e, table[i].code));
        err_free(e);
    }
    arena_free(arena);
}

/* ---- status ---- */

static void test_status_follows_what_the_supervisor_says(void **state)
{
    struct arena *arena = arena_new();
    struct json *pod = parse(arena,
        "{\"metadata\":{\"uid\":\"u\",\"generation\":1},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]},"
        "\"status\":{\"qosClass\":\"BestEffort\",\"startTime\":\"2026-01-01T00:00:00Z\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"True\"}]}}");
    struct json *run = parse(arena,
        "{\"phase\":\"Failed\",\"done\":true,\"containers\":[{\"name\":\"c\",\"restartCount\":0,\"state\":{\"kind\":\"terminated\",\"exitCode\":137,"
        "\"reason\":\"OOMKilled\",\"startedAt\":\"2026-01-01T00:00:01.500Z\",\"finishedAt\":\"2026-01-01T00:00:02.900Z\"}}]}");
    struct kube_status_input input = {.pod = pod, .run = run, .pod_ip = S("127.1.0.2"), .host_ip = S("127.1.0.1")};
    struct json *status = kube_status_make(arena, &input);
    assert_text(json_get_text(status, "phase"), "Failed");
    assert_text(json_get_text(status, "qosClass"), "BestEffort");
    assert_text(json_get_text(status, "startTime"), "2026-01-01T00:00:00Z");
    struct json *terminated = JSON_AT(json_item(JSON_AT(status, "containerStatuses"), 0), "state", "terminated");
    assert_int_equal(json_get_i64(terminated, "exitCode", 0), 137);
    assert_text(json_get_text(terminated, "startedAt"), "2026-01-01T00:00:01Z");
    size_t scheduled = 0, ready = 0;
    JSON_FOREACH(condition, JSON_AT(status, "conditions"))
    {
        scheduled += slice_eq(json_get_text(condition, "type"), S("PodScheduled"));
        ready += slice_eq(json_get_text(condition, "type"), S("Ready")) && slice_eq(json_get_text(condition, "status"), S("False"));
    }
    assert_int_equal(scheduled, 1);
    assert_int_equal(ready, 1);
    arena_free(arena);
}

static void test_a_lost_supervisor_fails_the_pod(void **state)
{
    struct arena *arena = arena_new();
    struct json *pod = parse(arena, "{\"metadata\":{\"uid\":\"u\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}");
    struct json *run = parse(arena, "{\"phase\":\"Running\",\"containers\":[{\"name\":\"c\",\"state\":{\"kind\":\"running\",\"startedAt\":\"2026-01-01T00:00:01Z\"}}]}");
    struct kube_status_input input = {.pod = pod, .run = run, .lost = true};
    struct json *status = kube_status_make(arena, &input);
    assert_text(json_get_text(status, "phase"), "Failed");
    assert_int_equal(json_get_i64(JSON_AT(json_item(JSON_AT(status, "containerStatuses"), 0), "state", "terminated"), "exitCode", 0), 137);
    arena_free(arena);
}

static void test_log_records_parse(void **state)
{
    struct cri_line line;
    assert_true(cri_line_parse(S("2026-11-21T21:10:00.123456789Z stderr P a b"), &line));
    assert_true(line.partial && slice_eq(line.text, S("a b")) && slice_eq(line.stream, S("stderr")));
    assert_true(cri_line_parse(S("2026-11-21T21:10:00.123456789Z stdout F "), &line));
    assert_int_equal(line.text.len, 0);
    static const char *const bad[] = {"", "x", "2026-11-21T21:10:00.123456789Z stdin F x", "2026-11-21T21:10:00.123456789Z stdout X x", "2026-11-21T21:10:00.123456789Z stdout"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(cri_line_parse(slice_from_cstr(bad[i]), &line));
}

/* ---- scheduling ---- */

#define GIB (1024LL * 1024 * 1024)

static void test_a_pod_fits_or_the_reason_is_named(void **state)
{
    static const struct {
        const char *spec, *node;
        size_t pods;
        enum fit_reason reason;
    } table[] = {
        {"{}", "{}", 0, FIT_OK},
        {"{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"2Gi\"}}}]}", "{}", 0, FIT_OK},
        {"{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"2Gi\"}}},{\"resources\":{\"limits\":{\"memory\":\"3Gi\"}}}]}", "{}", 0, FIT_INSUFFICIENT_MEMORY},
        {"{\"initContainers\":[{\"resources\":{\"requests\":{\"cpu\":\"9\"}}}],\"containers\":[{}]}", "{}", 0, FIT_INSUFFICIENT_CPU},
        {"{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"9E\",\"cpu\":\"9E\"}}},{\"resources\":{\"requests\":{\"memory\":\"9E\",\"cpu\":\"9E\"}}}],"
         "\"overhead\":{\"memory\":\"9E\",\"cpu\":\"9E\"}}", "{}", 0, FIT_INSUFFICIENT_BOTH},
        {"{\"containers\":[{\"resources\":{\"requests\":{\"memory\":\"5Gi\"}}},{\"resources\":{\"requests\":{\"memory\":\"-4Gi\"}}}]}", "{}", 0, FIT_INSUFFICIENT_MEMORY},
        {"{}", "{}", 110, FIT_TOO_MANY_PODS},
        {"{}", "{\"spec\":{\"unschedulable\":true}}", 0, FIT_UNSCHEDULABLE},
        {"{\"tolerations\":[{\"operator\":\"Exists\"}]}", "{\"spec\":{\"unschedulable\":true}}", 0, FIT_OK},
        {"{\"nodeSelector\":{\"a\":\"b\"}}", "{\"metadata\":{\"labels\":{\"a\":\"c\"}}}", 0, FIT_SELECTOR},
        {"{\"nodeSelector\":{\"a\":\"b\"}}", "{\"metadata\":{\"labels\":{\"a\":\"b\"}}}", 0, FIT_OK},
        {"{}", "{\"spec\":{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}}", 0, FIT_TAINT},
        {"{}", "{\"spec\":{\"taints\":[{\"key\":\"k\",\"effect\":\"PreferNoSchedule\"}]}}", 0, FIT_OK},
        {"{\"tolerations\":[{\"key\":\"k\",\"value\":\"v\"}]}", "{\"spec\":{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}}", 0, FIT_OK},
        {"{\"tolerations\":[{\"key\":\"k\",\"value\":\"w\"}]}", "{\"spec\":{\"taints\":[{\"key\":\"k\",\"value\":\"v\",\"effect\":\"NoSchedule\"}]}}", 0, FIT_TAINT},
    };
    struct arena *arena = arena_new();
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct json *pod = json_object(arena);
        JSON_SET(arena, pod, "spec", parse(arena, table[i].spec));
        struct fit_node node = {parse(arena, table[i].node), table[i].pods};
        assert_int_equal(fit_check(pod, pod_request(pod), &node, (struct machine_amount){8000, 4 * GIB}), table[i].reason);
    }
    arena_free(arena);
}

static void test_the_words_are_kube_schedulers(void **state)
{
    struct arena *arena = arena_new();
    struct machine_amount all = {8000, 4 * GIB};
    assert_text(fit_message(arena, NULL, 0, all, all), "no nodes available to schedule pods");
    enum fit_reason two[] = {FIT_TAINT, FIT_INSUFFICIENT_MEMORY};
    assert_text(fit_message(arena, two, 2, (struct machine_amount){0, 100 * GIB}, all),
                "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s). no new claims to deallocate, preemption: "
                "0/2 nodes are available: 2 Preemption is not helpful for scheduling.");
    enum fit_reason one[] = {FIT_INSUFFICIENT_MEMORY};
    assert_text(fit_message(arena, one, 1, (struct machine_amount){0, 2 * GIB}, all),
                "0/1 nodes are available: 1 Insufficient memory. no new claims to deallocate, preemption: 0/1 nodes are available: "
                "1 No preemption victims found for incoming pod.");
    arena_free(arena);
}

static void count_wake(void *ctx)
{
    (*(int *)ctx)++;
}

static void test_a_machine_gives_room_once(void **state)
{
    struct machine *machine = machine_new_sized(2000, 3 * GIB);
    int wakes = 0;
    struct machine_waiter *waiter = machine_wait(machine, count_wake, &wakes);
    assert_true(machine_reserve(machine, S("a"), (struct machine_amount){1000, GIB}));
    assert_true(machine_reserve(machine, S("a"), (struct machine_amount){1000, GIB})); /* has it already */
    assert_false(machine_reserve(machine, S("b"), (struct machine_amount){0, 2 * GIB}));
    assert_true(machine_reserve(machine, S("c"), (struct machine_amount){0, 0}));
    machine_release(machine, S("none"));
    assert_int_equal(wakes, 0);
    machine_release(machine, S("a"));
    assert_int_equal(wakes, 1);
    assert_true(machine_reserve(machine, S("b"), (struct machine_amount){0, 2 * GIB}));
    machine_reserve_anyway(machine, S("d"), (struct machine_amount){0, 10 * GIB});
    assert_true(machine_free_now(machine).memory_bytes < 0);
    assert_true(machine_reserve(machine, S("e"), (struct machine_amount){0, 0})); /* asks for nothing: fits */
    machine_reserve_anyway(machine, S("f"), (struct machine_amount){INT64_MAX, INT64_MAX});
    machine_reserve_anyway(machine, S("g"), (struct machine_amount){INT64_MAX, INT64_MAX});
    assert_true(machine_free_now(machine).memory_bytes < 0);
    machine_release(machine, S("f"));
    machine_release(machine, S("g"));
    machine_release(machine, S("d"));
    assert_int_equal(machine_free_now(machine).memory_bytes, 0);
    assert_int_equal(machine_free_now(machine).cpu_millis, 2000);
    machine_unwait(machine, waiter);
    machine_free(machine);
}

/* ---- a log that is rotated while it is read ---- */

#define ROTATIONS 300

struct rotating {
    char path[64], older[64];
    int fd;
    atomic_int seen; /* the newest record that the reader has */
};

static void append_record(struct rotating *r, int number)
{
    char text[80];
    int len = snprintf(text, sizeof(text), "2026-01-01T00:00:00.000000000Z stdout F %d\n", number);
    if (write(r->fd, text, (size_t)len) != len)
        abort();
}

static void open_fresh(struct rotating *r)
{
    r->fd = open(r->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (r->fd < 0)
        abort();
}

/* An odd record just before each rotation, an even one just after it. */
static void *rotate_all(void *arg)
{
    struct rotating *r = arg;
    for (int i = 0; i < ROTATIONS; i++) {
        append_record(r, 2 * i + 1);
        if (rename(r->path, r->older) < 0)
            abort();
        close(r->fd);
        open_fresh(r);
        append_record(r, 2 * i + 2);
        while (atomic_load(&r->seen) < 2 * i + 2)
            sched_yield();
    }
    return NULL;
}

static void test_a_reader_loses_nothing_to_a_rotation(void **state)
{
    char dir[] = "/tmp/rotating-XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct rotating r = {.seen = 0};
    snprintf(r.path, sizeof(r.path), "%s/0.log", dir);
    snprintf(r.older, sizeof(r.older), "%s/0.log.old", dir);
    open_fresh(&r);
    struct log_reader *reader;
    struct log_filter all = {.tail_lines = -1, .limit_bytes = -1};
    assert_null(log_reader_open(slice_from_cstr(r.path), SLICE_NONE, &all, &reader));
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, rotate_all, &r), 0);
    struct strbuf out = STRBUF_HEAP;
    int last = 0, lost = 0;
    while (last < 2 * ROTATIONS) {
        bool end;
        strbuf_truncate(&out, 0);
        struct err *e = log_reader_read(reader, &out, &end);
        assert_null(e);
        struct slice rest = strbuf_slice(&out);
        while (rest.len) {
            int64_t number = 0;
            assert_true(slice_to_i64(slice_cut(&rest, '\n'), 1, INT32_MAX, &number));
            lost += number != last + 1;
            last = (int)number;
        }
        atomic_store(&r.seen, last);
    }
    pthread_join(writer, NULL);
    assert_int_equal(lost, 0);
    strbuf_deinit(&out);
    log_reader_close(reader);
    close(r.fd);
    assert_null(tree_remove(dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_references_expand_as_in_kubernetes),
        cmocka_unit_test(test_environment_comes_from_fields_resources_and_secrets),
        cmocka_unit_test(test_references_to_references_do_not_grow_without_end),
        cmocka_unit_test(test_many_variables_are_each_found),
        cmocka_unit_test(test_a_missing_config_map_is_worth_another_try),
        cmocka_unit_test(test_addresses_are_unique_and_not_used_again_soon),
        cmocka_unit_test(test_services_name_the_pods_that_they_select),
        cmocka_unit_test(test_unknown_images_are_refused_in_the_kubelets_words),
        cmocka_unit_test(test_status_follows_what_the_supervisor_says),
        cmocka_unit_test(test_a_lost_supervisor_fails_the_pod),
        cmocka_unit_test(test_log_records_parse),
        cmocka_unit_test(test_a_pod_fits_or_the_reason_is_named),
        cmocka_unit_test(test_the_words_are_kube_schedulers),
        cmocka_unit_test(test_a_machine_gives_room_once),
        cmocka_unit_test(test_a_reader_loses_nothing_to_a_rotation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
