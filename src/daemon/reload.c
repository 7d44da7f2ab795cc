#include "daemon/reload.h"
#include "base/arena.h"
#include "daemon/notify.h"
#include <stdlib.h>

struct reload {
    int argc;
    char **argv;
    const struct config *started;  /* what cannot be reloaded is as it stands there */
    const struct config *applied;  /* what can */
    struct arena *arena;           /* applied's; NULL: it is started */
};

struct reload *reload_new(int argc, char **argv, const struct config *config)
{
    struct reload *reload = xcalloc(1, sizeof(*reload));
    *reload = (struct reload){.argc = argc, .argv = argv, .started = config, .applied = config};
    return reload;
}

void reload_free(struct reload *reload)
{
    if (reload->arena)
        arena_free(reload->arena);
    free(reload);
}

static size_t refuse(const struct slice *problems, size_t count)
{
    for (size_t i = 0; i < count; i++)
        log_event(CONFIG_REFUSED, LOG_SLICE("problem", problems[i]));
    return count;
}

/* What differs, into the log. */
static void tell(struct reload *reload, struct arena *arena, const struct config *fresh)
{
    for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++) {
        enum config_option option = (enum config_option)i;
        bool reloadable = config_is_reloadable(option);
        struct slice from = config_text(arena, reloadable ? reload->applied : reload->started, option), to = config_text(arena, fresh, option);
        if (option == CONFIG_CONFIG || slice_eq(from, to))
            continue;
        if (reloadable)
            log_event(CONFIG_CHANGED, LOG_CSTR("option", config_name(option)), LOG_SLICE("from", from), LOG_SLICE("to", to),
                      LOG_SLICE("source", config_source_text(arena, fresh, option)));
        else
            log_event(CONFIG_NEEDS_RESTART, LOG_CSTR("option", config_name(option)), LOG_SLICE("running", from), LOG_SLICE("configured", to),
                      LOG_SLICE("source", config_source_text(arena, fresh, option)));
    }
}

static void run(struct reload *reload, struct daemon *daemon, struct arena *arena)
{
    const struct slice *problems;
    struct config *fresh = ARENA_NEW(arena, struct config);
    size_t count = config_read(arena, reload->argc, reload->argv, fresh, &problems);
    if (refuse(problems, count))
        return;
    count = config_check_files(arena, fresh, &problems);
    if (refuse(problems, count))
        return;
    struct err *e = daemon_apply(daemon, fresh);
    if (e) {
        log_event(CONFIG_REFUSED, LOG_SLICE("problem", err_message(e)));
        err_free(e);
        return;
    }
    tell(reload, arena, fresh);
    if (reload->arena)
        arena_free(reload->arena);
    reload->arena = arena;
    reload->applied = fresh;
    log_event(CONFIG_RELOADED, LOG_CSTR("file", fresh->file ? fresh->file : "none"));
}

void reload_run(struct reload *reload, struct daemon *daemon)
{
    struct arena *arena = arena_new();
    notify_reloading();
    run(reload, daemon, arena);
    if (reload->arena != arena)
        arena_free(arena);
    notify_ready();
}
