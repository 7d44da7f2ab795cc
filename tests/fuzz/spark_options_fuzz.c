/* spark_options_fuzz: line one the words of spark-submit, the rest a properties file; and each line as one of Spark's small texts: a size, a
 * number, a java option string, a release label. What was understood is understood again when it is written back. */
#include "base/strbuf.h"
#include "fuzz.h"
#include "runner/spark_command.h"
#include "spark/release.h"
#include "spark/shell_split.h"
#include "spark/sizes.h"
#include "spark/spark_options.h"
#include <math.h>

static struct err *read_input(void *context, struct arena *arena, struct slice uri, struct slice *ret_text)
{
    (void)arena;
    (void)uri;
    *ret_text = *(const struct slice *)context;
    return NULL;
}

static void check_options(struct arena *arena, struct slice line, struct slice *file)
{
    struct slice *words;
    size_t count;
    struct err *e = shell_split(arena, line, &words, &count);
    struct spark_options options, again;
    for (int version = 0; !e && version < 2; version++) {
        struct spark_options_input input = {
            .argv = words, .argc = count, .spark_version = version ? S("4.3.0") : S("3.5.9"), .files = {read_input, file}};
        struct err *refused = spark_options_parse(arena, &input, &options);
        struct err *second = spark_options_parse(arena, &input, &again);
        ENSURE(!refused == !second);
        if (!refused) {
            ENSURE(options.conf.count == again.conf.count && options.app_arg_count <= count);
            ENSURE(options.primary_resource.ptr && options.name.ptr);
        }
        err_free(refused);
        err_free(second);
    }
    err_free(e);
}

static void check_texts(struct arena *arena, struct slice text)
{
    for (int unit = 0; unit <= 30; unit += 10) {
        int64_t size;
        struct err *e = spark_size_parse(text, (enum spark_unit)unit, &size);
        if (!e) {
            int64_t again;
            ENSURE(!spark_size_parse(slice_fmt(arena, "%lld", (long long)size), (enum spark_unit)unit, &again) && again == size);
        }
        err_free(e);
    }
    double value, again;
    if (spark_double_parse(text, &value)) {
        struct slice written = spark_double_text(arena, value);
        ENSURE(!isfinite(value) || (spark_double_parse(written, &again) && (again == value)));
    }
    struct slice *items, version;
    size_t count, total = 0;
    struct err *e = option_string_split(arena, text, &items, &count);
    for (size_t i = 0; !e && i < count; i++)
        total += items[i].len;
    ENSURE(total <= text.len);
    err_free(e);
    err_free(spark_release_find(text, &version));
    (void)properties_get(arena, text, S("k"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice rest = slice_of((const char *)data, size), line = input_line(&rest), file = rest;
    check_options(arena, line, &file);
    check_texts(arena, line);
    while (rest.len)
        check_texts(arena, input_line(&rest));
    arena_free(arena);
    return 0;
}
