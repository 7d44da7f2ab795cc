/* Quotas and limit ranges: what they count, what they forbid and in which words. Through HTTP as Kubernetes answers: the recording
 * admission-quota. */
#include "cluster/apiserver/quota.h"
#include "base/arena.h"
#include "base/fd.h"
#include "cluster/apiserver/limit_range.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *arena;
static struct registry *registry;
static char dir[64];

static void must(struct err *e)
{
    if (e)
        fail_msg("%.*s", SLICE_ARG(err_message(e)));
}

static int setup(void **state)
{
    arena = arena_new();
    snprintf(dir, sizeof(dir), "/tmp/quota_test.XXXXXX");
    assert_non_null(mkdtemp(dir));
    must(registry_open(&(struct registry_options){.dir = dir, .settle = quota_settle}, &registry));
    return 0;
}

static int teardown(void **state)
{
    registry_close(registry);
    arena_free(arena);
    must(tree_remove(dir));
    return 0;
}

static struct json *parse(const char *text)
{
    struct json *json;
    must(json_parse(arena, slice_from_cstr(text), JSON_DUPLICATES_REFUSE, &json));
    return json;
}

static struct json *object_of(const char *kind, const char *name, const char *rest)
{
    return parse(slice_cstr(arena, slice_fmt(arena, "{\"kind\":\"%s\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"%s\",\"namespace\":\"ns\"}%s%s}", kind,
                                             name, rest[0] ? "," : "", rest)));
}

#define CONTAINER(requests, limits) "{\"name\":\"c\",\"resources\":{\"requests\":{" requests "},\"limits\":{" limits "}}}"
#define SPEC(containers) "\"spec\":{\"containers\":[" containers "]}"
#define MEMORY(amount) "\"memory\":\"" amount "\""

struct creation {
    const struct kind *kind;
    const struct json *object;
};

static struct err *create_in_tx(struct registry_tx *tx, void *ctx)
{
    const struct creation *c = ctx;
    TRY(quota_admit(tx, c->kind, c->object));
    return registry_tx_create(tx, slice_from_cstr(c->kind->resource), c->object, NULL);
}

static struct err *try_create(const char *resource, const struct json *object)
{
    struct creation c = {.kind = kind_find(S(""), S("v1"), slice_from_cstr(resource)), .object = object};
    return registry_write(registry, create_in_tx, &c);
}

static void create(const char *resource, const char *kind, const char *name, const char *rest)
{
    must(try_create(resource, object_of(kind, name, rest)));
}

static void make_quota(const char *name, const char *spec)
{
    create("resourcequotas", "ResourceQuota", name, slice_fmt(arena, "\"spec\":%s,\"status\":{}", spec).ptr);
}

static void pod_fails(const char *name, const char *rest, const char *words)
{
    struct err *e = try_create("pods", object_of("Pod", name, rest));
    assert_non_null(e);
    assert_int_equal(e->kind, ERR_DENIED);
    assert_string_equal(e->message, slice_fmt(arena, "pods \"%s\" is forbidden: %s", name, words).ptr);
    err_free(e);
}

/* status.used as JSON */
static const char *used(const char *name)
{
    struct object *quota;
    must(registry_get(registry, S("resourcequotas"), S("ns"), slice_from_cstr(name), &quota));
    struct slice text = json_to_slice(arena, JSON_AT(object_json(arena, quota), "status", "used"));
    object_unref(quota);
    return slice_cstr(arena, text);
}

static void end_pod(const char *name, const char *phase)
{
    struct json *status = json_object(arena);
    json_set_cstr(arena, status, "phase", phase);
    must(registry_set_status(registry, S("pods"), S("ns"), slice_from_cstr(name), SLICE_NONE, status, NULL));
}

static void test_a_quota_counts_what_was_there_before_it(void **state)
{
    create("configmaps", "ConfigMap", "a", "");
    create("pods", "Pod", "p", SPEC(CONTAINER(MEMORY("512Mi"), "")));
    make_quota("q", "{\"hard\":{\"configmaps\":\"9\",\"count/configmaps\":\"9\",\"count/leases.coordination.k8s.io\":\"9\",\"limits.cpu\":\"2\",\"pods\":\"3\","
                    "\"requests.memory\":\"1Gi\"}}");
    assert_string_equal(used("q"), "{\"configmaps\":\"1\",\"count/configmaps\":\"1\",\"limits.cpu\":\"0\",\"pods\":\"1\",\"requests.memory\":\"512Mi\"}");
}

static void test_what_does_not_fit_is_refused_with_the_numbers(void **state)
{
    make_quota("q", "{\"hard\":{\"limits.memory\":\"2Gi\",\"pods\":\"9\",\"requests.memory\":\"1Gi\"}}");
    create("pods", "Pod", "p", SPEC(CONTAINER(MEMORY("768Mi"), MEMORY("1Gi"))));
    pod_fails("o", SPEC(CONTAINER(MEMORY("512Mi"), MEMORY("1536Mi"))),
              "exceeded quota: q, requested: limits.memory=1536Mi,requests.memory=512Mi, used: limits.memory=1Gi,requests.memory=768Mi, limited: "
              "limits.memory=2Gi,requests.memory=1Gi");
    pod_fails("n", SPEC("{\"name\":\"b\"},{\"name\":\"a\"}"), "failed quota: q: must specify limits.memory for: a,b; requests.memory for: a,b");
    assert_string_equal(used("q"), "{\"limits.memory\":\"1Gi\",\"pods\":\"1\",\"requests.memory\":\"768Mi\"}");
}

static void test_a_pod_that_has_ended_or_is_gone_gives_its_share_back(void **state)
{
    make_quota("q", "{\"hard\":{\"count/pods\":\"2\",\"pods\":\"1\",\"requests.cpu\":\"1\"}}");
    create("pods", "Pod", "p", SPEC(CONTAINER("\"cpu\":\"700m\"", "")));
    pod_fails("o", SPEC(CONTAINER("\"cpu\":\"300m\"", "")), "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1");
    end_pod("p", "Running");
    assert_string_equal(used("q"), "{\"count/pods\":\"1\",\"pods\":\"1\",\"requests.cpu\":\"700m\"}");
    end_pod("p", "Failed");
    assert_string_equal(used("q"), "{\"count/pods\":\"1\",\"pods\":\"0\",\"requests.cpu\":\"0\"}");
    create("pods", "Pod", "o", SPEC(CONTAINER("\"cpu\":\"1\"", "")));
    pod_fails("n", SPEC(CONTAINER("\"cpu\":\"0\"", "")),
              "exceeded quota: q, requested: count/pods=1,pods=1, used: count/pods=2,pods=1, limited: count/pods=2,pods=1");
    must(registry_delete(registry, S("pods"), S("ns"), S("p"), NULL, NULL));
    must(registry_delete(registry, S("pods"), S("ns"), S("o"), NULL, NULL));
    assert_string_equal(used("q"), "{\"count/pods\":\"0\",\"pods\":\"0\",\"requests.cpu\":\"0\"}");
}

static void test_scopes_choose_the_pods_that_count(void **state)
{
    make_quota("best-effort", "{\"hard\":{\"pods\":\"1\"},\"scopes\":[\"BestEffort\"]}");
    make_quota("ending", "{\"hard\":{\"pods\":\"1\"},\"scopes\":[\"Terminating\",\"NotBestEffort\"]}");
    make_quota("urgent", "{\"hard\":{\"configmaps\":\"0\",\"pods\":\"0\"},\"scopeSelector\":{\"matchExpressions\":[{\"scopeName\":\"PriorityClass\",\"operator\":\"In\","
                         "\"values\":[\"system-node-critical\"]}]}}");
    create("pods", "Pod", "plain", SPEC("{\"name\":\"c\"}"));
    create("pods", "Pod", "burstable", SPEC(CONTAINER(MEMORY("1Mi"), "")));
    create("pods", "Pod", "ends", "\"spec\":{\"activeDeadlineSeconds\":9,\"containers\":[" CONTAINER(MEMORY("1Mi"), "") "]}");
    assert_string_equal(used("best-effort"), "{\"pods\":\"1\"}");
    assert_string_equal(used("ending"), "{\"pods\":\"1\"}");
    pod_fails("plain-2", SPEC("{\"name\":\"c\"}"), "exceeded quota: best-effort, requested: pods=1, used: pods=1, limited: pods=1");
    pod_fails("urgent-1", "\"spec\":{\"priorityClassName\":\"system-node-critical\",\"containers\":[" CONTAINER(MEMORY("1Mi"), "") "]}",
              "exceeded quota: urgent, requested: pods=1, used: pods=0, limited: pods=0");
    create("configmaps", "ConfigMap", "a", ""); /* scopes are of pods: a quota that has some counts nothing else */
}

static void test_init_containers_count_for_what_they_need_beyond_the_others(void **state)
{
    make_quota("q", "{\"hard\":{\"requests.memory\":\"9Gi\"}}");
    create("pods", "Pod", "p", "\"spec\":{\"overhead\":{\"memory\":\"1Mi\"},\"initContainers\":[{\"name\":\"side\",\"restartPolicy\":\"Always\",\"resources\":{\"requests\":{"
           MEMORY("10Mi") "}}},{\"name\":\"i\",\"resources\":{\"requests\":{" MEMORY("100Mi") "}}}],\"containers\":[" CONTAINER(MEMORY("64Mi"), "") "]}");
    assert_string_equal(used("q"), "{\"requests.memory\":\"111Mi\"}");
}

static void test_services_and_claims_have_names_of_their_own(void **state)
{
    make_quota("q", "{\"hard\":{\"persistentvolumeclaims\":\"5\",\"requests.storage\":\"10Gi\",\"services\":\"5\",\"services.loadbalancers\":\"5\","
                    "\"services.nodeports\":\"5\"}}");
    create("services", "Service", "s", "\"spec\":{\"type\":\"LoadBalancer\",\"ports\":[{\"port\":1},{\"port\":2}]}");
    create("persistentvolumeclaims", "PersistentVolumeClaim", "c", "\"spec\":{\"resources\":{\"requests\":{\"storage\":\"3Gi\"}}}");
    assert_string_equal(used("q"), "{\"persistentvolumeclaims\":\"1\",\"requests.storage\":\"3Gi\",\"services\":\"1\",\"services.loadbalancers\":\"1\","
                                   "\"services.nodeports\":\"2\"}");
}

struct racer {
    pthread_t thread;
    struct creation creation;
    bool made;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    struct err *e = registry_write(registry, create_in_tx, &racer->creation);
    racer->made = !e;
    err_free(e);
    return NULL;
}

static void test_many_at_once_never_get_more_than_there_is(void **state)
{
    struct racer racers[16];
    size_t made = 0;
    make_quota("q", "{\"hard\":{\"pods\":\"5\"}}");
    for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
        racers[i].creation = (struct creation){.kind = kind_find(S(""), S("v1"), S("pods")),
                                               .object = object_of("Pod", slice_fmt(arena, "p%zu", i).ptr, SPEC("{\"name\":\"c\"}"))};
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
        pthread_join(racers[i].thread, NULL);
        made += racers[i].made;
    }
    assert_int_equal(made, 5);
    assert_string_equal(used("q"), "{\"pods\":\"5\"}");
}

/* ---- limit ranges ---- */

static struct json *ranges_of(const char *limits)
{
    return parse(slice_fmt(arena, "[{\"spec\":{\"limits\":[%s]}}]", limits).ptr);
}

static void test_a_limit_range_gives_what_a_container_does_not_say(void **state)
{
    const struct json *ranges = ranges_of("{\"type\":\"Container\",\"default\":{\"cpu\":\"2\"," MEMORY("1Gi") "},\"defaultRequest\":{\"cpu\":\"500m\"," MEMORY("256Mi") "}}");
    struct json *pod = object_of("Pod", "p", "\"spec\":{\"initContainers\":[{\"name\":\"i\"}],\"containers\":[" CONTAINER("\"cpu\":\"1\"", MEMORY("2Gi")) "]}");
    limit_range_apply(arena, ranges, pod);
    assert_string_equal(slice_cstr(arena, json_to_slice(arena, json_get(json_item(JSON_AT(pod, "spec", "containers"), 0), S("resources")))),
                        "{\"requests\":{\"cpu\":\"1\"},\"limits\":{\"memory\":\"2Gi\",\"cpu\":\"2\"}}"); /* its memory limit will be its request */
    assert_string_equal(slice_cstr(arena, json_get_text(JSON_AT(pod, "metadata", "annotations"), "kubernetes.io/limit-ranger")),
                        "LimitRanger plugin set: cpu limit for container c; cpu, memory request for init container i; cpu, memory limit for init container i");
}

static void test_limit_ranges_forbid_in_kubernetes_words(void **state)
{
    static const struct {
        const char *limits, *spec, *words; /* NULL: nothing is wrong */
    } ROWS[] = {
        {"{\"type\":\"Container\",\"max\":{" MEMORY("1Gi") "}}", CONTAINER(MEMORY("1Gi"), MEMORY("1Gi")), NULL},
        {"{\"type\":\"Container\",\"max\":{" MEMORY("1Gi") "}}", CONTAINER(MEMORY("1Gi"), MEMORY("2Gi")), "maximum memory usage per Container is 1Gi, but limit is 2Gi"},
        {"{\"type\":\"Container\",\"max\":{" MEMORY("1Gi") "}}", CONTAINER("", ""), "maximum memory usage per Container is 1Gi.  No limit is specified"},
        {"{\"type\":\"Container\",\"min\":{\"cpu\":\"100m\"}}", CONTAINER("\"cpu\":\"50m\"", "\"cpu\":\"1\""), "minimum cpu usage per Container is 100m, but request is 50m"},
        {"{\"type\":\"Container\",\"min\":{\"cpu\":\"100m\"}}", CONTAINER("", ""), "minimum cpu usage per Container is 100m.  No request is specified"},
        {"{\"type\":\"Container\",\"maxLimitRequestRatio\":{\"cpu\":\"2\"}}", CONTAINER("\"cpu\":\"1\"", "\"cpu\":\"3\""),
         "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"},
        {"{\"type\":\"Container\",\"maxLimitRequestRatio\":{\"cpu\":\"2\"}}", CONTAINER("\"cpu\":\"1\"", ""),
         "cpu max limit to request ratio per Container is 2, but no limit is specified or limit is 0"},
        {"{\"type\":\"Pod\",\"max\":{" MEMORY("1Gi") "}}", CONTAINER("", MEMORY("768Mi")) "," CONTAINER("", MEMORY("768Mi")),
         "maximum memory usage per Pod is 1Gi, but limit is 1536Mi"},
        {"{\"type\":\"Container\",\"max\":{\"cpu\":\"1\"," MEMORY("1Gi") "}}", CONTAINER("", "\"cpu\":\"2\"," MEMORY("2Gi")),
         "[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Container is 1Gi, but limit is 2Gi]"},
    };
    const struct kind *pods = kind_find(S(""), S("v1"), S("pods"));
    for (size_t i = 0; i < ARRAY_SIZE(ROWS); i++) {
        struct json *pod = object_of("Pod", "p", slice_fmt(arena, "\"spec\":{\"containers\":[%s]}", ROWS[i].spec).ptr);
        struct err *e = limit_range_check(arena, ranges_of(ROWS[i].limits), pods, pod);
        assert_int_equal(e == NULL, ROWS[i].words == NULL);
        if (e)
            assert_string_equal(e->message, slice_fmt(arena, "pods \"p\" is forbidden: %s", ROWS[i].words).ptr);
        err_free(e);
    }
    const struct kind *claims = kind_find(S(""), S("v1"), S("persistentvolumeclaims"));
    struct json *claim = object_of("PersistentVolumeClaim", "c", "\"spec\":{\"resources\":{\"requests\":{\"storage\":\"3Gi\"}}}");
    struct err *e = limit_range_check(arena, ranges_of("{\"type\":\"PersistentVolumeClaim\",\"max\":{\"storage\":\"2Gi\"}}"), claims, claim);
    assert_string_equal(e->message, "persistentvolumeclaims \"c\" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi");
    err_free(e);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_quota_counts_what_was_there_before_it),
        TEST(test_what_does_not_fit_is_refused_with_the_numbers),
        TEST(test_a_pod_that_has_ended_or_is_gone_gives_its_share_back),
        TEST(test_scopes_choose_the_pods_that_count),
        TEST(test_init_containers_count_for_what_they_need_beyond_the_others),
        TEST(test_services_and_claims_have_names_of_their_own),
        TEST(test_many_at_once_never_get_more_than_there_is),
        TEST(test_a_limit_range_gives_what_a_container_does_not_say),
        TEST(test_limit_ranges_forbid_in_kubernetes_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
