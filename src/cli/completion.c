/* ember completion bash|zsh: a shell function made from the table of commands. Both find the command among the words
 * before the cursor, then offer its options, or the values of the option before the cursor. */
#include "cli/command.h"
#include "cli/terminal.h"
#include <string.h>

/* In single quotes. */
static void append_quoted(struct strbuf *out, const char *text)
{
    strbuf_append_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            strbuf_append_cstr(out, "'\\''");
        else
            strbuf_append_char(out, *text);
    }
    strbuf_append_char(out, '\'');
}

/* "--a|--b|-c" of all options that have a value: the word behind one is no command. */
static void append_value_options(struct strbuf *out)
{
    bool first = true;
    for (size_t c = 0; c <= COMMAND_COUNT; c++) {
        const struct option_def *options = c < COMMAND_COUNT ? COMMANDS[c].options : GLOBAL_OPTIONS;
        size_t count = c < COMMAND_COUNT ? COMMANDS[c].option_count : GLOBAL_OPTION_COUNT;
        for (size_t i = 0; i < count; i++) {
            if (!options[i].value)
                continue;
            strbuf_append_fmt(out, "%s%s", first ? "" : "|", options[i].name);
            first = false;
        }
    }
}

static bool takes_files(const struct command_def *def)
{
    return strcmp(def->argument, "FILE") == 0;
}

/* Words that may stand where an argument does: of "bash|zsh", and second words of longer commands. */
static void append_argument_words(struct strbuf *out, const struct command_def *def)
{
    struct slice name = slice_from_cstr(def->name);
    for (size_t c = 0; c < COMMAND_COUNT; c++) {
        struct slice longer = slice_from_cstr(COMMANDS[c].name);
        if (longer.len > name.len + 1 && slice_starts_with(longer, name) && longer.ptr[name.len] == ' ')
            strbuf_append_fmt(out, " %s", longer.ptr + name.len + 1);
    }
    struct slice rest = strchr(def->argument, '|') ? slice_from_cstr(def->argument) : SLICE_NONE;
    while (rest.ptr) {
        struct slice word = slice_cut(&rest, '|');
        strbuf_append_fmt(out, " %.*s", SLICE_ARG(word));
    }
}

/* A case arm for each option of def that has a value: offer is the shell's way to offer words, files to offer folders.
 */
static void append_values(struct strbuf *out, const struct command_def *def, const char *offer, const char *offer_end)
{
    for (size_t i = 0; i < def->option_count; i++) {
        const struct option_def *o = &def->options[i];
        if (!o->value)
            continue;
        strbuf_append_fmt(out, "    '%s %s') ", def->name, o->name);
        if (o->words)
            strbuf_append_fmt(out, "%s%s%s; ", offer, o->words, offer_end);
        strbuf_append_cstr(out, "return ;;\n");
    }
    if (def->formats)
        strbuf_append_fmt(out, "    '%s --output') %s%s%s; return ;;\n", def->name, offer, def->formats, offer_end);
}

static void append_search(struct strbuf *out, const char *word, const char *from, const char *to)
{
    strbuf_append_fmt(out, "    for ((i = %s; i < %s; i++)); do\n        case %s in\n        --) return ;;\n        ",
                      from, to, word);
    append_value_options(out);
    strbuf_append_fmt(out, ") ((i++)) ;;\n        -*) ;;\n        *) case \"$command %s\" in\n", word);
    for (size_t c = 0; c < COMMAND_COUNT; c++)
        strbuf_append_fmt(out, "            '%s%s') command='%s' ;;\n", strchr(COMMANDS[c].name, ' ') ? "" : " ",
                          COMMANDS[c].name, COMMANDS[c].name);
    strbuf_append_cstr(out, "            esac ;;\n        esac\n    done\n");
}

static void write_bash(struct strbuf *out)
{
    strbuf_append_cstr(out, "# bash completion of ember; made by: ember completion bash\n_ember() {\n    local "
                            "cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} "
                            "command= words= i\n    COMPREPLY=()\n");
    append_search(out, "${COMP_WORDS[i]}", "1", "COMP_CWORD");
    strbuf_append_cstr(out, "    case \"$command $prev\" in\n    *' --data-dir') COMPREPLY=($(compgen -d -- "
                            "\"$cur\")); return ;;\n    *' --region') return ;;\n");
    for (size_t c = 0; c < COMMAND_COUNT; c++)
        append_values(out, &COMMANDS[c], "COMPREPLY=($(compgen -W '", "' -- \"$cur\"))");
    strbuf_append_cstr(out, "    esac\n    case $command in\n    '') words='");
    for (size_t c = 0; c < COMMAND_COUNT; c++)
        if (!strchr(COMMANDS[c].name, ' '))
            strbuf_append_fmt(out, "%s%s", c ? " " : "", COMMANDS[c].name);
    strbuf_append_cstr(out, " --help --version --data-dir' ;;\n");
    for (size_t c = 0; c < COMMAND_COUNT; c++) {
        const struct command_def *def = &COMMANDS[c];
        strbuf_append_fmt(out, "    '%s') words='--help --data-dir%s", def->name, def->formats ? " --output" : "");
        append_argument_words(out, def);
        for (size_t i = 0; i < def->option_count; i++)
            strbuf_append_fmt(out, " %s", def->options[i].name);
        strbuf_append_fmt(out, "'%s ;;\n",
                          takes_files(def) ? "; [[ $cur == -* ]] || COMPREPLY=($(compgen -f -- \"$cur\"))" : "");
    }
    strbuf_append_cstr(
        out, "    esac\n    COMPREPLY+=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F _ember ember\n");
}

/* 'name:about', as _describe reads it. */
static void append_described(struct strbuf *out, const char *name, const char *about)
{
    struct strbuf text = STRBUF_HEAP;
    strbuf_append_fmt(&text, "%s:%s", name, about);
    strbuf_append_char(out, ' ');
    append_quoted(out, text.ptr);
    strbuf_deinit(&text);
}

static void write_zsh(struct strbuf *out)
{
    strbuf_append_cstr(out, "#compdef ember\n# zsh completion of ember; made by: ember completion zsh\n_ember() {\n    "
                            "local command= i\n    local -a offered options\n");
    append_search(out, "${words[i]}", "2", "CURRENT");
    strbuf_append_cstr(out, "    case \"$command ${words[CURRENT-1]}\" in\n    *' --data-dir') _files -/; return ;;\n  "
                            "  *' --region') return ;;\n");
    for (size_t c = 0; c < COMMAND_COUNT; c++)
        append_values(out, &COMMANDS[c], "compadd -- ", "");
    strbuf_append_cstr(out, "    esac\n    case $command in\n    '') offered=(");
    for (size_t c = 0; c < COMMAND_COUNT; c++)
        if (!strchr(COMMANDS[c].name, ' '))
            append_described(out, COMMANDS[c].name, COMMANDS[c].about);
    strbuf_append_cstr(out, ") ;;\n");
    for (size_t c = 0; c < COMMAND_COUNT; c++) {
        const struct command_def *def = &COMMANDS[c];
        strbuf_append_fmt(out, "    '%s') offered=(", def->name);
        append_argument_words(out, def);
        strbuf_append_cstr(out, ") options=(");
        for (size_t i = 0; i < def->option_count; i++)
            append_described(out, def->options[i].name, def->options[i].about);
        for (size_t i = 0; i < GLOBAL_OPTION_COUNT && def->formats; i++)
            if (strcmp(GLOBAL_OPTIONS[i].name, "--output") == 0)
                append_described(out, GLOBAL_OPTIONS[i].name, GLOBAL_OPTIONS[i].about);
        strbuf_append_fmt(out, ")%s ;;\n", takes_files(def) ? "; [[ ${words[CURRENT]} == -* ]] || _files" : "");
    }
    strbuf_append_cstr(out, "    esac\n    options+=(");
    for (size_t i = 0; i < GLOBAL_OPTION_COUNT; i++)
        if (strcmp(GLOBAL_OPTIONS[i].name, "--output") != 0)
            append_described(out, GLOBAL_OPTIONS[i].name, GLOBAL_OPTIONS[i].about);
    strbuf_append_cstr(out, ")\n    (( $#offered )) && _describe command offered\n    [[ ${words[CURRENT]} == -* ]] && "
                            "_describe -o option options\n}\n"
                            "if [[ ${funcstack[1]} == _ember ]]; then _ember \"$@\"; else compdef _ember ember; fi\n");
}

struct err *command_completion(struct command *command)
{
    struct strbuf out = STRBUF_ARENA(command->arena);
    if (strcmp(command->args[0], "bash") == 0)
        write_bash(&out);
    else if (strcmp(command->args[0], "zsh") == 0)
        write_zsh(&out);
    else
        return err_new(ERR_INVALID, "there is completion for bash and zsh, not for %s", command->args[0]);
    return output_write(strbuf_slice(&out));
}
