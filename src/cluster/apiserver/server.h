/* server: the API server of one cluster: REST over TLS on the registry, with the controllers that Kubernetes runs beside it
 * (namespaces, garbage collection). Threads: those of http/server.h, the watch hub's timer, the log follower, the controllers'. */
#pragma once
#include "base/err.h"
#include "cluster/apiserver/authn.h"

struct apiserver;
struct registry;
struct tokens;

struct apiserver_options {
    struct registry *registry;   /* borrowed */
    struct tokens *tokens;       /* borrowed */
    const char *address;         /* 127.N.0.1 */
    int port;
    int network;                 /* N */
    const char *tls_cert_path, *tls_key_path, *client_ca_path;
    struct slice ca_pem;         /* for kube-root-ca.crt */
    struct slice pods_dir;       /* where the kubelet keeps logs */
    authn_token_fn authn_token;  /* may be NULL */
    void *authn_ctx;
};

/* Makes what every cluster has (namespaces, the kubernetes Service), starts controllers and serves. ERR_CONFLICT: the port is
 * taken. The options are copied. */
struct err *apiserver_start(const struct apiserver_options *options, struct apiserver **ret_server) NODISCARD;
/* Ends watches and log follows, stops the controllers. NULL is fine. */
void apiserver_stop(struct apiserver *server);
