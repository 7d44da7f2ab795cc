/* collect: the families of /metrics that are not the edge's: the HTTP servers, databases, job runs, events of the log, the process. Reads
 * what others counted; called by any thread. */
#pragma once

struct access_log;
struct http_server;
struct reconciler;
struct store;
struct strbuf;
struct webhook;

struct collect_sources {
    struct http_server *server, *internal_server; /* internal_server may be NULL */
    struct store *store;
    struct reconciler *reconciler;
    struct access_log *access_log;
    struct webhook *webhook;
};

void collect_metrics(const struct collect_sources *sources, struct strbuf *out);
