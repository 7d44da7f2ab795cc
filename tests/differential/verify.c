/* verify: the real edge behind the real HTTP server, with keys and a clock that the test chooses and with operations that do
 * nothing: whoever reads "x-ember-verdict: accepted" in an answer knows that the request's head, signature, body and members
 * passed everything that stands before an operation. So requests that other SDKs signed long ago are judged by the code that
 * judges today's.
 *
 *   verify DATA_DIR KEY_ID SECRET
 *
 * prints the port, then obeys lines on its standard input, each answered with "ok": "clock MILLISECONDS" sets the time. It ends
 * with its input. Session keys are read from DATA_DIR/ember.db, where the test puts them. The clock and the operations are
 * replaced by the linker (--wrap); nothing in Ember knows of this program. */
#include "base/arena.h"
#include "base/log.h"
#include "edge/edge.h"
#include "services/call.h"
#include "store/store.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct instant __real_instant_now(void);
struct instant __wrap_instant_now(void);
service_function __wrap_service_function_of(const struct aws_operation *operation);

static _Atomic int64_t clock_ms; /* 0: the machine's own */

struct instant __wrap_instant_now(void)
{
    int64_t ms = atomic_load(&clock_ms);
    return ms ? (struct instant){ms} : __real_instant_now();
}

/* Stands for every operation: takes the body to its end, where its last checks are, and says that all was well. */
static struct err *accept_call(struct call *call, const void *in, void *out)
{
    char buf[16384];
    size_t len = 1;
    while (call->body_read && len)
        TRY(call->body_read(call, buf, sizeof(buf), &len));
    const struct http_header headers[] = {{.name = S("x-ember-verdict"), .value = S("accepted")},
                                          {.name = S("x-ember-operation"), .value = call->operation->name},
                                          {.name = S("x-ember-principal"), .value = call->principal.arn}};
    http_respond(call->http, 200, headers, ARRAY_SIZE(headers), S(""));
    return NULL;
}

service_function __wrap_service_function_of(const struct aws_operation *operation)
{
    return accept_call;
}

static void fail(struct err *e)
{
    fprintf(stderr, "verify: %s\n", e->message);
    err_free(e);
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: verify DATA_DIR KEY_ID SECRET\n");
        return 2;
    }
    struct arena *arena = arena_new();
    struct store *store;
    struct err *e = store_open(slice_cstr(arena, slice_fmt(arena, "%s/ember.db", argv[1])), &store);
    if (e)
        fail(e);
    struct edge *edge = edge_new(&(struct edge_options){
        .account_id = S("111122223333"),
        .region = S("us-east-1"),
        .root_access_key_id = slice_from_cstr(argv[2]),
        .root_secret = slice_from_cstr(argv[3]),
        .store = store,
    });
    struct parts parts = {.store = store, .account_id = S("111122223333"), .region = S("us-east-1")};
    edge_open(edge, &parts);
    struct http_server *server;
    e = http_server_start(&(struct http_server_options){.address = "127.0.0.1", .handler = edge_handle, .ctx = edge}, &server);
    if (e)
        fail(e);
    printf("%u\n", (unsigned)http_server_port(server));
    fflush(stdout);

    char line[256];
    while (fgets(line, sizeof(line), stdin)) {
        int64_t ms;
        if (strncmp(line, "clock ", 6) != 0 || !slice_to_i64(slice_trim(slice_from_cstr(line + 6)), 0, INT64_MAX, &ms)) {
            fprintf(stderr, "verify: cannot read the line %s", line);
            return 2;
        }
        atomic_store(&clock_ms, ms);
        puts("ok");
        fflush(stdout);
    }
    http_server_stop(server, 1000);
    edge_free(edge);
    store_close(store);
    arena_free(arena);
    return 0;
}
