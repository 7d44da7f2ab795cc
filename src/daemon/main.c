/* emberd: the daemon. Options, the data directory, the parts (wiring.c), then it waits for a signal to stop. */
#include "base/arena.h"
#include "base/log.h"
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
    fflush(stdout);
}

static void *watch_stop(void *unused)
{
    (void)unused;
    sleep(STOP_LIMIT_S);
    log_event(DAEMON_STOP_LATE, LOG_INT("limitSeconds", STOP_LIMIT_S));
    _exit(3);
}

/* SIGHUP is for later (reading the configuration again) and must not end the daemon. */
static int wait_for_stop(const sigset_t *set)
{
    int number = 0;
    while (sigwait(set, &number) != 0 || number == SIGHUP)
        ;
    return number;
}

static int serve(struct arena *arena, const struct config *config, const sigset_t *set)
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
    e = data_dir_announce(arena, config->data_dir, daemon_endpoint(daemon));
    if (e) {
        daemon_stop(daemon);
        return fail(e);
    }
    greet(config, &installation, daemon_endpoint(daemon));
    log_event(DAEMON_STARTED, LOG_SLICE("listen", daemon_endpoint(daemon)), LOG_CSTR("dataDir", config->data_dir));
    int number = wait_for_stop(set);
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

int main(int argc, char **argv)
{
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    struct config config;
    struct err *e = config_parse(arena, argc, argv, &config);
    if (e)
        return fail(e) + 1;
    if (config.help) {
        config_print_help();
        return 0;
    }
    if (config.version) {
        puts("emberd " EMBER_VERSION);
        return 0;
    }
    const char *level = getenv("EMBER_LOG");
    if (level && strcmp(level, "debug") == 0)
        log_set_level(LOG_DEBUG);
    umask(022);
    sigset_t set = block_signals();
    raise_file_limit();
    return serve(arena, &config, &set);
}
