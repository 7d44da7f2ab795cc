/* http_response_fuzz: the bytes are what a server on loopback answers to our client: it gives up, or has a status, headers and a body no
 * longer than what came; and the errors of S3, Logs and Kubernetes in it are read. */
#include "base/fd.h"
#include "fuzz.h"
#include "http/client.h"
#include "logship/sinks.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 16384 };

static int listen_fd;
static pthread_mutex_t answer_lock = PTHREAD_MUTEX_INITIALIZER;
static char answer[ANSWER_MAX]; /* under the lock, with its length: the client may leave before it was sent */
static size_t answer_len;

static void *serve(void *arg)
{
    (void)arg;
    for (;;) {
        char copy[ANSWER_MAX];
        int fd = accept(listen_fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        char head[4096];
        ssize_t got = read(fd, head, sizeof(head)); /* the client sends its head in one piece */
        pthread_mutex_lock(&answer_lock);
        size_t len = answer_len;
        memcpy(copy, answer, len);
        pthread_mutex_unlock(&answer_lock);
        if (got > 0 && len)
            (void)!send(fd, copy, len, MSG_NOSIGNAL);
        close(fd);
    }
}

static struct slice endpoint_start(void)
{
    static char text[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    pthread_t thread;
    listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ENSURE(bind(listen_fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listen_fd, 16) == 0);
    ENSURE(getsockname(listen_fd, (struct sockaddr *)&address, &len) == 0);
    ENSURE(pthread_create(&thread, NULL, serve, NULL) == 0);
    pthread_detach(thread);
    snprintf(text, sizeof(text), "http://127.0.0.1:%d", ntohs(address.sin_port));
    return slice_from_cstr(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_client *client;
    static struct sinks sinks;
    if (!client) {
        ENSURE(!http_client_new(&(struct http_client_options){0}, &client));
        sinks = (struct sinks){.client = client, .endpoint = endpoint_start(), .region = S("us-east-1")};
    }
    if (size > ANSWER_MAX)
        return 0;
    struct arena *arena = arena_new();
    pthread_mutex_lock(&answer_lock);
    if (size)
        memcpy(answer, data, size);
    answer_len = size;
    pthread_mutex_unlock(&answer_lock);
    struct http_response response;
    struct err *e = http_client_call(
        client, arena, &(struct http_call){.method = S("GET"), .url = sinks.endpoint, .timeout_ms = 2000, .max_body_bytes = 65536}, &response);
    if (!e)
        ENSURE(response.status >= 100 && response.status <= 999 && response.body.len <= size && response.headers.count <= 200);
    err_free(e);
    struct sigv4_credentials credentials = {.access_key_id = S("A"), .secret = S("s")};
    struct sink_caller caller = {.arena = arena, .sinks = &sinks, .credentials = &credentials};
    err_free(sink_put_object(&caller, S("s3://b/p"), &(struct sink_object){.key = S("k"), .content_type = S("text/plain"), .body = S("")}));
    struct log_line *lines;
    size_t count = 0;
    e = sink_last_events(&caller, S("g"), S("s"), 10, &lines, &count);
    for (size_t i = 0; !e && i < count; i++)
        ENSURE(lines[i].message.len <= size);
    err_free(e);
    arena_free(arena);
    return 0;
}
