/* client: signed requests to Ember's services as any AWS client makes them. One thread. Answers live in the arena that
 * is given with each call. Errors: ERR_NOT_FOUND for what does not exist, ERR_DENIED, ERR_UNAVAILABLE (nobody answers,
 * 5xx, throttling: may be tried again), ERR_CONFLICT for every other refusal; the message is one sentence with the
 * service's words. */
#pragma once
#include "base/json.h"
#include "cli/command.h"
#include "http/client.h"

struct client {
    struct command *command;
    struct access access;
    struct http_client *http;
    volatile bool stop; /* true ends calls with ERR_UNAVAILABLE */
};

/* Finds the daemon; does not call it. */
struct err *client_open(struct command *command, struct client *ret_client) NODISCARD;
/* Looks again where the daemon is: it may have come back elsewhere. Errors are left for the next call to find. */
void client_look_again(struct client *client);
void client_close(struct client *client);

/* emr-containers: path from /virtualclusters on, its parts encoded; query without '?', absent: none; input NULL: no
 * body. */
struct err *client_emr(struct client *client, struct arena *arena, struct slice method, struct slice path,
                       struct slice query, const struct json *input, struct json **ret_output) NODISCARD;
struct err *client_logs(struct client *client, struct arena *arena, const char *operation, const struct json *input,
                        struct json **ret_output) NODISCARD;
struct s3_call {
    struct slice method, bucket, key; /* key absent: the bucket itself; both raw */
    struct slice query;               /* absent: none */
    struct slice etag;                /* GET: only when it is another; absent: always */
    struct slice body;
};
/* ret_response->status 304: it is that one still. */
struct err *client_s3(struct client *client, struct arena *arena, const struct s3_call *call,
                      struct http_response *ret_response) NODISCARD;
