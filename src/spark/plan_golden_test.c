/* The planner against what the real spark-submit sent: tests/golden/spark. Left out of the captures that exist:
 * - jar-upload, py-upload: local files are uploaded to a Hadoop filesystem; this submitter has no local files and refuses them.
 * - err-s3a-no-filesystem: fails for want of a class at the submitter, which a native one does not need (lists of s3a:// pass). */
#include "base/json.h"
#include "spark/plan.h"
#include "spark/properties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define UID16 "a1b2c31926a4d0ff"
#define APP_ID "spark-0123456789abcdef0123456789abcdef"
#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define MILLIS "1795272326000" /* Sat Nov 21 14:45:26 UTC 2026 */
#define DATE "Sat Nov 21 14:45:26 UTC 2026"

static const char *const cases[] = {
    "all-options",   "conf-dir",      "connect-server",   "credentials",        "driver-host-ignored", "err-bind-address",
    "err-no-class",  "err-no-image",  "err-reserved-label", "err-upload-path",  "escaping",            "exclude-feature-steps",
    "gpu",           "hadoop-conf",   "hadoop-configmap", "image-substitution", "jar-full-conf",       "jar-minimal",
    "jar-s3-primary", "jar-wait",     "load-defaults",    "local-dirs",         "long-name",           "mem-explicit",
    "mem-factor",    "mem-k8s-factor-python", "mem-min",  "no-name",            "no-name-py",          "packages",
    "pod-template",  "pod-template-first", "properties-file", "proxy-user",     "py-env-python",       "py-https",
    "py-local",      "py-s3-primary", "r-local",          "service-ip",         "sql-class-alias",     "sql-cli",
    "thriftserver",  "volumes",
};
static const char *const versions[] = {"3.5.9", "4.3.0"};
/* These captures exist for 4.x alone. */
static const char *const only_4[] = {"exclude-feature-steps", "image-substitution", "jar-wait", "load-defaults"};

struct fixture {
    struct arena *arena;
    const char *name;
    struct slice version;
    struct json *input, *expected;
};

static struct slice replace(struct arena *arena, struct slice text, const char *what, const char *with)
{
    struct strbuf out = STRBUF_ARENA(arena);
    struct slice needle = slice_from_cstr(what);
    for (ptrdiff_t at = slice_find(text, needle); at >= 0; at = slice_find(text, needle)) {
        strbuf_append(&out, slice_sub(text, 0, (size_t)at));
        strbuf_append_cstr(&out, with);
        text = slice_from(text, (size_t)at + needle.len);
    }
    strbuf_append(&out, text);
    return strbuf_slice(&out);
}

static struct json *load(struct fixture *f, const char *file)
{
    static const char *const placeholders[][2] = {
        {"{{MASTER}}", "k8s://http://127.0.0.1:45678"}, {"{{WORK}}", "/w"}, {"spark-{APPID}", APP_ID}, {"{UID16}", UID16}, {"{UUID}", UUID},
        {"{MILLIS}", MILLIS}, {"{DATE}", DATE}, {"{PORT}", "45678"}, {"{WORK}", "/w"},
    };
    const char *root = getenv("EMBER_SOURCE_ROOT");
    struct slice path = slice_fmt(f->arena, "%s/tests/golden/spark/%s.%.*s/%s", root ? root : ".", f->name, SLICE_ARG(f->version), file);
    FILE *stream = fopen(path.ptr, "r");
    if (!stream)
        fail_msg("cannot open %s", path.ptr);
    struct strbuf text = STRBUF_ARENA(f->arena);
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, stream)) > 0;)
        strbuf_append_bytes(&text, block, n);
    fclose(stream);
    struct slice s = strbuf_slice(&text);
    for (size_t i = 0; i < ARRAY_SIZE(placeholders); i++)
        s = replace(f->arena, s, placeholders[i][0], placeholders[i][1]);
    struct json *json;
    assert_null(json_parse(f->arena, s, JSON_DUPLICATES_REFUSE, &json));
    return json;
}

/* The case's files, by path: "/w/NAME". */
static struct err *read_file(void *context, struct arena *arena, struct slice uri, struct slice *ret_text)
{
    struct fixture *f = context;
    (void)arena;
    JSON_FOREACH(file, json_get(f->input, S("files"))) {
        if (slice_starts_with(uri, S("/w/")) && slice_eq(file->key, slice_from(uri, 3))) {
            *ret_text = file->text;
            return NULL;
        }
    }
    return err_new(ERR_NOT_FOUND, "no file %.*s", SLICE_ARG(uri));
}

/* Files below a folder of the case. */
static size_t folder(struct fixture *f, const char *prefix, struct spark_file files[8])
{
    size_t count = 0;
    JSON_FOREACH(file, json_get(f->input, S("files"))) {
        if (slice_starts_with(file->key, slice_from_cstr(prefix)) && count < 8)
            files[count++] = (struct spark_file){slice_from(file->key, strlen(prefix)), file->text};
    }
    return count;
}

static struct err *make_plan(struct fixture *f, struct spark_plan *plan)
{
    struct arena *a = f->arena;
    struct json *argv = json_get(f->input, S("argv"));
    struct slice *words = ARENA_ARRAY(a, json_count(argv), struct slice);
    size_t argc = 0, env_count = 0, conf_count, hadoop_count = 0;
    JSON_FOREACH(word, argv)
        words[argc++] = word->text;
    struct spark_env env[4];
    JSON_FOREACH(e, json_get(f->input, S("env"))) {
        env[env_count++] = (struct spark_env){e->key, e->text};
    }
    struct spark_file conf_files[8], hadoop_files[8];
    conf_count = folder(f, "conf/", conf_files);
    if (json_get(json_get(f->input, S("env")), S("HADOOP_CONF_DIR")))
        hadoop_count = folder(f, "hconf/", hadoop_files);
    struct spark_conf defaults;
    spark_conf_init(&defaults, a);
    for (size_t i = 0; i < conf_count; i++)
        if (slice_eq(conf_files[i].name, S("spark-defaults.conf")))
            TRY(properties_read(conf_files[i].text, PROPERTIES_TRIM_VALUES, SPARK_CONF_APPLICATION, &defaults));
    struct spark_options *options = ARENA_NEW(a, struct spark_options);
    TRY(spark_options_parse(a,
                            &(struct spark_options_input){.argv = words,
                                                          .argc = argc,
                                                          .spark_version = f->version,
                                                          .defaults = &defaults,
                                                          .files = {read_file, f},
                                                          .env = env,
                                                          .env_count = env_count},
                            options));
    struct spark_plan_input input = {
        .options = options,
        .spark_version = f->version,
        .submit_time_ms = strtoll(MILLIS, NULL, 10),
        .spark_user = S("ember"),
        .files = conf_files,
        .file_count = conf_count,
        .hadoop_files = hadoop_files,
        .hadoop_file_count = hadoop_count,
        .read = {read_file, f},
    };
    spark_names_make(a, options,
                     &(struct spark_name_ids){.app_id = S(APP_ID),
                                              .prefix_uid16 = S(UID16),
                                              .service_uid16 = S(UID16),
                                              .conf_map_uid16 = S(UID16),
                                              .local_dir_uuid = S(UUID)},
                     &input.names);
    return spark_plan_make(a, &input, plan);
}

/* ---- comparing as tests/golden/spark/README.md says ---- */

static int by_name(const void *a, const void *b)
{
    return slice_cmp(json_get_text(*(struct json *const *)a, "name"), json_get_text(*(struct json *const *)b, "name"));
}

static void sort_by_name(struct fixture *f, struct json *array)
{
    size_t count = json_count(array);
    struct json **items = ARENA_ARRAY(f->arena, count + 1, struct json *);
    for (size_t i = 0; i < count; i++)
        items[i] = json_item(array, 0), json_unlink(array, items[i]);
    qsort(items, count, sizeof *items, by_name);
    for (size_t i = 0; i < count; i++)
        json_append(array, items[i]);
}

/* The properties' text becomes an object, hash-ordered arrays are sorted, a claim's index is dropped. */
static struct json *normalise(struct fixture *f, const struct json *object)
{
    struct arena *a = f->arena;
    struct slice text = json_to_slice(a, object);
    for (char digit[] = "0"; digit[0] <= '9'; digit[0]++)
        text = replace(a, text, slice_fmt(a, "-driver-pvc-%s", digit).ptr, "-driver-pvc-I");
    struct json *copy;
    assert_null(json_parse(a, text, JSON_DUPLICATES_REFUSE, &copy));
    struct json *properties = JSON_AT(copy, "data", "spark.properties");
    if (properties) {
        struct spark_conf conf;
        spark_conf_init(&conf, a);
        assert_null(properties_read(properties->text, PROPERTIES_KEEP_BLANKS, SPARK_CONF_SYSTEM, &conf));
        struct json *map = json_object(a);
        SPARK_CONF_FOREACH(e, &conf)
            json_set(a, map, e->key, json_string(a, e->value));
        struct slice rest = properties->text;
        JSON_SET(a, map, "#1", json_string(a, slice_cut(&rest, '\n')));
        JSON_SET(a, map, "#2", json_string(a, slice_cut(&rest, '\n')));
        JSON_SET(a, json_get(copy, S("data")), "spark.properties", map);
    }
    struct json *spec = json_get(copy, S("spec"));
    bool volumes = strcmp(f->name, "volumes") == 0;
    if (volumes)
        sort_by_name(f, json_get(spec, S("volumes")));
    JSON_FOREACH(container, json_get(spec, S("containers"))) {
        if (strcmp(f->name, "jar-full-conf") == 0)
            sort_by_name(f, json_get(container, S("env")));
        if (volumes)
            sort_by_name(f, json_get(container, S("volumeMounts")));
    }
    return copy;
}

/* Spark shuffled /d1,/d2 in both captures; ours come as written. */
static void unshuffle_local_dirs(struct fixture *f, struct json *pod)
{
    struct json *container = json_item(JSON_AT(pod, "spec", "containers"), 0);
    JSON_FOREACH(e, json_get(container, S("env"))) {
        if (slice_eq(json_get_text(e, "value"), S("/d2,/d1")))
            json_set_cstr(f->arena, e, "value", "/d1,/d2");
    }
    JSON_FOREACH(m, json_get(container, S("volumeMounts"))) {
        if (slice_eq(json_get_text(m, "name"), S("spark-local-dir-1")))
            json_set_cstr(f->arena, m, "mountPath", "/d1");
        if (slice_eq(json_get_text(m, "name"), S("spark-local-dir-2")))
            json_set_cstr(f->arena, m, "mountPath", "/d2");
    }
}

static void expect_equal(struct fixture *f, struct json *ours, const struct json *theirs)
{
    struct json *a = normalise(f, ours), *b = normalise(f, theirs);
    if (strcmp(f->name, "local-dirs") == 0 && slice_eq(json_get_text(b, "kind"), S("Pod")))
        unshuffle_local_dirs(f, b);
    if (json_equal(a, b))
        return;
    struct strbuf out = STRBUF_HEAP;
    strbuf_append_cstr(&out, "\nours:\n");
    json_write_pretty(&out, a);
    strbuf_append_cstr(&out, "\nspark-submit's:\n");
    json_write_pretty(&out, b);
    print_error("%s.%.*s: different:%s\n", f->name, SLICE_ARG(f->version), out.ptr);
    strbuf_deinit(&out);
    fail();
}

static void expect_objects(struct fixture *f, struct spark_plan *plan)
{
    struct json *ours = json_array(f->arena);
    struct json *dependants[] = {plan->service, plan->network_policy, plan->conf_map};
    struct slice pod_name = json_text(JSON_AT(plan->pod, "metadata", "name"));
    while (json_count(plan->others)) {
        struct json *other = json_item(plan->others, 0);
        json_unlink(plan->others, other);
        spark_object_set_owner(f->arena, other, pod_name, S(UUID));
        json_append(ours, other);
    }
    for (size_t i = 0; i < ARRAY_SIZE(dependants); i++) {
        if (!dependants[i])
            continue;
        spark_object_set_owner(f->arena, dependants[i], pod_name, S(UUID));
        json_append(ours, dependants[i]);
    }
    json_append(ours, plan->pod);
    size_t expected = 0;
    JSON_FOREACH(request, json_get(f->expected, S("requests"))) {
        struct json *body = json_get(request, S("body")), *match = NULL;
        if (!body)
            continue;
        expected++;
        JSON_FOREACH(o, ours) {
            /* Kinds are unique but for ConfigMaps, where a claim's name differs by index only. */
            if (slice_eq(json_get_text(o, "kind"), json_get_text(body, "kind")) &&
                (!slice_eq(json_get_text(o, "kind"), S("ConfigMap")) ||
                 slice_eq(json_text(JSON_AT(o, "metadata", "name")), json_text(JSON_AT(body, "metadata", "name")))))
                match = o;
        }
        if (!match)
            fail_msg("%s: no %s among ours", f->name, json_to_slice(f->arena, json_get(body, S("kind"))).ptr);
        expect_equal(f, match, body);
    }
    assert_int_equal(json_count(ours), expected);
}

static void run_case(const char *name, const char *version)
{
    struct fixture f = {.arena = arena_new(), .name = name, .version = slice_from_cstr(version)};
    f.input = load(&f, "input.json");
    f.expected = load(&f, "objects.json");
    struct spark_plan plan;
    struct err *e = make_plan(&f, &plan);
    if (json_get_i64(f.expected, "exit", 0) != 0) {
        if (!e)
            fail_msg("%s.%s: planned, but spark-submit refuses it", name, version);
        struct slice theirs = json_text(json_item(json_get(f.expected, S("error")), 0));
        assert_int_equal(e->kind, ERR_INVALID);
        if (!slice_ends_with(theirs, err_message(e)))
            fail_msg("%s.%s: \"%s\" is not the end of \"%s\"", name, version, e->message, slice_cstr(f.arena, theirs));
        err_free(e);
    } else {
        if (e)
            fail_msg("%s.%s: refused: %s", name, version, e->message);
        expect_objects(&f, &plan);
    }
    arena_free(f.arena);
}

static void test_plans_equal_what_spark_submit_sends(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        bool skip_3 = false;
        for (size_t k = 0; k < ARRAY_SIZE(only_4); k++)
            skip_3 |= strcmp(cases[i], only_4[k]) == 0;
        for (size_t v = skip_3 ? 1 : 0; v < ARRAY_SIZE(versions); v++)
            run_case(cases[i], versions[v]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_plans_equal_what_spark_submit_sends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
