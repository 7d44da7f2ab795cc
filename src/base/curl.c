/* curl: see curl.h. What is pooled are multi handles: they hold the connections, and unlike curl_easy_perform their loop lets us look at the
 * stop flag and the silence limit often. Each call has an easy handle of its own, since one that is used again remembers its last answer's
 * headers after they are freed (libcurl 7.88; client_test shows it). */
#include "base/curl.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/mutex.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { IDLE_HANDLES_MAX = 32, STOP_POLL_MS = 200 };

struct handle {
    CURL *easy; /* NULL while pooled */
    CURLM *multi;
    struct handle *next;
};

struct curl_pool {
    char *ca_path, *client_cert_path, *client_key_path;
    char *ca_pem, *client_cert_pem, *client_key_pem; /* owned; lengths below */
    size_t ca_pem_len, client_cert_pem_len, client_key_pem_len;
    bool skip_verify;
    int connect_timeout_ms;
    struct mutex lock; /* guards idle, idle_count */
    struct handle *idle;
    int idle_count;
};

struct transfer {
    const struct curl_call *call;
    CURL *easy;
    int64_t last_byte_at_ms;
    struct err *err; /* from a callback */
};

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void global_init(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

static char *dup_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static char *dup_bytes(struct slice s, size_t *ret_len)
{
    if (!s.ptr)
        return NULL;
    char *copy = xmalloc(s.len + 1);
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    *ret_len = s.len;
    return copy;
}

struct err *curl_pool_new(const struct curl_pool_options *options, struct curl_pool **ret_pool)
{
    pthread_once(&global_once, global_init);
    struct curl_pool *pool = xcalloc(1, sizeof(*pool));
    pool->ca_path = dup_or_null(options->ca_path);
    pool->client_cert_path = dup_or_null(options->client_cert_path);
    pool->client_key_path = dup_or_null(options->client_key_path);
    pool->ca_pem = dup_bytes(options->ca_pem, &pool->ca_pem_len);
    pool->client_cert_pem = dup_bytes(options->client_cert_pem, &pool->client_cert_pem_len);
    pool->client_key_pem = dup_bytes(options->client_key_pem, &pool->client_key_pem_len);
    pool->skip_verify = options->skip_verify;
    pool->connect_timeout_ms = options->connect_timeout_ms;
    mutex_init(&pool->lock, LOCK_CURL_POOL);
    *ret_pool = pool;
    return NULL;
}

static void handle_free(struct handle *handle)
{
    curl_multi_cleanup(handle->multi);
    free(handle);
}

void curl_pool_free(struct curl_pool *pool)
{
    if (!pool)
        return;
    while (pool->idle) {
        struct handle *handle = pool->idle;
        pool->idle = handle->next;
        handle_free(handle);
    }
    mutex_deinit(&pool->lock);
    free(pool->ca_path);
    free(pool->client_cert_path);
    free(pool->client_key_path);
    free(pool->ca_pem);
    free(pool->client_cert_pem);
    if (pool->client_key_pem)
        explicit_bzero(pool->client_key_pem, pool->client_key_pem_len);
    free(pool->client_key_pem);
    free(pool);
}

static struct handle *pool_take(struct curl_pool *pool)
{
    mutex_lock(&pool->lock);
    struct handle *handle = pool->idle;
    if (handle) {
        pool->idle = handle->next;
        pool->idle_count--;
    }
    mutex_unlock(&pool->lock);
    if (!handle) {
        handle = xcalloc(1, sizeof(*handle));
        handle->multi = curl_multi_init();
        if (!handle->multi)
            abort(); /* only for lack of memory */
        curl_multi_setopt(handle->multi, CURLMOPT_MAXCONNECTS, 4L);
    }
    handle->easy = curl_easy_init();
    if (!handle->easy)
        abort();
    return handle;
}

static void pool_give(struct curl_pool *pool, struct handle *handle)
{
    curl_easy_cleanup(handle->easy);
    handle->easy = NULL;
    mutex_lock(&pool->lock);
    bool keep = pool->idle_count < IDLE_HANDLES_MAX;
    if (keep) {
        handle->next = pool->idle;
        pool->idle = handle;
        pool->idle_count++;
    }
    mutex_unlock(&pool->lock);
    if (!keep)
        handle_free(handle);
}

static size_t transfer_head(char *data, size_t size, size_t count, void *userdata)
{
    struct transfer *transfer = userdata;
    size_t len = size * count;
    transfer->last_byte_at_ms = monotonic_ms();
    struct slice line = slice_of(data, len);
    while (line.len && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
        line.len--;
    if (line.len && !transfer->err)
        transfer->err = transfer->call->on_head_line(transfer->call->ctx, line);
    return transfer->err ? 0 : len;
}

static size_t transfer_data(char *data, size_t size, size_t count, void *userdata)
{
    struct transfer *transfer = userdata;
    size_t len = size * count;
    transfer->last_byte_at_ms = monotonic_ms();
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!transfer->err)
        transfer->err = transfer->call->on_data(transfer->call->ctx, (int)status, slice_of(data, len));
    return transfer->err ? 0 : len;
}

static void set_blob(CURL *easy, CURLoption option, char *bytes, size_t len)
{
    struct curl_blob blob = {.data = bytes, .len = len, .flags = CURL_BLOB_NOCOPY};
    curl_easy_setopt(easy, option, &blob);
}

static void set_tls(const struct curl_pool *pool, CURL *easy)
{
    if (pool->skip_verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (pool->ca_pem || pool->ca_path)
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    if (pool->ca_pem)
        set_blob(easy, CURLOPT_CAINFO_BLOB, pool->ca_pem, pool->ca_pem_len);
    else if (pool->ca_path)
        curl_easy_setopt(easy, CURLOPT_CAINFO, pool->ca_path);
    if (pool->client_cert_pem)
        set_blob(easy, CURLOPT_SSLCERT_BLOB, pool->client_cert_pem, pool->client_cert_pem_len);
    else if (pool->client_cert_path)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, pool->client_cert_path);
    if (pool->client_key_pem)
        set_blob(easy, CURLOPT_SSLKEY_BLOB, pool->client_key_pem, pool->client_key_pem_len);
    else if (pool->client_key_path)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, pool->client_key_path);
}

/* A proxy of the environment never stands before this machine itself. */
static bool url_is_loopback(const char *url)
{
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 || strncmp(host, "[::1]", 5) == 0;
}

static void set_method(CURL *easy, const struct curl_call *call)
{
    struct slice method = slice_from_cstr(call->method);
    bool wants_length = slice_eq(method, S("PUT")) || slice_eq(method, S("POST")) || slice_eq(method, S("PATCH"));
    if (call->body.ptr || wants_length) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.ptr ? call->body.ptr : "");
    } else if (slice_eq(method, S("HEAD"))) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static struct curl_slist *header_list(const struct curl_call *call)
{
    struct curl_slist *list = NULL;
    /* libcurl adds these unasked; a line without a value removes them. The caller's own come after and stay. */
    bool has_type = false, has_expect = false;
    for (size_t i = 0; i < call->header_count; i++) {
        struct slice line = slice_from_cstr(call->header_lines[i]);
        has_type = has_type || slice_starts_with_nocase(line, S("content-type:"));
        has_expect = has_expect || slice_starts_with_nocase(line, S("expect:"));
        list = curl_slist_append(list, call->header_lines[i]);
    }
    if (!has_type)
        list = curl_slist_append(list, "Content-Type:");
    if (!has_expect)
        list = curl_slist_append(list, "Expect:");
    return list;
}

static void handle_prepare(struct curl_pool *pool, struct handle *handle, struct transfer *transfer,
                           struct curl_slist *headers)
{
    CURL *easy = handle->easy;
    const struct curl_call *call = transfer->call;
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "ember");
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(pool->connect_timeout_ms ? pool->connect_timeout_ms : 5000));
    if (call->timeout_ms > 0)
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    if (url_is_loopback(call->url))
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    set_tls(pool, easy);
    set_method(easy, call);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, transfer_head);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, transfer_data);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
}

/* The URL as it may stand in a log: without its query, which can hold a signature. */
static struct slice url_shown(const char *url)
{
    return slice_of(url, strcspn(url, "?"));
}

static struct err *transfer_run(struct handle *handle, struct transfer *transfer, char *error_text)
{
    const struct curl_call *call = transfer->call;
    struct slice shown = url_shown(call->url);
    transfer->last_byte_at_ms = monotonic_ms();
    for (;;) {
        int running = 0;
        CURLMcode code = curl_multi_perform(handle->multi, &running);
        if (code != CURLM_OK)
            return err_new(ERR_INTERNAL, "%.*s: %s", SLICE_ARG(shown), curl_multi_strerror(code));
        if (transfer->err)
            return STEAL(transfer->err);
        if (!running)
            break;
        if (call->stop && __atomic_load_n(call->stop, __ATOMIC_RELAXED))
            return err_new(ERR_UNAVAILABLE, "%.*s: stopped", SLICE_ARG(shown));
        int64_t silent_ms = monotonic_ms() - transfer->last_byte_at_ms;
        if (call->silence_ms > 0 && silent_ms > call->silence_ms)
            return err_new(ERR_UNAVAILABLE, "%.*s: nothing came for %d ms", SLICE_ARG(shown), call->silence_ms);
        code = curl_multi_poll(handle->multi, NULL, 0, call->stop ? STOP_POLL_MS : 1000, NULL);
        if (code != CURLM_OK)
            return err_new(ERR_INTERNAL, "%.*s: %s", SLICE_ARG(shown), curl_multi_strerror(code));
    }
    int left = 0;
    CURLMsg *message = curl_multi_info_read(handle->multi, &left);
    CURLcode result = message && message->msg == CURLMSG_DONE ? message->data.result : CURLE_OK;
    if (result == CURLE_OK)
        return NULL;
    enum err_kind kind =
        result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL ? ERR_INVALID : ERR_UNAVAILABLE;
    return err_new(kind, "%.*s: %s", SLICE_ARG(shown), error_text[0] ? error_text : curl_easy_strerror(result));
}

struct err *curl_pool_perform(struct curl_pool *pool, const struct curl_call *call, int *ret_status)
{
    thread_may_block("a network call");
    struct handle *handle = pool_take(pool);
    struct transfer transfer = {.call = call, .easy = handle->easy};
    struct curl_slist *headers = header_list(call);
    char error_text[CURL_ERROR_SIZE] = "";
    handle_prepare(pool, handle, &transfer, headers);
    curl_easy_setopt(handle->easy, CURLOPT_ERRORBUFFER, error_text);
    curl_multi_add_handle(handle->multi, handle->easy);
    struct err *e = transfer_run(handle, &transfer, error_text);
    long status = 0;
    curl_easy_getinfo(handle->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(handle->multi, handle->easy); /* an unfinished transfer's connection is closed by this */
    pool_give(pool, handle);
    curl_slist_free_all(headers);
    err_free(transfer.err);
    if (e)
        return e;
    *ret_status = (int)status;
    return NULL;
}
