#include "runner/spark_command.h"

#include "base/arena.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

/* org.apache.spark.launcher.JavaModuleOptions of 3.5.9. */
static const char *const module_options[] = {
    "-XX:+IgnoreUnrecognizedVMOptions",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.invoke=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.net=ALL-UNNAMED",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent.atomic=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.cs=ALL-UNNAMED",
    "--add-opens=java.base/sun.security.action=ALL-UNNAMED",
    "--add-opens=java.base/sun.util.calendar=ALL-UNNAMED",
    "--add-opens=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
    "-Djdk.reflect.useDirectMethodHandle=false",
};
/* What 4.x adds. */
static const char *const module_options_4[] = {
    "--add-modules=jdk.incubator.vector",
    "-Dio.netty.tryReflectionSetAccessible=true",
};

/* ---- an argument list that grows ---- */

struct list {
    struct arena *arena;
    struct slice *items;
    size_t count, cap;
};

static void list_add(struct list *list, struct slice item)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64;
        struct slice *items = ARENA_ARRAY(list->arena, cap, struct slice);
        if (list->count)
            memcpy(items, list->items, list->count * sizeof(*items));
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = item;
}

static struct err *list_add_options(struct list *list, struct slice options)
{
    struct slice *items;
    size_t count;
    if (!options.ptr)
        return NULL;
    TRY(option_string_split(list->arena, options, &items, &count));
    for (size_t i = 0; i < count; i++)
        list_add(list, items[i]);
    return NULL;
}

struct err *option_string_split(struct arena *arena, struct slice text, struct slice **ret_items, size_t *ret_count)
{
    struct list list = {.arena = arena};
    struct strbuf word = STRBUF_ARENA(arena);
    bool in_word = false;
    char quote = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (quote && c == quote) {
            quote = 0;
        } else if (c == '\\' && quote != '\'' && i + 1 < text.len) {
            strbuf_append_char(&word, text.ptr[++i]);
            in_word = true;
        } else if (quote) {
            strbuf_append_char(&word, c);
        } else if (c == '"' || c == '\'') {
            quote = c;
            in_word = true;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            if (in_word)
                list_add(&list, slice_dup(arena, slice_of(word.ptr ? word.ptr : "", word.len)));
            strbuf_truncate(&word, 0);
            in_word = false;
        } else {
            strbuf_append_char(&word, c);
            in_word = true;
        }
    }
    if (quote)
        return err_new(ERR_INVALID, "Invalid option string, a quote is not closed: %.*s", SLICE_ARG(text));
    if (in_word)
        list_add(&list, slice_dup(arena, slice_of(word.ptr ? word.ptr : "", word.len)));
    *ret_items = list.items;
    *ret_count = list.count;
    return NULL;
}

/* ---- java.util.Properties ---- */

/* Next logical line (continuations joined, escapes kept) without leading blanks; false at the end. */
static bool next_logical_line(struct arena *arena, struct slice *rest, struct slice *ret_line)
{
    while (rest->ptr) {
        struct slice line = slice_cut(rest, '\n');
        while (line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t' || line.ptr[0] == '\f'))
            line = slice_from(line, 1);
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == '!')
            continue;
        struct strbuf joined = STRBUF_ARENA(arena);
        for (;;) {
            size_t slashes = 0;
            while (slashes < line.len && line.ptr[line.len - 1 - slashes] == '\\')
                slashes++;
            bool goes_on = slashes % 2 == 1;
            strbuf_append(&joined, slice_sub(line, 0, line.len - (goes_on ? 1 : 0)));
            if (!goes_on || !rest->ptr)
                break;
            line = slice_trim(slice_cut(rest, '\n'));
        }
        *ret_line = strbuf_slice(&joined);
        return true;
    }
    return false;
}

static void append_utf8(struct strbuf *out, unsigned code)
{
    if (code < 0x80) {
        strbuf_append_char(out, (char)code);
    } else if (code < 0x800) {
        strbuf_append_char(out, (char)(0xc0 | (code >> 6)));
        strbuf_append_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        strbuf_append_char(out, (char)(0xe0 | (code >> 12)));
        strbuf_append_char(out, (char)(0x80 | ((code >> 6) & 0x3f)));
        strbuf_append_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

static struct slice unescape(struct arena *arena, struct slice text)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append(&out, S(""));
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '\\' || i + 1 == text.len) {
            strbuf_append_char(&out, c);
            continue;
        }
        c = text.ptr[++i];
        if (c == 'u' && i + 4 < text.len) {
            char hex[5] = {text.ptr[i + 1], text.ptr[i + 2], text.ptr[i + 3], text.ptr[i + 4], 0};
            append_utf8(&out, (unsigned)strtoul(hex, NULL, 16));
            i += 4;
        } else {
            strbuf_append_char(&out, c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c);
        }
    }
    return strbuf_slice(&out);
}

struct slice properties_get(struct arena *arena, struct slice text, struct slice key)
{
    struct slice found = SLICE_NONE, line;
    while (next_logical_line(arena, &text, &line)) {
        size_t end = 0;
        while (end < line.len && !strchr("=: \t\f", line.ptr[end])) {
            end += line.ptr[end] == '\\' ? 2 : 1;
        }
        if (end > line.len)
            end = line.len;
        if (!slice_eq(unescape(arena, slice_sub(line, 0, end)), key))
            continue;
        struct slice value = slice_from(line, end);
        while (value.len && strchr(" \t\f", value.ptr[0]))
            value = slice_from(value, 1);
        if (value.len && (value.ptr[0] == '=' || value.ptr[0] == ':'))
            value = slice_from(value, 1);
        while (value.len && strchr(" \t\f", value.ptr[0]))
            value = slice_from(value, 1);
        found = unescape(arena, value);
    }
    return found;
}

/* ---- the entry point's arguments ---- */

enum spark_role spark_role_of(const struct run_container *container)
{
    if (container->command_count > 0 || container->arg_count == 0)
        return SPARK_OTHER;
    if (slice_eq(container->args[0], S("driver")))
        return SPARK_DRIVER;
    return slice_eq(container->args[0], S("executor")) ? SPARK_EXECUTOR : SPARK_OTHER;
}

/* Value of the last `--option VALUE` or `--option=VALUE` before the primary resource; for --conf: of `--conf key=VALUE`. */
static struct slice submit_option(const struct run_container *container, struct slice option, struct slice conf_key)
{
    struct slice found = SLICE_NONE;
    for (size_t i = 1; i < container->arg_count && slice_starts_with(container->args[i], S("-")); i++) {
        struct slice name = container->args[i], value = SLICE_NONE;
        if (slice_eq(name, S("--verbose")) || slice_eq(name, S("-v")) || slice_eq(name, S("--supervise")))
            continue;
        if (!slice_split(container->args[i], '=', &name, &value)) {
            if (++i == container->arg_count)
                break;
            value = container->args[i];
        }
        struct slice key, conf_value;
        if (option.ptr && slice_eq(name, option))
            found = value;
        else if (conf_key.ptr && (slice_eq(name, S("--conf")) || slice_eq(name, S("-c"))) && slice_split(value, '=', &key, &conf_value) &&
                 slice_eq(key, conf_key))
            found = conf_value;
    }
    return found;
}

struct slice spark_properties_path(const struct run_container *container)
{
    return spark_role_of(container) == SPARK_DRIVER ? submit_option(container, S("--properties-file"), SLICE_NONE) : SLICE_NONE;
}

/* spark.KEY as spark-submit's launcher sees it: own option, --conf, properties file. */
static struct slice driver_conf(struct arena *arena, const struct spark_command_input *input, struct slice option, struct slice key)
{
    struct slice value = option.ptr ? submit_option(input->container, option, SLICE_NONE) : SLICE_NONE;
    if (!value.ptr)
        value = submit_option(input->container, SLICE_NONE, key);
    if (!value.ptr && input->properties.ptr)
        value = properties_get(arena, input->properties, key);
    return value.len ? slice_trim(value) : SLICE_NONE;
}

/* ---- the command ---- */

static void add_class_path_entry(struct strbuf *path, struct slice entry)
{
    if (entry.len == 0)
        return;
    if (path->len)
        strbuf_append_char(path, ':');
    strbuf_append(path, entry);
}

/* cwd: executors see what was fetched into their working directory (SPARK-43540). */
static struct slice class_path(struct arena *arena, const struct spark_command_input *input, struct slice extra, struct slice cwd)
{
    struct strbuf path = STRBUF_ARENA(arena);
    add_class_path_entry(&path, extra);
    for (size_t i = 0; i < input->jar_count; i++)
        add_class_path_entry(&path, slice_fmt(arena, SANDBOX_SPARK_HOME "/jars/%.*s", SLICE_ARG(input->jars[i])));
    struct slice conf_dir = run_container_env(input->container, S("SPARK_CONF_DIR"));
    add_class_path_entry(&path, conf_dir.len ? conf_dir : S(SANDBOX_SPARK_HOME "/conf"));
    add_class_path_entry(&path, run_container_env(input->container, S("HADOOP_CONF_DIR")));
    add_class_path_entry(&path, run_container_env(input->container, S("SPARK_DIST_CLASSPATH")));
    add_class_path_entry(&path, cwd);
    return strbuf_slice(&path);
}

static bool chooses_collector(const struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (slice_starts_with(list->items[i], S("-XX:+Use")) && slice_ends_with(list->items[i], S("GC")))
            return true;
    return false;
}

/* What the JVM itself would choose in a container of that size, had it one: it sees the whole machine here. */
static void add_sizing(struct list *list, const struct run_container *container)
{
    bool small = (container->cpu_millis > 0 && container->cpu_millis < 2000) ||
                 (container->memory_limit_bytes > 0 && container->memory_limit_bytes < 2LL * 1024 * 1024 * 1024);
    if (small && !chooses_collector(list))
        list_add(list, S("-XX:+UseSerialGC"));
}

/* name: "driver" or "executor". A class path that begins otherwise than the archive's cannot use it: then not a word of it. */
static void add_archive(struct list *list, const struct spark_command_input *input, const char *name, bool exists, bool class_path_is_plain)
{
    if (input->container->dump_class_archive.ptr)
        list_add(list, slice_fmt(list->arena, "-XX:ArchiveClassesAtExit=" SANDBOX_DUMP "/%s.jsa", name));
    else if (exists && class_path_is_plain)
        list_add(list, slice_fmt(list->arena, "-XX:SharedArchiveFile=" SANDBOX_ARCHIVES "/%s.jsa", name));
    else
        return;
    list_add(list, S("-Xshare:auto"));
    list_add(list, S("-Xlog:disable")); /* the archive's warnings would go to the job's standard output */
    list_add(list, S("-Xlog:all=error:stderr"));
}

static void add_module_options(struct list *list, const struct run_container *container)
{
    for (size_t i = 0; i < ARRAY_SIZE(module_options); i++)
        list_add(list, slice_from_cstr(module_options[i]));
    if (slice_starts_with(container->spark_version, S("3.")))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(module_options_4); i++)
        list_add(list, slice_from_cstr(module_options_4[i]));
}

static struct err *build_driver(struct arena *arena, const struct spark_command_input *input, struct command *ret_command)
{
    const struct run_container *container = input->container;
    struct list list = {.arena = arena};
    struct slice extra = driver_conf(arena, input, S("--driver-class-path"), S("spark.driver.extraClassPath"));
    list_add(&list, input->java);
    add_archive(&list, input, "driver", input->has_driver_archive, extra.len == 0);
    list_add(&list, S("-cp"));
    list_add(&list, class_path(arena, input, extra, SLICE_NONE));
    TRY(list_add_options(&list, run_container_env(container, S("SPARK_SUBMIT_OPTS"))));
    struct slice memory = driver_conf(arena, input, S("--driver-memory"), S("spark.driver.memory"));
    if (!memory.len)
        memory = run_container_env(container, S("SPARK_DRIVER_MEMORY"));
    list_add(&list, slice_fmt(arena, "-Xmx%.*s", SLICE_ARG(memory.len ? memory : S("1g"))));
    TRY(list_add_options(&list, driver_conf(arena, input, SLICE_NONE, S("spark.driver.defaultJavaOptions"))));
    TRY(list_add_options(&list, driver_conf(arena, input, S("--driver-java-options"), S("spark.driver.extraJavaOptions"))));
    add_module_options(&list, container);
    add_sizing(&list, container);
    list_add(&list, S("org.apache.spark.deploy.SparkSubmit"));
    struct slice bind = run_container_env(container, S("SPARK_DRIVER_BIND_ADDRESS"));
    list_add(&list, S("--conf"));
    list_add(&list, slice_fmt(arena, "spark.driver.bindAddress=%.*s", SLICE_ARG(bind)));
    list_add(&list, S("--conf"));
    list_add(&list, slice_fmt(arena, "spark.executorEnv.SPARK_DRIVER_POD_IP=%.*s", SLICE_ARG(bind)));
    list_add(&list, S("--deploy-mode"));
    list_add(&list, S("client"));
    for (size_t i = 1; i < container->arg_count; i++)
        list_add(&list, container->args[i]);
    *ret_command = (struct command){list.items, list.count,
                                    driver_conf(arena, input, S("--driver-library-path"), S("spark.driver.extraLibraryPath"))};
    return NULL;
}

struct numbered {
    int64_t number;
    struct slice value;
};

static int numbered_cmp(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* SPARK_JAVA_OPT_0, _1, … in the order of their numbers: the pod lists them in any order. */
static void add_java_opts(struct list *list, const struct run_container *container)
{
    struct numbered *opts = ARENA_ARRAY(list->arena, container->env_count + 1, struct numbered);
    size_t count = 0;
    for (size_t i = 0; i < container->env_count; i++) {
        int64_t number;
        if (slice_starts_with(container->env[i].name, S("SPARK_JAVA_OPT_")) &&
            slice_to_i64(slice_from(container->env[i].name, sizeof("SPARK_JAVA_OPT_") - 1), 0, INT32_MAX, &number))
            opts[count++] = (struct numbered){number, container->env[i].value};
    }
    qsort(opts, count, sizeof(*opts), numbered_cmp);
    for (size_t i = 0; i < count; i++)
        list_add(list, opts[i].value);
}

static struct err *build_executor(struct arena *arena, const struct spark_command_input *input, struct command *ret_command)
{
    static const struct {
        struct slice option, variable, otherwise;
    } table[] = {
        {S_INIT("--driver-url"), S_INIT("SPARK_DRIVER_URL"), {0}},
        {S_INIT("--executor-id"), S_INIT("SPARK_EXECUTOR_ID"), {0}},
        {S_INIT("--cores"), S_INIT("SPARK_EXECUTOR_CORES"), {0}},
        {S_INIT("--app-id"), S_INIT("SPARK_APPLICATION_ID"), {0}},
        {S_INIT("--hostname"), S_INIT("SPARK_EXECUTOR_POD_IP"), {0}},
        {S_INIT("--resourceProfileId"), S_INIT("SPARK_RESOURCE_PROFILE_ID"), S_INIT("0")},
        {S_INIT("--podName"), S_INIT("SPARK_EXECUTOR_POD_NAME"), {0}},
    };
    const struct run_container *container = input->container;
    struct list list = {.arena = arena};
    struct slice extra = run_container_env(container, S("SPARK_CLASSPATH"));
    struct slice cwd = container->working_dir.len ? container->working_dir : S(SANDBOX_SPARK_HOME "/work-dir");
    list_add(&list, input->java);
    add_archive(&list, input, "executor", input->has_executor_archive, extra.len == 0);
    add_java_opts(&list, container);
    add_sizing(&list, container);
    struct slice memory = run_container_env(container, S("SPARK_EXECUTOR_MEMORY"));
    if (memory.len) {
        list_add(&list, slice_fmt(arena, "-Xms%.*s", SLICE_ARG(memory)));
        list_add(&list, slice_fmt(arena, "-Xmx%.*s", SLICE_ARG(memory)));
    }
    list_add(&list, S("-cp"));
    list_add(&list, class_path(arena, input, extra, cwd));
    list_add(&list, S("org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"));
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct slice value = run_container_env(container, table[i].variable);
        if (!value.len)
            value = table[i].otherwise;
        if (!value.ptr)
            return err_new(ERR_INVALID, "the executor's variable %.*s is not set", SLICE_ARG(table[i].variable));
        list_add(&list, table[i].option);
        list_add(&list, value);
    }
    *ret_command = (struct command){list.items, list.count, SLICE_NONE};
    return NULL;
}

struct err *spark_command_build(struct arena *arena, const struct spark_command_input *input, struct command *ret_command)
{
    const struct run_container *container = input->container;
    switch (spark_role_of(container)) {
    case SPARK_DRIVER:
        return build_driver(arena, input, ret_command);
    case SPARK_EXECUTOR:
        return build_executor(arena, input, ret_command);
    case SPARK_OTHER:
        break;
    }
    struct list list = {.arena = arena};
    for (size_t i = 0; i < container->command_count; i++)
        list_add(&list, container->command[i]);
    for (size_t i = 0; i < container->arg_count; i++)
        list_add(&list, container->args[i]);
    if (list.count == 0)
        return err_new(ERR_INVALID, "no command specified");
    *ret_command = (struct command){list.items, list.count, SLICE_NONE};
    return NULL;
}
