/* run_wish: see the header. */
#include "cli/run_wish.h"
#include <string.h>

#define NAME_MAX_BYTES 64 /* model: ResourceNameString */

bool program_kind_of(struct slice file, enum program_kind *ret_kind)
{
    static const struct {
        struct slice ending;
        enum program_kind kind;
    } KINDS[] = {{S_INIT(".py"), PROGRAM_PYTHON}, {S_INIT(".jar"), PROGRAM_JAR}, {S_INIT(".sql"), PROGRAM_SQL}};
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        if (file.len > KINDS[i].ending.len && slice_ends_with(file, KINDS[i].ending)) {
            *ret_kind = KINDS[i].kind;
            return true;
        }
    }
    return false;
}

bool program_is_remote(struct slice file)
{
    return slice_find(file, S("://")) > 0;
}

static bool is_name_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == '#';
}

struct slice program_name(struct arena *arena, struct slice file)
{
    ptrdiff_t slash = slice_rindex(file, '/');
    struct slice base = slice_from(file, (size_t)(slash + 1));
    ptrdiff_t dot = slice_rindex(base, '.');
    if (dot > 0)
        base = slice_sub(base, 0, (size_t)dot);
    struct strbuf out = STRBUF_ARENA(arena);
    for (size_t i = 0; i < base.len && i < NAME_MAX_BYTES; i++)
        strbuf_append_char(&out, is_name_character(base.ptr[i]) ? base.ptr[i] : '-');
    return out.len ? strbuf_slice(&out) : S("job");
}

void append_shell_word(struct strbuf *out, struct slice word)
{
    bool plain = word.len > 0;
    for (size_t i = 0; i < word.len; i++)
        plain = plain && (is_name_character(word.ptr[i]) || strchr("=:/,+@%", word.ptr[i])) && word.ptr[i] != '#' &&
                word.ptr[i] != '\0';
    if (plain) {
        strbuf_append(out, word);
        return;
    }
    strbuf_append_char(out, '\'');
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '\'')
            strbuf_append_cstr(out, "'\\''");
        else
            strbuf_append_char(out, word.ptr[i]);
    }
    strbuf_append_char(out, '\'');
}

static void append_option(struct strbuf *out, const char *option, struct slice value)
{
    strbuf_append_fmt(out, "%s%s ", out->len ? " " : "", option);
    append_shell_word(out, value);
}

static struct err *make_parameters(const struct command *command, const struct run_wish *wish,
                                   struct slice *ret_parameters)
{
    struct strbuf out = STRBUF_ARENA(command->arena);
    const char *main_class = command_option(command, "--class");
    if (main_class && wish->kind != PROGRAM_JAR)
        return err_new(ERR_INVALID, "--class is for jars");
    if (main_class)
        append_option(&out, "--class", slice_from_cstr(main_class));
    append_option(&out, "--conf",
                  slice_fmt(command->arena, "spark.executor.instances=%lld", (long long)wish->executors));
    for (size_t i = 0; i < command->option_count; i++) {
        struct slice value = slice_from_cstr(command->options[i].value);
        if (strcmp(command->options[i].name, "--conf") != 0)
            continue;
        if (slice_index(value, '=') < 1)
            return err_new(ERR_INVALID, "--conf %s is not of the form KEY=VALUE", command->options[i].value);
        append_option(&out, "--conf", value);
    }
    for (size_t i = 0; wish->kind == PROGRAM_SQL && i < command->rest_count; i++) {
        strbuf_append_char(&out, ' ');
        append_shell_word(&out, slice_from_cstr(command->rest[i]));
    }
    *ret_parameters = strbuf_slice(&out);
    return NULL;
}

struct err *run_wish_to_json(const struct command *command, const struct run_wish *wish, struct json **ret_input)
{
    struct arena *arena = command->arena;
    struct slice parameters;
    TRY(make_parameters(command, wish, &parameters));
    struct json *input = json_object(arena);
    json_set_text(arena, input, "name", wish->name);
    json_set_text(arena, input, "clientToken", wish->client_token);
    json_set_text(arena, input, "executionRoleArn", wish->role);
    json_set_text(arena, input, "releaseLabel", wish->release);
    bool sql = wish->kind == PROGRAM_SQL;
    struct json *drivers = json_ensure_object(arena, input, "jobDriver");
    struct json *driver = json_ensure_object(arena, drivers, sql ? "sparkSqlJobDriver" : "sparkSubmitJobDriver");
    json_set_text(arena, driver, "entryPoint", wish->entry_point);
    json_set_text(arena, driver, sql ? "sparkSqlParameters" : "sparkSubmitParameters", parameters);
    for (size_t i = 0; !sql && i < command->rest_count; i++)
        json_append(json_ensure_array(arena, driver, "entryPointArguments"), json_cstr(arena, command->rest[i]));
    struct json *monitoring = json_ensure_object(arena, json_ensure_object(arena, input, "configurationOverrides"),
                                                 "monitoringConfiguration");
    struct json *cloudwatch = json_ensure_object(arena, monitoring, "cloudWatchMonitoringConfiguration");
    json_set_text(arena, cloudwatch, "logGroupName", wish->log_group);
    json_set_text(arena, cloudwatch, "logStreamNamePrefix", wish->name);
    *ret_input = input;
    return NULL;
}
