/* config_text: the options as --help, as a file, and as the reference page. */
#include "base/arena.h"
#include "daemon/config_internal.h"
#include <string.h>

static bool in_words(const struct option_row *row)
{
    return row->otherwise[0] == '(';
}

/* A default in words, without its parentheses. */
static struct slice otherwise_of(const struct option_row *row)
{
    struct slice text = slice_from_cstr(row->otherwise);
    return in_words(row) ? slice_sub(text, 1, text.len - 2) : text;
}

struct slice config_text(struct arena *arena, const struct config *config, enum config_option option)
{
    const struct config_value *value = &config->values[option];
    if (option == CONFIG_DATA_DIR && config->data_dir)
        return slice_dup_cstr(arena, config->data_dir);
    if (option == CONFIG_CONFIG)
        return config->file ? slice_dup_cstr(arena, config->file) : S("none");
    return value->text ? slice_dup_cstr(arena, value->text) : otherwise_of(&config_options[option]);
}

void config_write_help(struct strbuf *out)
{
    strbuf_append_cstr(out, "Usage: emberd [option...]\n\n"
                            "Amazon EMR on EKS on your own machines: the AWS API on one address, Spark on Kubernetes behind it.\n"
                            "Each option can also stand in a file (--config) or in the environment (--data-dir as EMBER_DATA_DIR).\n\n");
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const struct option_row *row = &config_options[i];
        strbuf_append_fmt(out, "  --%s %s\n      %s (%.*s)\n", row->name, row->argument, row->about, SLICE_ARG(otherwise_of(row)));
    }
    for (size_t i = 0; i < config_switch_count; i++)
        strbuf_append_fmt(out, "  --%s\n      %s\n", config_switches[i].name, config_switches[i].about);
}

void config_write_values(struct strbuf *out, const struct config *config)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        enum config_option option = (enum config_option)i;
        bool comment = option == CONFIG_CONFIG || (!config->values[i].text && in_words(&config_options[i]) && option != CONFIG_DATA_DIR);
        struct slice text = config_text(arena, config, option);
        strbuf_append_fmt(out, "# %.*s\n%s%s = %.*s\n", SLICE_ARG(config_source_text(arena, config, option)), comment ? "#" : "",
                          config_options[i].name, SLICE_ARG(text));
    }
}

static void append_range(struct strbuf *out, const struct option_row *row)
{
    switch (row->type) {
    case OPTION_NUMBER:
        strbuf_append_fmt(out, "%lld to %lld", (long long)row->min, (long long)row->max);
        return;
    case OPTION_LIMIT:
        strbuf_append_fmt(out, "%lld to %lld, `off`", (long long)row->min, (long long)row->max);
        return;
    case OPTION_SWITCH:
        strbuf_append_cstr(out, "`on`, `off`");
        return;
    case OPTION_CHOICE:
    case OPTION_LOGFILE:
        for (struct slice rest = slice_from_cstr(row->argument); rest.ptr;) {
            struct slice word = slice_cut(&rest, '|');
            bool path = slice_eq(word, S("FILE"));
            strbuf_append_fmt(out, "%s%.*s%s%s", path ? "" : "`", SLICE_ARG(path ? S("a path") : word), path ? "" : "`", rest.ptr ? ", " : "");
        }
        return;
    case OPTION_FOLDER:
        strbuf_append_cstr(out, "a folder's path");
        return;
    case OPTION_PATH:
        strbuf_append_cstr(out, "a file's path");
        return;
    case OPTION_URL:
        strbuf_append_cstr(out, "`https://…`; `http://…` on loopback");
        return;
    case OPTION_LISTEN:
        strbuf_append_cstr(out, "a numeric address and a port, `[::1]:4567`");
        return;
    case OPTION_ACCOUNT:
        strbuf_append_cstr(out, "12 digits");
        return;
    case OPTION_REGION:
        strbuf_append_cstr(out, "small letters, digits, `-`; at most 32");
        return;
    }
}

static const char *unit_of(const struct option_row *row)
{
    if (strstr(row->argument, "PER_SECOND"))
        return "per second";
    if (strstr(row->argument, "PER_MINUTE"))
        return "per minute";
    return strstr(row->argument, "MIB") ? "MiB" : "";
}

void config_write_reference(struct strbuf *out)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    strbuf_append_cstr(
        out,
        "# Options of emberd\n\n"
        "<!-- Made from src/daemon/config.def by `EMBER_REGENERATE=1 config_test`; a test says whether it is current. -->\n\n"
        "Each option is looked for on the command line (`--name value`), then in the environment, then in the file, and has a default.\n"
        "The file is `--config`, else `ember.conf` in the data directory if there is one: lines `name = value`; empty lines and lines that begin\n"
        "with `#` do not count; relative paths are relative to the file's folder. An unknown name, a value out of range or a name that stands\n"
        "twice is an error. No option holds a secret: it names the file that does.\n\n"
        "`emberd --check-config` says everything that is wrong, each with its file and line, and ends with status 0 or 1; `--print-config` prints\n"
        "each option as it is and who said so. `SIGHUP` reads the file and the certificate again: what can be changed at a reload is changed at once, for\n"
        "the rest the log says that it needs a restart (`CONFIG_NEEDS_RESTART`); when anything is wrong nothing changes (`CONFIG_REFUSED`).\n\n"
        "| option | environment | values | unit | default | at a reload | what it is |\n| --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        const struct option_row *row = &config_options[i];
        strbuf_append_fmt(out, "| `%s` | `%.*s`%s | ", row->name, SLICE_ARG(config_environment_name(arena, row->name)),
                          i == CONFIG_LOG_LEVEL ? ", `EMBER_LOG`" : "");
        append_range(out, row);
        strbuf_append_fmt(out, " | %s | %s%.*s%s | %s | %s |\n", unit_of(row), in_words(row) ? "" : "`", SLICE_ARG(otherwise_of(row)),
                          in_words(row) ? "" : "`", row->reloadable ? "yes" : "", row->about);
    }
    strbuf_append_cstr(out, "\nOnly on the command line:\n\n| option | what it is |\n| --- | --- |\n");
    for (size_t i = 0; i < config_switch_count; i++)
        strbuf_append_fmt(out, "| `--%s` | %s |\n", config_switches[i].name, config_switches[i].about);
}
