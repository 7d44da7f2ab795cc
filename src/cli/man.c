/* ember man [COMMAND]: manual pages in roff (man macros), made from the table of commands. */
#include "cli/command.h"
#include "cli/terminal.h"
#include <string.h>

/* Text of roff: no byte of it is a command. */
static void append_roff(struct strbuf *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if ((c == '.' || c == '\'') && (i == 0 || text.ptr[i - 1] == '\n'))
            strbuf_append_cstr(out, "\\&");
        if (c == '\\')
            strbuf_append_cstr(out, "\\e");
        else if (c == '-')
            strbuf_append_cstr(out, "\\-");
        else if (c == '\'')
            strbuf_append_cstr(out, "\\(aq");
        else
            strbuf_append_char(out, c);
    }
}

static void append_line(struct strbuf *out, const char *macro, const char *text)
{
    strbuf_append_cstr(out, macro);
    append_roff(out, slice_from_cstr(text));
    strbuf_append_char(out, '\n');
}

static void append_paragraphs(struct strbuf *out, const char *text)
{
    struct slice rest = slice_from_cstr(text), empty = S("\n\n");
    while (rest.ptr) {
        ptrdiff_t end = slice_find(rest, empty);
        struct slice paragraph = end < 0 ? rest : slice_sub(rest, 0, (size_t)end);
        rest = end < 0 ? SLICE_NONE : slice_from(rest, (size_t)end + empty.len);
        strbuf_append_cstr(out, ".PP\n");
        append_roff(out, paragraph);
        strbuf_append_char(out, '\n');
    }
}

static void append_options(struct strbuf *out, const struct option_def *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        strbuf_append_cstr(out, ".TP\n\\fB");
        append_roff(out, slice_from_cstr(options[i].name));
        strbuf_append_cstr(out, "\\fR");
        if (options[i].letter)
            strbuf_append_fmt(out, ", \\fB\\-%c\\fR", options[i].letter);
        if (options[i].value)
            strbuf_append_fmt(out, " \\fI%s\\fR", options[i].value);
        strbuf_append_char(out, '\n');
        append_line(out, "", options[i].about);
        if (options[i].words)
            append_line(out, ".br\nOne of: ", options[i].words);
    }
}

static void append_facts(struct strbuf *out, const char *title, const struct fact *facts, size_t count)
{
    append_line(out, ".SH ", title);
    for (size_t i = 0; i < count; i++) {
        append_line(out, ".TP\n", facts[i].name);
        append_line(out, "", facts[i].about);
    }
}

/* "jobs show" -> "ember-jobs-show" */
static struct slice page_name(struct arena *arena, const struct command_def *def)
{
    struct strbuf out = STRBUF_ARENA(arena);
    strbuf_append_fmt(&out, "ember%s%s", def ? "-" : "", def ? def->name : "");
    for (size_t i = 0; i < out.len; i++)
        if (out.ptr[i] == ' ')
            out.ptr[i] = '-';
    return strbuf_slice(&out);
}

static void append_head(struct arena *arena, struct strbuf *out, const struct command_def *def)
{
    struct slice name = page_name(arena, def);
    strbuf_append_cstr(out, ".\\\" Made by tools/man from src/cli/commands.c.\n.TH ");
    for (size_t i = 0; i < name.len; i++)
        strbuf_append_char(out,
                           name.ptr[i] >= 'a' && name.ptr[i] <= 'z' ? (char)(name.ptr[i] - 'a' + 'A') : name.ptr[i]);
    strbuf_append_cstr(out, " 1 \"\" Ember \"Ember\"\n.SH NAME\n");
    append_roff(out, name);
    append_line(out, " \\- ", def ? def->about : "the command line of Ember, a self-hosted Amazon EMR on EKS");
    strbuf_append_cstr(out, ".SH SYNOPSIS\n");
}

static void append_see_also(struct arena *arena, struct strbuf *out, const struct command_def *def)
{
    strbuf_append_cstr(out, ".SH SEE ALSO\n");
    if (def)
        strbuf_append_cstr(out, ".BR ember (1)");
    for (size_t i = 0; !def && i < COMMAND_COUNT; i++) {
        strbuf_append_fmt(out, "%s.BR ", i ? ",\n" : "");
        append_roff(out, page_name(arena, &COMMANDS[i]));
        strbuf_append_cstr(out, " (1)");
    }
    strbuf_append_char(out, '\n');
}

static void write_main_page(struct arena *arena, struct strbuf *out)
{
    append_head(arena, out, NULL);
    strbuf_append_cstr(out, "\\fBember\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]\n.SH COMMANDS\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        strbuf_append_fmt(out, ".TP\n\\fB%s\\fR %s\n", COMMANDS[i].name, COMMANDS[i].argument);
        append_line(out, "", COMMANDS[i].about);
    }
    append_line(out, ".SH ", "OPTIONS");
    append_options(out, GLOBAL_OPTIONS, GLOBAL_OPTION_COUNT);
    append_facts(out, "EXIT STATUS", STATUSES, STATUS_COUNT);
    append_facts(out, "ENVIRONMENT", ENVIRONMENT, ENVIRONMENT_COUNT);
    append_see_also(arena, out, NULL);
}

static void write_page(struct arena *arena, struct strbuf *out, const struct command_def *def)
{
    append_head(arena, out, def);
    strbuf_append_fmt(out, "\\fBember %s\\fR%s%s%s", def->name, def->option_count ? " [\\fIOPTIONS\\fR]" : "",
                      *def->argument ? " " : "", def->argument);
    if (def->rest)
        strbuf_append_fmt(out, " \\-\\- \\fI%s\\fR", def->rest);
    strbuf_append_cstr(out, "\n.SH DESCRIPTION\n");
    append_paragraphs(out, def->manual);
    if (def->option_count || def->formats)
        append_line(out, ".SH ", "OPTIONS");
    append_options(out, def->options, def->option_count);
    if (def->formats) {
        strbuf_append_cstr(out, ".TP\n\\fB\\-\\-output\\fR \\fIFORMAT\\fR\n");
        append_line(out, "One of, the first unless it is given: ", def->formats);
    }
    strbuf_append_cstr(out, ".SH EXAMPLES\n.EX\n");
    append_roff(out, slice_from_cstr(def->examples));
    strbuf_append_cstr(out, "\n.EE\n");
    append_see_also(arena, out, def);
}

struct err *command_man(struct command *command)
{
    struct strbuf out = STRBUF_ARENA(command->arena), name = STRBUF_ARENA(command->arena);
    for (size_t i = 0; i < command->arg_count; i++)
        strbuf_append_fmt(&name, "%s%s", i ? " " : "", command->args[i]);
    const struct command_def *def = NULL;
    for (size_t i = 0; name.len && i < COMMAND_COUNT; i++)
        if (strcmp(COMMANDS[i].name, name.ptr) == 0)
            def = &COMMANDS[i];
    if (name.len && !def)
        return err_new(ERR_INVALID, "there is no command %s; ember --help lists them", name.ptr);
    if (def)
        write_page(command->arena, &out, def);
    else
        write_main_page(command->arena, &out);
    return output_write(strbuf_slice(&out));
}
