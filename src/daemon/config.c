/* config: where values come from. What they mean is config_values.c's. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/similar.h"
#include "daemon/config_internal.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_BYTES 65536

const struct option_row config_options[CONFIG_OPTION_COUNT] = {
#define OPTION(id, name, type, argument, otherwise, min, max, reloadable, about)                                                                     \
    [CONFIG_##id] = {name, OPTION_##type, argument, otherwise, min, max, reloadable, about},
#define SWITCH(field, name, about)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};

const struct switch_row config_switches[] = {
#define OPTION(id, name, type, argument, otherwise, min, max, reloadable, about)
#define SWITCH(field, name, about) {name, about},
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};
const size_t config_switch_count = ARRAY_SIZE(config_switches);

void problem_add(struct problems *problems, const char *format, ...)
{
    if (problems->count == problems->cap) {
        size_t cap = problems->cap ? problems->cap * 2 : 8;
        struct slice *items = ARENA_ARRAY(problems->arena, cap, struct slice);
        if (problems->count)
            memcpy(items, problems->items, problems->count * sizeof(*items));
        problems->items = items;
        problems->cap = cap;
    }
    struct strbuf text = STRBUF_ARENA(problems->arena);
    va_list args;
    va_start(args, format);
    strbuf_append_vfmt(&text, format, args);
    va_end(args);
    problems->items[problems->count++] = strbuf_slice(&text);
}

const char *config_name(enum config_option option)
{
    return config_options[option].name;
}

bool config_is_reloadable(enum config_option option)
{
    return config_options[option].reloadable;
}

struct slice config_environment_name(struct arena *arena, const char *name)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_cstr(&out, "EMBER_");
    for (; *name; name++)
        strbuf_append_char(&out, *name == '-' ? '_' : (char)(*name - 'a' + 'A'));
    return strbuf_slice(&out);
}

struct slice config_place(struct arena *arena, const struct config *config, enum config_option option)
{
    const struct config_value *value = &config->values[option];
    const struct option_row *row = &config_options[option];
    switch (value->source) {
    case CONFIG_FROM_COMMAND_LINE:
        return slice_fmt(arena, "--%s %s", row->name, value->text);
    case CONFIG_FROM_ENVIRONMENT:
        return slice_fmt(arena, "%.*s=%s", SLICE_ARG(config_environment_name(arena, row->name)), value->text);
    case CONFIG_FROM_FILE:
        return slice_fmt(arena, "%s:%d: %s = %s", config->file, value->line, row->name, value->text);
    case CONFIG_FROM_DEFAULT:
        break;
    }
    return slice_fmt(arena, "%s = %s", row->name, row->otherwise);
}

struct slice config_source_text(struct arena *arena, const struct config *config, enum config_option option)
{
    const struct config_value *value = &config->values[option];
    switch (value->source) {
    case CONFIG_FROM_COMMAND_LINE:
        return slice_fmt(arena, "--%s", config_options[option].name);
    case CONFIG_FROM_ENVIRONMENT:
        return config_environment_name(arena, config_options[option].name);
    case CONFIG_FROM_FILE:
        return slice_fmt(arena, "%s:%d", config->file, value->line);
    case CONFIG_FROM_DEFAULT:
        break;
    }
    return S("default");
}

/* ---- names ---- */

/* What was meant, or what to do. */
static struct slice suggest(struct arena *arena, struct slice name, const char *dashes)
{
    const char *names[CONFIG_OPTION_COUNT];
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
        names[i] = config_options[i].name;
    const char *best = similar_name(name, names, CONFIG_OPTION_COUNT);
    return best ? slice_fmt(arena, "did you mean %s%s?", dashes, best) : S("emberd --help lists the options");
}

static bool find_option(struct slice name, enum config_option *ret_option)
{
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
        if (slice_eq(name, slice_from_cstr(config_options[i].name))) {
            *ret_option = (enum config_option)i;
            return true;
        }
    return false;
}

static void take(struct config *config, enum config_option option, const char *text, enum config_source source, int line)
{
    if (config->values[option].text && config->values[option].source > source)
        return;
    config->values[option] = (struct config_value){.text = text, .source = source, .line = line};
}

/* ---- command line ---- */

static bool take_switch(struct slice name, struct config *config)
{
#define OPTION(id, option_name, type, argument, otherwise, min, max, reloadable, about)
#define SWITCH(field, switch_name, about)                                                                                      \
    if (slice_eq(name, S(switch_name))) {                                                                                      \
        config->field = true;                                                                                                  \
        return true;                                                                                                           \
    }
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
    return false;
}

static void read_arguments(struct arena *arena, int argc, char **argv, struct config *config, struct problems *problems)
{
    for (int i = 1; i < argc; i++) {
        struct slice given = slice_from_cstr(argv[i]), name = given, value;
        enum config_option option;
        bool split = slice_split(given, '=', &name, &value);
        if (!slice_starts_with(name, S("--"))) {
            problem_add(problems, "there is no argument %s; emberd --help lists the options", argv[i]);
            continue;
        }
        name = slice_from(name, 2);
        if (!split && take_switch(name, config))
            continue;
        if (!find_option(name, &option))
            problem_add(problems, "there is no option --%.*s; %.*s", SLICE_ARG(name), SLICE_ARG(suggest(arena, name, "--")));
        else if (split)
            take(config, option, value.ptr, CONFIG_FROM_COMMAND_LINE, 0);
        else if (config_options[option].type == OPTION_SWITCH)
            take(config, option, "on", CONFIG_FROM_COMMAND_LINE, 0);
        else if (i + 1 < argc)
            take(config, option, argv[++i], CONFIG_FROM_COMMAND_LINE, 0);
        else
            problem_add(problems, "%s needs a value; emberd --help lists the options", argv[i]);
    }
}

/* ---- environment ---- */

static void read_environment(struct arena *arena, struct config *config)
{
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const char *text = getenv(config_environment_name(arena, config_options[i].name).ptr);
        if ((!text || !*text) && i == CONFIG_LOG_LEVEL)
            text = getenv("EMBER_LOG");
        if (text && *text)
            take(config, (enum config_option)i, slice_dup_cstr(arena, text).ptr, CONFIG_FROM_ENVIRONMENT, 0);
    }
}

/* ---- file ---- */

static bool has_control_bytes(struct slice line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < 0x20 && line.ptr[i] != '\t')
            return true;
    return false;
}

static void read_line(struct arena *arena, struct slice line, int number, int *seen_at, struct config *config, struct problems *problems)
{
    struct slice name, value;
    enum config_option option;
    line = slice_trim(line);
    if (!line.len || line.ptr[0] == '#')
        return;
    if (has_control_bytes(line)) {
        problem_add(problems, "%s:%d: there is a control character in this line", config->file, number);
        return;
    }
    if (!slice_split(line, '=', &name, &value)) {
        problem_add(problems, "%s:%d: this is not \"name = value\": %.*s", config->file, number, SLICE_ARG(slice_sub(line, 0, 80)));
        return;
    }
    name = slice_trim(name);
    value = slice_trim(value);
    if (!find_option(name, &option))
        problem_add(problems, "%s:%d: there is no option %.*s; %.*s", config->file, number, SLICE_ARG(slice_sub(name, 0, 80)),
                    SLICE_ARG(suggest(arena, name, "")));
    else if (seen_at[option])
        problem_add(problems, "%s:%d: %s is set twice, first in line %d", config->file, number, config_options[option].name, seen_at[option]);
    else if (option == CONFIG_CONFIG)
        problem_add(problems, "%s:%d: config names this file: it has no place in it", config->file, number);
    else if (option == CONFIG_DATA_DIR && !config->values[CONFIG_CONFIG].text)
        problem_add(problems, "%s:%d: data-dir is by what this file was found: give it on the command line", config->file, number);
    else if (!value.len)
        problem_add(problems, "%s:%d: %s has no value; without the line it is %s", config->file, number, config_options[option].name,
                    config_options[option].otherwise);
    else
        take(config, option, slice_cstr(arena, value), CONFIG_FROM_FILE, number);
    if (find_option(name, &option) && !seen_at[option])
        seen_at[option] = number;
}

static void read_file(struct arena *arena, struct config *config, struct problems *problems)
{
    struct slice text;
    struct err *e = file_read(arena, config->file, MAX_FILE_BYTES, &text);
    if (e) {
        problem_add(problems, "%.*s", SLICE_ARG(err_message(e)));
        err_free(e);
        return;
    }
    int seen_at[CONFIG_OPTION_COUNT] = {0};
    struct slice rest = slice_starts_with(text, S("\xEF\xBB\xBF")) ? slice_from(text, 3) : text;
    for (int number = 1; rest.ptr; number++)
        read_line(arena, slice_cut(&rest, '\n'), number, seen_at, config, problems);
}

/* --config, else ember.conf in the data directory, if it is there. */
static void find_file(struct arena *arena, struct config *config)
{
    const char *given = config->values[CONFIG_CONFIG].text;
    if (given) {
        config->file = given;
        return;
    }
    const char *dir = config->values[CONFIG_DATA_DIR].text, *home = getenv("HOME");
    if (!dir && (!home || !*home))
        return;
    const char *path = slice_cstr(arena, dir && *dir ? slice_fmt(arena, "%s/ember.conf", dir) : slice_fmt(arena, "%s/.ember/ember.conf", home));
    config->file = path_exists(path) ? path : NULL;
}

size_t config_read(struct arena *arena, int argc, char **argv, struct config *ret_config, const struct slice **ret_problems)
{
    struct config config = {0};
    struct problems problems = {.arena = arena};
    read_arguments(arena, argc, argv, &config, &problems);
    if (!config.help && !config.version) {
        read_environment(arena, &config);
        find_file(arena, &config);
        if (config.file)
            read_file(arena, &config, &problems);
        config_interpret(arena, &config, &problems);
    }
    *ret_config = config;
    *ret_problems = problems.items;
    return problems.count;
}

struct err *config_parse(struct arena *arena, int argc, char **argv, struct config *ret_config)
{
    const struct slice *problems;
    size_t count = config_read(arena, argc, argv, ret_config, &problems);
    if (!count)
        return NULL;
    if (count == 1)
        return err_new(ERR_INVALID, "%.*s", SLICE_ARG(problems[0]));
    return err_new(ERR_INVALID, "%.*s (and %zu more: --check-config lists them)", SLICE_ARG(problems[0]), count - 1);
}
