/* cluster_demo: serves one embedded cluster alone, for trials with kubectl and for the conformance replay. Not installed.
 *     cluster_demo DATA_DIR [--runner PATH] [--releases DIR]
 * Writes DATA_DIR/kubeconfig, prints its path, serves until SIGINT or SIGTERM. Data is kept: start it again on the same directory. */
#include "base/arena.h"
#include "base/fd.h"
#include "cluster/cluster.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int complain(struct err *e)
{
    fprintf(stderr, "cluster_demo: %.*s\n", SLICE_ARG(err_message(e)));
    err_free(e);
    return 1;
}

static struct err *prepare(struct clusters *clusters, struct arena *arena, struct slice data_dir)
{
    struct cluster_spec spec = {.name = S("local"), .node_count = 1};
    struct err *e = cluster_create(clusters, &spec);
    if (e && e->kind != ERR_CONFLICT)
        return e;
    err_free(e);
    struct slice yaml;
    TRY(cluster_kubeconfig(clusters, arena, S("local"), &yaml));
    struct slice path = slice_fmt(arena, "%.*s/kubeconfig", SLICE_ARG(data_dir));
    TRY(file_write_atomic(path.ptr, yaml, 0600));
    printf("%s\n", path.ptr);
    fflush(stdout);
    return NULL;
}

int main(int argc, char **argv)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (argc < 2) {
        fprintf(stderr, "usage: cluster_demo DATA_DIR [--runner PATH] [--releases DIR]\n");
        return 2;
    }
    struct clusters_options options = {.data_dir = slice_from_cstr(argv[1]), .runner_path = "/nonexistent/ember-run", .releases_dir = S("/nonexistent")};
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--runner") == 0)
            options.runner_path = argv[i + 1];
        else if (strcmp(argv[i], "--releases") == 0)
            options.releases_dir = slice_from_cstr(argv[i + 1]);
    }
    struct arena *arena = arena_new();
    struct clusters *clusters = NULL;
    struct err *e = clusters_open(&options, &clusters);
    if (!e)
        e = prepare(clusters, arena, options.data_dir);
    if (!e) {
        int number;
        sigwait(&signals, &number);
    }
    clusters_close(clusters);
    arena_free(arena);
    return e ? complain(e) : 0;
}
