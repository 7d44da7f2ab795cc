#include "cluster/apiserver/server.h"
#include "base/digest.h"
#include "cluster/apiserver/garbage.h"
#include "cluster/apiserver/logs.h"
#include "cluster/apiserver/namespaces.h"
#include "cluster/apiserver/server_internal.h"
#include "cluster/apiserver/watch_hub.h"
#include <stdlib.h>
#include <string.h>

enum { STOP_GRACE_MS = 2000 };

static char *own(struct slice text)
{
    char *copy = xmalloc(text.len + 1);
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return copy;
}

static void server_free(struct apiserver *server)
{
    free((void *)(uintptr_t)server->options.ca_pem.ptr);
    free((void *)(uintptr_t)server->options.pods_dir.ptr);
    free(server->address_port);
    free(server);
}

void apiserver_stop(struct apiserver *server)
{
    if (!server)
        return;
    http_server_stop(server->http, STOP_GRACE_MS);
    controllers_stop(server->controllers);
    log_follower_stop(server->follower);
    watch_hub_stop(server->hub);
    server_free(server);
}

static struct err *start_parts(struct apiserver *server)
{
    const struct apiserver_options *options = &server->options;
    TRY(namespaces_bootstrap(server->registry, options->ca_pem, slice_from_cstr(options->address), options->port));
    TRY(watch_hub_start(server->registry, &server->hub));
    TRY(log_follower_start(&server->follower));
    TRY(controllers_start(server->registry, &server->controllers));
    struct http_server_options http = {
        .address = options->address,
        .port = (uint16_t)options->port,
        .handler = rest_serve,
        .ctx = server,
        .worker_count = 8,
        .name = "apiserver",
        .tls_cert_path = options->tls_cert_path,
        .tls_key_path = options->tls_key_path,
        .client_ca_path = options->client_ca_path,
    };
    return http_server_start(&http, &server->http);
}

struct err *apiserver_start(const struct apiserver_options *options, struct apiserver **ret_server)
{
    struct apiserver *server = xcalloc(1, sizeof(*server));
    struct arena *arena = arena_new();
    server->options = *options;
    server->options.ca_pem = slice_of(own(options->ca_pem), options->ca_pem.len);
    server->options.pods_dir = slice_of(own(options->pods_dir), options->pods_dir.len);
    server->registry = options->registry;
    server->tokens = options->tokens;
    server->address_port = own(slice_fmt(arena, "%s:%d", options->address, options->port));
    unsigned start;
    random_bytes(&start, sizeof(start));
    atomic_init(&server->next_service_ip, start % 4096);
    arena_free(arena);

    struct err *e = start_parts(server);
    if (e) {
        if (server->http)
            http_server_stop(server->http, 0);
        controllers_stop(server->controllers);
        log_follower_stop(server->follower);
        watch_hub_stop(server->hub);
        server_free(server);
        return err_wrap(e, "while starting the API server on %s port %d", options->address, options->port);
    }
    *ret_server = server;
    return NULL;
}
