/* config_internal: what the files of config share. */
#pragma once
#include "base/strbuf.h"
#include "daemon/config.h"

enum option_type {
    OPTION_FOLDER,
    OPTION_PATH,
    OPTION_URL,     /* of http or https */
    OPTION_LISTEN,
    OPTION_ACCOUNT,
    OPTION_REGION,
    OPTION_SWITCH,  /* on or off; on the command line its name alone is on */
    OPTION_NUMBER,
    OPTION_LIMIT,   /* a number, or "off" */
    OPTION_CHOICE,  /* argument lists the words */
    OPTION_LOGFILE, /* on, off, stderr or a path */
};

struct option_row {
    const char *name;
    enum option_type type;
    const char *argument;
    const char *otherwise; /* its default; in parentheses: in words */
    int64_t min, max;
    bool reloadable;
    const char *about;
};
extern const struct option_row config_options[CONFIG_OPTION_COUNT];

struct switch_row {
    const char *name, *about;
};
extern const struct switch_row config_switches[];
extern const size_t config_switch_count;

struct problems {
    struct arena *arena;
    struct slice *items;
    size_t count, cap;
};
void problem_add(struct problems *problems, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "--nodes 0", "EMBER_NODES=0", "/x/ember.conf:3: nodes = 0": how a sentence about a value begins. */
struct slice config_place(struct arena *arena, const struct config *config, enum config_option option);
struct slice config_environment_name(struct arena *arena, const char *name); /* EMBER_DATA_DIR */

/* config_values.c: gives config's fields the meaning of its values. */
void config_interpret(struct arena *arena, struct config *config, struct problems *problems);
