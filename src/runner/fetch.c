#include "runner/fetch.h"

#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/encode.h"
#include "base/fd.h"
#include "http/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FETCH_TIMEOUT_MS 60000 /* longest silence */
#define FETCH_ATTEMPTS 3
#define FETCH_MAX_BYTES (5ULL * 1024 * 1024 * 1024)

struct source {
    struct slice bucket, key, name;
};

struct fetcher {
    struct arena *arena;
    struct http_client *client;
    struct slice scheme, host, region; /* host with its port */
    bool path_style;
    struct sigv4_credentials credentials;
    struct slice dir;
};

bool fetch_is_needed(const struct run_container *container)
{
    return run_container_env(container, S("EMBER_ENTRY_POINT_URI")).len > 0 || run_container_env(container, S("EMBER_FETCH")).len > 0;
}

/* ---- what and from where ---- */

static bool name_is_clean(struct slice name)
{
    struct slice rest = name;
    if (!name.len || name.ptr[0] == '/' || name.ptr[name.len - 1] == '/')
        return false;
    while (rest.ptr) {
        struct slice part = slice_cut(&rest, '/');
        if (!part.len || slice_eq(part, S("..")) || slice_eq(part, S(".")))
            return false;
    }
    return true;
}

/* name absent: the last part of the key. */
static struct err *source_parse(struct slice uri, struct slice name, struct source *ret_source)
{
    struct slice rest = SLICE_NONE;
    static const char *const schemes[] = {"s3://", "s3a://", "s3n://"};
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
        if (slice_starts_with(uri, slice_from_cstr(schemes[i])))
            rest = slice_from(uri, slice_from_cstr(schemes[i]).len);
    struct source source;
    if (!rest.ptr || !slice_split(rest, '/', &source.bucket, &source.key) || !source.bucket.len || !source.key.len)
        return err_new(ERR_INVALID, "%.*s is not s3://BUCKET/KEY", SLICE_ARG(uri));
    source.name = name.ptr ? name : slice_from(source.key, (size_t)(slice_rindex(source.key, '/') + 1));
    if (!name_is_clean(source.name))
        return err_new(ERR_INVALID, "%.*s has no file name", SLICE_ARG(uri));
    *ret_source = source;
    return NULL;
}

static struct err *open_fetcher(struct arena *arena, const struct run_container *container, struct slice dir, struct fetcher *ret_fetcher)
{
    struct fetcher f = {.arena = arena, .dir = dir, .scheme = S("https"), .path_style = true};
    struct slice endpoint = run_container_env(container, S("AWS_ENDPOINT_URL_S3"));
    if (!endpoint.len)
        endpoint = run_container_env(container, S("AWS_ENDPOINT_URL"));
    f.region = run_container_env(container, S("AWS_REGION"));
    if (!f.region.len)
        f.region = run_container_env(container, S("AWS_DEFAULT_REGION"));
    if (!f.region.len)
        f.region = S("us-east-1");
    if (endpoint.len) {
        ptrdiff_t at = slice_find(endpoint, S("://"));
        if (at < 0)
            return err_new(ERR_INVALID, "AWS_ENDPOINT_URL %.*s is no URL", SLICE_ARG(endpoint));
        f.scheme = slice_sub(endpoint, 0, (size_t)at);
        f.host = slice_from(endpoint, (size_t)at + 3);
        while (f.host.len && f.host.ptr[f.host.len - 1] == '/')
            f.host.len--;
    } else {
        f.path_style = false;
        f.host = slice_fmt(arena, "s3.%.*s.amazonaws.com", SLICE_ARG(f.region));
    }
    f.credentials = (struct sigv4_credentials){
        .access_key_id = run_container_env(container, S("AWS_ACCESS_KEY_ID")),
        .secret = run_container_env(container, S("AWS_SECRET_ACCESS_KEY")),
        .session_token = run_container_env(container, S("AWS_SESSION_TOKEN")),
    };
    struct slice ca = run_container_env(container, S("AWS_CA_BUNDLE"));
    struct http_client_options options = {.ca_path = ca.len ? slice_cstr(arena, ca) : NULL};
    TRY(http_client_new(&options, &f.client));
    *ret_fetcher = f;
    return NULL;
}

/* ---- one object ---- */

struct sink {
    int fd;
    unsigned long long size;
};

static struct err *write_body(void *ctx, struct slice data)
{
    struct sink *sink = ctx;
    sink->size += data.len;
    if (sink->size > FETCH_MAX_BYTES)
        return err_new(ERR_LIMIT, "the object is larger than %llu bytes", FETCH_MAX_BYTES);
    return fd_write_all(sink->fd, data);
}

/* <Code>NoSuchKey</Code> of an S3 error document. */
static struct slice element(struct slice xml, struct slice open, struct slice close)
{
    ptrdiff_t from = slice_find(xml, open);
    if (from < 0)
        return SLICE_NONE;
    struct slice rest = slice_from(xml, (size_t)from + open.len);
    ptrdiff_t to = slice_find(rest, close);
    return to < 0 ? SLICE_NONE : slice_sub(rest, 0, (size_t)to);
}

static struct err *get_object(struct fetcher *f, const struct source *source, int fd)
{
    struct arena *arena = f->arena;
    struct slice key = uri_encode(arena, source->key, URI_KEEP_SLASH);
    struct slice host = f->path_style ? f->host : slice_fmt(arena, "%.*s.%.*s", SLICE_ARG(source->bucket), SLICE_ARG(f->host));
    struct slice path = f->path_style ? slice_fmt(arena, "/%.*s/%.*s", SLICE_ARG(source->bucket), SLICE_ARG(key))
                                      : slice_fmt(arena, "/%.*s", SLICE_ARG(key));
    struct sink sink = {.fd = fd};
    struct http_call call = {
        .method = S("GET"),
        .url = slice_fmt(arena, "%.*s://%.*s%.*s", SLICE_ARG(f->scheme), SLICE_ARG(host), SLICE_ARG(path)),
        .timeout_ms = FETCH_TIMEOUT_MS,
        .sink = write_body,
        .sink_ctx = &sink,
    };
    if (f->credentials.access_key_id.len) { /* without: as anonymous */
        struct sigv4_request request = {.method = call.method, .host = host, .path = path, .region = f->region, .service = S("s3"), .body = S("")};
        struct aws_headers headers = aws_sign_request(arena, &request, &f->credentials, instant_now());
        struct http_header *items = ARENA_ARRAY(arena, headers.count + 1, struct http_header);
        for (size_t i = 0; i < headers.count; i++)
            items[i] = (struct http_header){headers.items[i].name, headers.items[i].value};
        call.headers = items;
        call.header_count = headers.count;
    }
    struct http_response response;
    TRY(http_client_call(f->client, arena, &call, &response));
    if (response.status == 200)
        return NULL;
    struct slice code = element(response.body, S("<Code>"), S("</Code>"));
    struct slice message = element(response.body, S("<Message>"), S("</Message>"));
    return err_new(response.status >= 500 ? ERR_UNAVAILABLE : ERR_DENIED, "%.*s (HTTP %d)%s%.*s", SLICE_ARG(code.len ? code : S("Error")),
                   response.status, message.len ? ": " : "", SLICE_ARG(message));
}

static struct err *fetch_one(struct fetcher *f, const struct source *source)
{
    struct slice path = slice_fmt(f->arena, "%.*s/%.*s", SLICE_ARG(f->dir), SLICE_ARG(source->name));
    ptrdiff_t slash = slice_rindex(path, '/');
    TRY(dir_make(slice_cstr(f->arena, slice_sub(path, 0, (size_t)slash)), 0755));
    _cleanup_(fd_closep) int fd = open(path.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_errno(errno, "cannot write %.*s", SLICE_ARG(source->name));
    for (int attempt = 1;; attempt++) {
        struct err *e = get_object(f, source, fd);
        if (!e || e->kind != ERR_UNAVAILABLE || attempt == FETCH_ATTEMPTS)
            return e;
        err_free(e);
        if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
            return err_errno(errno, "cannot rewind %.*s", SLICE_ARG(source->name));
        usleep(500000 * (unsigned)attempt); /* S3's own advice: back off */
    }
}

static struct err *fetch_uri(struct fetcher *f, struct slice uri, struct slice name)
{
    struct source source;
    TRY(source_parse(slice_trim(uri), name, &source));
    return err_wrap(fetch_one(f, &source), "cannot download s3://%.*s/%.*s", SLICE_ARG(source.bucket), SLICE_ARG(source.key));
}

static struct err *fetch_all(const struct run_container *container, struct slice dir, struct arena *arena)
{
    struct fetcher f;
    struct slice lines = run_container_env(container, S("EMBER_FETCH")), entry = run_container_env(container, S("EMBER_ENTRY_POINT_URI"));
    TRY(open_fetcher(arena, container, dir, &f));
    if (entry.len)
        TRY(fetch_uri(&f, entry, SLICE_NONE));
    while (lines.ptr) {
        struct slice line = slice_trim(slice_cut(&lines, '\n'));
        if (!line.len)
            continue;
        /* Keys may have '=' in them, names here do not. */
        ptrdiff_t at = slice_rindex(line, '=');
        TRY(at < 0 ? fetch_uri(&f, line, SLICE_NONE) : fetch_uri(&f, slice_sub(line, 0, (size_t)at), slice_from(line, (size_t)at + 1)));
    }
    http_client_free(f.client);
    return NULL;
}

int fetch_entry_points(const struct run_container *container, struct slice dir)
{
    struct arena *arena = arena_new();
    struct err *e = fetch_all(container, dir, arena);
    if (e)
        fprintf(stderr, "ember: %.*s\n", SLICE_ARG(err_message(e)));
    int code = e ? 1 : 0;
    err_free(e);
    arena_free(arena);
    return code;
}
