/* server_internal: what the parts of the API server share. Immutable after apiserver_start but where it says otherwise. */
#pragma once
#include "cluster/apiserver/server.h"
#include "http/server.h"
#include <stdatomic.h>

struct watch_hub;
struct log_follower;
struct controllers;

struct apiserver {
    struct apiserver_options options;
    struct registry *registry;
    struct tokens *tokens;
    struct http_server *http;
    struct watch_hub *hub;
    struct log_follower *follower;
    struct controllers *controllers;
    char *address_port; /* "127.16.0.1:6443" */
    atomic_uint next_service_ip;
};

/* rest.c: the handler; ctx is the apiserver. */
void rest_serve(struct http_request *request, void *ctx);
