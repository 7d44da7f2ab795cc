/* options: the command line against the table of commands. */
#include "base/similar.h"
#include "cli/command.h"
#include <stdio.h>
#include <string.h>

static const struct command_def *find_command(struct slice name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (slice_eq(slice_from_cstr(COMMANDS[i].name), name))
            return &COMMANDS[i];
    return NULL;
}

/* "--state" or "-f" */
static const struct option_def *find_in(const struct option_def *options, size_t count, struct slice word)
{
    for (size_t i = 0; i < count; i++) {
        bool letter = word.len == 2 && options[i].letter && word.ptr[1] == options[i].letter;
        if (letter || slice_eq(slice_from_cstr(options[i].name), word))
            return &options[i];
    }
    return NULL;
}

static const struct option_def *find_option(const struct command_def *def, struct slice word)
{
    const struct option_def *option = def ? find_in(def->options, def->option_count, word) : NULL;
    return option ? option : find_in(GLOBAL_OPTIONS, GLOBAL_OPTION_COUNT, word);
}

/* "did you mean --state?", or absent. */
static struct slice meant_option(struct arena *arena, const struct command_def *def, struct slice word)
{
    const char **names = ARENA_ARRAY(arena, (def ? def->option_count : 0) + GLOBAL_OPTION_COUNT, const char *);
    size_t count = 0;
    if (!slice_starts_with(word, S("--")))
        return SLICE_NONE;
    for (size_t i = 0; def && i < def->option_count; i++)
        names[count++] = def->options[i].name + 2;
    for (size_t i = 0; i < GLOBAL_OPTION_COUNT; i++)
        names[count++] = GLOBAL_OPTIONS[i].name + 2;
    const char *best = similar_name(slice_from(word, 2), names, count);
    return best ? slice_fmt(arena, "did you mean --%s?", best) : SLICE_NONE;
}

static struct slice meant_command(struct arena *arena, struct slice word)
{
    const char **names = ARENA_ARRAY(arena, COMMAND_COUNT, const char *);
    size_t count = 0;
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strchr(COMMANDS[i].name, ' '))
            names[count++] = COMMANDS[i].name;
    const char *best = similar_name(word, names, count);
    return best ? slice_fmt(arena, "did you mean %s?", best) : SLICE_NONE;
}

static bool has_word(const char *words, struct slice word)
{
    for (struct slice rest = slice_from_cstr(words); rest.ptr;)
        if (slice_eq(slice_cut(&rest, ' '), word) && word.len)
            return true;
    return false;
}

/* "a, b or c" */
static struct slice listed(struct arena *arena, const char *words)
{
    struct strbuf out = STRBUF_ARENA(arena);
    for (struct slice rest = slice_from_cstr(words); rest.ptr;) {
        struct slice word = slice_cut(&rest, ' ');
        if (out.len)
            strbuf_append_cstr(&out, rest.ptr ? ", " : " or ");
        strbuf_append(&out, word);
    }
    return strbuf_slice(&out);
}

static struct err *check_value(struct arena *arena, const struct option_def *option, const char *value)
{
    if (!option->words)
        return NULL;
    for (struct slice rest = slice_from_cstr(value); rest.ptr;) { /* several with commas between */
        struct slice one = slice_cut(&rest, ',');
        if (!has_word(option->words, one))
            return err_new(ERR_INVALID, "%s %s is not one of %.*s", option->name, value,
                           SLICE_ARG(listed(arena, option->words)));
    }
    return NULL;
}

static struct err *take_output(struct arena *arena, struct command *command, const char *text)
{
    static const char *const NAMES[] = {[OUTPUT_TABLE] = "table", [OUTPUT_TEXT] = "text", [OUTPUT_JSON] = "json"};
    const char *formats = command->def->formats;
    if (!formats)
        return text ? err_new(ERR_INVALID, "ember %s takes no --output", command->def->name) : NULL;
    struct slice rest = slice_from_cstr(formats);
    struct slice word = text ? slice_from_cstr(text) : slice_cut(&rest, ' ');
    if (!has_word(formats, word))
        return err_new(ERR_INVALID, "--output %s is neither of what ember %s prints: %.*s", text, command->def->name,
                       SLICE_ARG(listed(arena, formats)));
    for (size_t i = OUTPUT_TABLE; i < ARRAY_SIZE(NAMES); i++)
        if (slice_eq(slice_from_cstr(NAMES[i]), word))
            command->output = (enum output)i;
    command->json = command->output == OUTPUT_JSON;
    return NULL;
}

/* The command's first word stands at words[at]; a second one that makes a longer name belongs to it. */
static struct err *take_command(struct arena *arena, size_t count, const char *const *words, size_t *at,
                                struct command *command)
{
    struct slice name = slice_from_cstr(words[*at]);
    command->def = find_command(name);
    if (!command->def) {
        struct slice meant = meant_command(arena, name);
        return err_new(ERR_INVALID, "there is no command %s; %.*s", words[*at],
                       SLICE_ARG(meant.len ? meant : S("ember --help lists them")));
    }
    const struct command_def *longer =
        *at + 1 < count ? find_command(slice_fmt(arena, "%s %s", words[*at], words[*at + 1])) : NULL;
    if (longer) {
        command->def = longer;
        (*at)++;
    }
    return NULL;
}

static struct err *take_option(struct arena *arena, size_t count, const char *const *words, size_t *at,
                               struct command *command)
{
    const char *word = words[*at];
    struct slice name = slice_from_cstr(word), value = SLICE_NONE;
    bool joined = slice_starts_with(name, S("--")) && slice_split(name, '=', &name, &value);
    const struct option_def *option = find_option(command->def, name);
    if (!option) {
        struct slice meant = meant_option(arena, command->def, name);
        const char *where = command->def ? command->def->name : "";
        if (!meant.len)
            meant = slice_fmt(arena, "ember %s%s--help lists them", where, *where ? " " : "");
        return command->def ? err_new(ERR_INVALID, "ember %s has no option %.*s; %.*s", where, SLICE_ARG(name), SLICE_ARG(meant))
                            : err_new(ERR_INVALID, "there is no option %.*s before a command; %.*s", SLICE_ARG(name), SLICE_ARG(meant));
    }
    if (!option->value && joined)
        return err_new(ERR_INVALID, "%s takes no value", option->name);
    const char *text = NULL;
    if (joined)
        text = slice_cstr(arena, value);
    else if (option->value && *at + 1 >= count)
        return err_new(ERR_INVALID, "%s needs a value", option->name);
    else if (option->value)
        text = words[++*at];
    if (text)
        TRY(check_value(arena, option, text));
    command->options[command->option_count++] = (struct given_option){.name = option->name, .value = text};
    return NULL;
}

static struct err *check_arguments(const struct command *command)
{
    const struct command_def *def = command->def;
    if (command->arg_count > def->max_args && def->rest)
        return err_new(ERR_INVALID, "ember %s takes no %s: words for the program stand behind --", def->name,
                       command->args[def->max_args]);
    if (command->arg_count > def->max_args)
        return err_new(ERR_INVALID, "ember %s takes no %s", def->name, command->args[def->max_args]);
    if (command->arg_count < def->min_args)
        return err_new(ERR_INVALID, "say ember %s %s", def->name, def->argument);
    if (command->rest_count && !def->rest)
        return err_new(ERR_INVALID, "ember %s takes nothing behind --", def->name);
    return NULL;
}

struct err *command_parse(struct arena *arena, size_t count, const char *const *words, struct command *ret_command,
                          bool *ret_help)
{
    struct command *command = ret_command;
    command->args = ARENA_ARRAY(arena, count + 1, const char *);
    command->rest = ARENA_ARRAY(arena, count + 1, const char *);
    command->options = ARENA_ARRAY(arena, count + 1, struct given_option);
    bool rest = false, help = count > 0 && strcmp(words[0], "help") == 0; /* as of other programs; it is no command of its own */
    for (size_t i = help; i < count; i++) {
        if (rest)
            command->rest[command->rest_count++] = words[i];
        else if (strcmp(words[i], "--") == 0)
            rest = true;
        else if (words[i][0] == '-' && words[i][1])
            TRY(take_option(arena, count, words, &i, command));
        else if (!command->def)
            TRY(take_command(arena, count, words, &i, command));
        else
            command->args[command->arg_count++] = words[i];
    }
    *ret_help = help || command_flag(command, "--help");
    if (*ret_help || command_flag(command, "--version"))
        return NULL;
    if (!command->def)
        return err_new(ERR_INVALID, "name a command; ember --help lists them");
    TRY(take_output(arena, command, command_option(command, "--output")));
    command->region = slice_from_cstr(command_option(command, "--region"));
    return check_arguments(command);
}

static const struct given_option *last_given(const struct command *command, const char *name)
{
    for (size_t i = command->option_count; i-- > 0;)
        if (strcmp(command->options[i].name, name) == 0)
            return &command->options[i];
    return NULL;
}

const char *command_option(const struct command *command, const char *name)
{
    const struct given_option *given = last_given(command, name);
    return given ? given->value : NULL;
}

bool command_flag(const struct command *command, const char *name)
{
    return last_given(command, name) != NULL;
}

struct err *command_number(const struct command *command, const char *name, int64_t min, int64_t max, int64_t otherwise,
                           int64_t *ret_value)
{
    const char *text = command_option(command, name);
    *ret_value = otherwise;
    if (text && !slice_to_i64(slice_from_cstr(text), min, max, ret_value))
        return err_new(ERR_INVALID, "%s %s is no number from %lld to %lld", name, text, (long long)min, (long long)max);
    return NULL;
}

/* ---- help ---- */

static void help_options(struct strbuf *out, const struct option_def *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct option_def *o = &options[i];
        struct strbuf left = STRBUF_HEAP;
        strbuf_append_fmt(&left, "%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        if (o->letter)
            strbuf_append_fmt(&left, ", -%c", o->letter);
        strbuf_append_fmt(out, "  %-22s %s\n", left.ptr, o->about);
        if (o->words)
            strbuf_append_fmt(out, "  %-22s %s\n", "", o->words);
        strbuf_deinit(&left);
    }
}

void command_help(struct strbuf *out, const struct command_def *def)
{
    if (def) {
        strbuf_append_fmt(out, "Usage: ember %s%s%s%s%s%s\n\n%s.\n", def->name, def->option_count ? " [OPTIONS]" : "",
                          *def->argument ? " " : "", def->argument, def->rest ? " -- " : "", def->rest ? def->rest : "",
                          def->about);
        if (def->option_count)
            strbuf_append_cstr(out, "\n");
        help_options(out, def->options, def->option_count);
        if (def->formats)
            strbuf_append_fmt(out, "\n  %-22s %s\n", "--output FORMAT", def->formats);
        strbuf_append_cstr(out, "\nExamples:\n");
        for (struct slice rest = slice_from_cstr(def->examples); rest.ptr;) {
            struct slice line = slice_cut(&rest, '\n');
            strbuf_append_fmt(out, "  %.*s\n", SLICE_ARG(line));
        }
        strbuf_append_fmt(out, "\nMore: ember man %s | man -l -\n", def->name);
        return;
    }
    strbuf_append_cstr(out, "Usage: ember COMMAND [OPTIONS]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof(left), "%s %s", COMMANDS[i].name, COMMANDS[i].argument);
        strbuf_append_fmt(out, "  %-22s %s\n", left, COMMANDS[i].about);
    }
    strbuf_append_char(out, '\n');
    help_options(out, GLOBAL_OPTIONS, GLOBAL_OPTION_COUNT);
    strbuf_append_cstr(out, "\nember COMMAND --help says more of one. Exit status: 0, 1 when it failed, 2 when the "
                            "command line is wrong, 130 after Ctrl-C.\n");
}
