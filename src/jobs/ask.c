#include "jobs/ask.h"
#include "base/arena.h"
#include "jobs/outcome.h"
#include "spark/sizes.h"

#define MIB ((int64_t)1 << 20)
#define AMOUNT_MAX ((int64_t)1 << 60)

/* Of amounts up to AMOUNT_MAX. */
static int64_t add(int64_t a, int64_t b)
{
    return a < AMOUNT_MAX - b ? a + b : AMOUNT_MAX;
}

/* number suffix -> number * scale * multiplier, rounded up; 0 when it is no amount or too large to be one. */
static int64_t amount(struct slice text, int64_t scale)
{
    static const struct {
        const char *suffix;
        int64_t times, parts;
    } UNITS[] = {
        {"", 1, 1}, {"m", 1, 1000}, {"k", 1000, 1}, {"M", 1000000, 1}, {"G", 1000000000, 1}, {"T", 1000000000000, 1},
        {"Ki", 1 << 10, 1}, {"Mi", 1 << 20, 1}, {"Gi", 1 << 30, 1}, {"Ti", (int64_t)1 << 40, 1},
    };
    size_t digits = 0;
    while (digits < text.len && ((text.ptr[digits] >= '0' && text.ptr[digits] <= '9') || text.ptr[digits] == '.'))
        digits++;
    struct slice suffix = slice_from(text, digits);
    double value;
    if (!digits || !spark_double_parse(slice_sub(text, 0, digits), &value))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
        if (!slice_eq(suffix, slice_from_cstr(UNITS[i].suffix)))
            continue;
        double whole = value * (double)scale * (double)UNITS[i].times / (double)UNITS[i].parts;
        if (whole >= (double)AMOUNT_MAX)
            return AMOUNT_MAX;
        int64_t floor = (int64_t)whole;
        return floor + ((double)floor < whole);
    }
    return 0;
}

int64_t amount_bytes(struct slice text)
{
    return amount(text, 1);
}

int64_t amount_millis(struct slice text)
{
    return amount(text, 1000);
}

static struct resources driver_ask(const struct json *pod)
{
    struct resources ask = {0};
    JSON_FOREACH(c, JSON_AT(pod, "spec", "containers")) {
        const struct json *requests = JSON_AT(c, "resources", "requests");
        ask.memory_bytes = add(ask.memory_bytes, amount_bytes(json_get_text(requests, "memory")));
        ask.cpu_millis = add(ask.cpu_millis, amount_millis(json_get_text(requests, "cpu")));
    }
    return ask;
}

/* Any of Spark's sizes that its own driver would refuse counts as nothing: the driver says so soon enough. */
static int64_t mib_of(const struct spark_conf *conf, const char *key, const char *otherwise)
{
    int64_t mib = 0;
    struct slice text = spark_conf_get_or(conf, key, otherwise);
    struct err *e = text.len ? spark_size_parse(text, SPARK_UNIT_MIB, &mib) : NULL;
    err_free(e);
    return mib < AMOUNT_MAX / MIB ? mib : AMOUNT_MAX / MIB;
}

/* As BasicExecutorFeatureStep asks for it: heap, overhead, Python's own memory, off-heap. */
static struct resources executor_ask(const struct spark_conf *conf)
{
    int64_t wanted = 0;
    bool dynamic = spark_conf_get_bool(conf, "spark.dynamicAllocation.enabled", false);
    struct slice instances = spark_conf_get(conf, "spark.executor.instances");
    if (!dynamic && instances.ptr && slice_to_i64(instances, 0, 1000000, &wanted) && wanted == 0)
        return (struct resources){0};
    struct slice factor_text = spark_conf_get(conf, "spark.executor.memoryOverheadFactor");
    if (!factor_text.ptr)
        factor_text = spark_conf_get_or(conf, "spark.kubernetes.memoryOverheadFactor", "0.1");
    struct spark_overhead_input in = {.heap_mib = mib_of(conf, "spark.executor.memory", "1g"), .explicit_mib = -1, .factor = 0.1, .minimum_mib = 384};
    if (!spark_double_parse(factor_text, &in.factor))
        in.factor = 0.1;
    if (spark_conf_get(conf, "spark.executor.memoryOverhead").ptr)
        in.explicit_mib = mib_of(conf, "spark.executor.memoryOverhead", "");
    int64_t mib = in.heap_mib + spark_overhead_mib(&in) + mib_of(conf, "spark.executor.pyspark.memory", ""); /* each within bounds */
    if (spark_conf_get_bool(conf, "spark.memory.offHeap.enabled", false))
        mib += mib_of(conf, "spark.memory.offHeap.size", "");
    struct slice cores = spark_conf_get(conf, "spark.kubernetes.executor.request.cores");
    if (!cores.ptr)
        cores = spark_conf_get_or(conf, "spark.executor.cores", "1");
    return (struct resources){.memory_bytes = mib < AMOUNT_MAX / MIB ? mib * MIB : AMOUNT_MAX, .cpu_millis = amount_millis(cores)};
}

struct resources ask_of_plan(const struct spark_emr_plan *plan, const struct resources *room)
{
    struct resources driver = driver_ask(plan->pod), executor = executor_ask(&plan->conf);
    if (!room->memory_bytes || driver.memory_bytes > room->memory_bytes || driver.cpu_millis > room->cpu_millis)
        return (struct resources){0};
    if (executor.memory_bytes > room->memory_bytes - driver.memory_bytes || executor.cpu_millis > room->cpu_millis - driver.cpu_millis)
        return driver;
    return (struct resources){.memory_bytes = driver.memory_bytes + executor.memory_bytes, .cpu_millis = driver.cpu_millis + executor.cpu_millis};
}

struct resources room_of_nodes(const struct json *nodes)
{
    struct resources room = {0};
    JSON_FOREACH(node, json_get(nodes, S("items"))) {
        const struct json *allocatable = JSON_AT(node, "status", "allocatable");
        int64_t memory = amount_bytes(json_get_text(allocatable, "memory")), cpu = amount_millis(json_get_text(allocatable, "cpu"));
        room.memory_bytes = memory > room.memory_bytes ? memory : room.memory_bytes;
        room.cpu_millis = cpu > room.cpu_millis ? cpu : room.cpu_millis;
    }
    return room;
}

static struct slice cores_text(struct arena *arena, int64_t millis)
{
    return millis % 1000 ? slice_fmt(arena, "%lld.%03lld", (long long)(millis / 1000), (long long)(millis % 1000)) : slice_fmt(arena, "%lld", (long long)(millis / 1000));
}

struct slice queue_words(struct arena *arena, const struct queue_look *look, const struct resources *ask, const struct resources *room)
{
    switch (look->verdict) {
    case QUEUE_LEFT:
    case QUEUE_FREE:
        break;
    case QUEUE_BEHIND:
        return S("Queued behind earlier job runs of the virtual cluster.");
    case QUEUE_FULL:
        return slice_fmt(arena, "Queued: %lld of at most %lld job runs of the virtual cluster are under way (maxConcurrentJobRuns).",
                         (long long)look->under_way, (long long)look->max_concurrent);
    case QUEUE_NO_ROOM:
        return outcome_cut_details(
            arena, slice_fmt(arena,
                             "Queued: the driver and one executor need %lld MiB of memory and %.*s CPUs; job runs under way hold %lld MiB and %.*s of the machine's "
                             "%lld MiB and %.*s.",
                             (long long)(ask->memory_bytes / MIB), SLICE_ARG(cores_text(arena, ask->cpu_millis)), (long long)(look->used.memory_bytes / MIB),
                             SLICE_ARG(cores_text(arena, look->used.cpu_millis)), (long long)(room->memory_bytes / MIB), SLICE_ARG(cores_text(arena, room->cpu_millis))));
    case QUEUE_ROOM_TAKEN:
        return S("Queued: earlier job runs of other virtual clusters wait for room on the machine.");
    }
    return S("");
}
