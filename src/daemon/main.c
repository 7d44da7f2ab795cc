/* emberd: the daemon. Options, the data directory, the parts (wiring.c), then it waits for a signal to stop. */
#include "base/arena.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/wiring.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef EMBER_VERSION
#define EMBER_VERSION "unknown"
#endif
#define FILES_FOR_MANY_CLIENTS 14000
/* The whole of a shutdown; each step has its own, shorter limit. */
#define STOP_LIMIT_S 40

static int fail(struct err *e)
{
    const char *advice = e->kind == ERR_LIMIT ? " (make room and start again)" : "";
    fprintf(stderr, "emberd: %.*s%s\n", SLICE_ARG(err_message(e)), advice);
    err_free(e);
    return 1;
}

/* Signals are read by sigwait alone; every thread inherits the mask. */
static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return set;
}

static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Each client's connection is one; the HTTP server leaves the rest of the daemon a quarter of them. */
static void note_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FILES_FOR_MANY_CLIENTS)
        printf("Note: this machine lets emberd have %llu open files, so it serves at most %llu connections at once; raise the hard limit "
               "(ulimit -Hn, LimitNOFILE=) to %d for ten thousand\n",
               (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_cur / 4 * 3, FILES_FOR_MANY_CLIENTS);
}

static void greet(const struct config *config, const struct installation *installation, struct slice endpoint)
{
    const char *home = getenv("HOME");
    char fallback[4096];
    snprintf(fallback, sizeof(fallback), "%s/.ember", home ? home : "");
    bool usual = strcmp(config->data_dir, fallback) == 0;
    printf("Ember serves account %.*s in %.*s on %.*s\n", SLICE_ARG(config->account_id), SLICE_ARG(config->region), SLICE_ARG(endpoint));
    printf("The root key is in %s/root-credentials (profile ember)\n", config->data_dir);
    printf("Next: eval \"$(ember env%s%s)\" && aws emr-containers list-virtual-clusters\n", usual ? "" : " --data-dir ",
           usual ? "" : config->data_dir);
    const char *gaps[INSTALLATION_MAX_GAPS];
    size_t count = installation_list_gaps(installation, gaps, INSTALLATION_MAX_GAPS);
    for (size_t i = 0; i < count; i++)
        printf("Note: %s\n", gaps[i]);
    note_file_limit();
    fflush(stdout);
}

static void *watch_stop(void *unused)
{
    (void)unused;
    sleep(STOP_LIMIT_S);
    log_event(DAEMON_STOP_LATE, LOG_INT("limitSeconds", STOP_LIMIT_S));
    _exit(3);
}

static int wait_for_stop(const sigset_t *set, struct reload *reload, struct daemon *daemon)
{
    for (;;) {
        int number = 0;
        if (sigwait(set, &number) != 0)
            continue;
        if (number != SIGHUP)
            return number;
        reload_run(reload, daemon);
    }
}

static int serve(struct arena *arena, const struct config *config, struct reload *reload, const sigset_t *set)
{
    int lock_fd;
    struct root_key key;
    struct installation installation = installation_find(arena);
    struct daemon *daemon;
    struct err *e = data_dir_claim(arena, config->data_dir, &lock_fd);
    if (!e)
        e = data_dir_root_key(arena, config->data_dir, config->region, &key);
    if (!e)
        e = daemon_start(config, &key, &installation, &daemon);
    if (e)
        return fail(e);
    e = data_dir_write_endpoint(arena, config->data_dir, daemon_endpoint(daemon));
    if (!e) {
        daemon_open(daemon);
        e = data_dir_write_pid(arena, config->data_dir);
    }
    if (e) {
        data_dir_retract(arena, config->data_dir);
        daemon_stop(daemon);
        return fail(e);
    }
    greet(config, &installation, daemon_endpoint(daemon));
    log_event(DAEMON_STARTED, LOG_SLICE("listen", daemon_endpoint(daemon)), LOG_CSTR("dataDir", config->data_dir));
    notify_ready();
    int number = wait_for_stop(set, reload, daemon);
    notify_stopping();
    log_event(DAEMON_STOPPING, LOG_CSTR("signal", strsignal(number)));
    pthread_t watchdog;
    if (pthread_create(&watchdog, NULL, watch_stop, NULL) == 0)
        pthread_detach(watchdog);
    data_dir_retract(arena, config->data_dir);
    daemon_stop(daemon);
    log_event(DAEMON_STOPPED, LOG_CSTR("dataDir", config->data_dir));
    close(lock_fd);
    return 0;
}

/* --check-config and --print-config. */
static int check_config(struct arena *arena, int argc, char **argv)
{
    struct config config;
    const struct slice *problems;
    struct strbuf text = STRBUF_ARENA(arena);
    size_t count = config_read(arena, argc, argv, &config, &problems);
    if (!count)
        count = config_check_files(arena, &config, &problems);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "emberd: %.*s\n", SLICE_ARG(problems[i]));
    if (config.print_config && !count) {
        config_write_values(&text, &config);
        fputs(text.ptr, stdout);
    } else if (!count) {
        printf("The configuration is good (%s%s).\n", config.file ? "file " : "there is no file", config.file ? config.file : "");
    }
    return fflush(stdout) == 0 && !count ? 0 : 1;
}

int main(int argc, char **argv)
{
    fd_hold_standard();
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct config config;
    const struct slice *problems;
    struct err *e = config_parse(arena, argc, argv, &config);
    if (config.check_config || config.print_config) {
        err_free(e);
        return check_config(arena, argc, argv);
    }
    if (e)
        return fail(e) + 1;
    if (config.help) {
        struct strbuf text = STRBUF_ARENA(arena);
        config_write_help(&text);
        fputs(text.ptr, stdout);
        return 0;
    }
    if (config.version) {
        puts("emberd " EMBER_VERSION);
        return 0;
    }
    if (config_check_files(arena, &config, &problems))
        return fail(err_new(ERR_INVALID, "%.*s", SLICE_ARG(problems[0])));
    log_set_level(config.log_level);
    umask(077); /* ember-run has its own: pods read what it makes */
    sigset_t set = block_signals();
    raise_file_limit();
    struct reload *reload = reload_new(argc, argv, &config);
    int status = serve(arena, &config, reload, &set);
    reload_free(reload);
    return status;
}
