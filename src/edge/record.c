/* record: see the header. A line is made in memory of its own and appended by one write to a file that was opened with O_APPEND, so
 * that lines of several threads never mix and a killed process leaves at most its last line broken. */
#include "edge/record.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/json.h"
#include "http/server.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_REQUEST_BYTES (64 << 10)
#define MAX_ANSWER_BYTES (1 << 20)
#define MAX_FILE_BYTES (96LL << 20) /* then no more is recorded: loads of a test are alike */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int file = -1;
static atomic_llong file_bytes;

static void open_file(void)
{
    const char *folder = getenv("EMBER_RECORD");
    char path[4096];
    if (!folder || !*folder)
        return;
    int len = snprintf(path, sizeof(path), "%s/%ld-%lld.jsonl", folder, (long)getpid(), (long long)instant_now().ms);
    if (len > 0 && (size_t)len < sizeof(path))
        file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* The text with what stands between a mark and the next of the bytes in until replaced by stars, at every place. */
static struct slice strike(struct arena *arena, struct slice text, struct slice mark, const char *until)
{
    struct slice rest = text;
    struct strbuf out = STRBUF_ARENA(arena);
    ptrdiff_t at;
    while ((at = slice_find(rest, mark)) >= 0) {
        size_t end = (size_t)at + mark.len;
        strbuf_append(&out, slice_sub(rest, 0, end));
        strbuf_append_cstr(&out, "***");
        while (end < rest.len && slice_index(slice_from_cstr(until), rest.ptr[end]) < 0)
            end++;
        rest = slice_from(rest, end);
    }
    strbuf_append(&out, rest);
    return strbuf_slice(&out);
}

static struct slice strike_body(struct arena *arena, struct slice text)
{
    static const char *const names[] = {"SecretAccessKey", "secretAccessKey", "SessionToken", "sessionToken", "WebIdentityToken", "Token"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct {
            const char *open, *close, *until;
        } forms[] = {{"<", ">", "<"}, {"\"", "\":\"", "\""}, {"\"", "\": \"", "\""}, {"&", "=", "&"}};
        for (size_t k = 0; k < ARRAY_SIZE(forms); k++) {
            struct slice before = slice_fmt(arena, "%s%s%s", forms[k].open, names[i], forms[k].close);
            if (slice_find(text, before) >= 0)
                text = strike(arena, text, before, forms[k].until);
        }
    }
    return text;
}

static struct slice strike_query(struct arena *arena, struct slice query)
{
    static const char *const names[] = {"X-Amz-Signature=", "X-Amz-Security-Token=", "Signature="};
    for (size_t i = 0; query.ptr && i < ARRAY_SIZE(names); i++)
        if (slice_find(query, slice_from_cstr(names[i])) >= 0)
            query = strike(arena, query, slice_from_cstr(names[i]), "&");
    return query;
}

static struct slice strike_header(struct arena *arena, struct slice name, struct slice value)
{
    if (slice_eq_nocase(name, S("x-amz-security-token")))
        return S("***");
    if (slice_eq_nocase(name, S("authorization")))
        return slice_starts_with(value, S("AWS4-")) ? strike(arena, value, S("Signature="), ", ") : S("***");
    return value;
}

/* Bytes that are no text go as base64 under another name. */
static void set_bytes(struct arena *arena, struct json *line, const char *name, struct slice bytes, size_t max_bytes)
{
    if (!bytes.ptr)
        return;
    if (bytes.len > max_bytes) {
        json_set_i64(arena, line, slice_fmt(arena, "%sBytes", name).ptr, (int64_t)bytes.len);
        bytes = slice_sub(bytes, 0, max_bytes);
        json_set_bool(arena, line, slice_fmt(arena, "%sCut", name).ptr, true);
    }
    if (slice_is_utf8(bytes))
        json_set_text(arena, line, name, strike_body(arena, bytes));
    else
        json_set_text(arena, line, slice_fmt(arena, "%sBase64", name).ptr, base64_encode(arena, bytes));
}

/* [["Name", "value"], …]: a name may come twice. */
static void add_header(struct arena *arena, struct json *list, struct slice name, struct slice value)
{
    struct json *pair = json_array(arena);
    json_append(pair, json_string(arena, name));
    json_append(pair, json_string(arena, strike_header(arena, name, value.ptr ? value : S(""))));
    json_append(list, pair);
}

static void write_line(const struct strbuf *line)
{
    if (atomic_fetch_add(&file_bytes, (long long)line->len) > MAX_FILE_BYTES)
        return;
    ssize_t written = write(file, line->ptr, line->len);
    (void)written; /* a full disk costs the record, not the request */
}

void edge_record(const struct exchange *exchange)
{
    pthread_once(&once, open_file);
    if (file < 0)
        return;
    _cleanup_(arena_freep) struct arena *arena = arena_new();
    const struct http_request *http = exchange->http;
    struct json *line = json_object(arena), *sent = json_array(arena), *told = json_array(arena);
    json_set_text(arena, line, "service", exchange->service);
    if (exchange->operation.ptr)
        json_set_text(arena, line, "operation", exchange->operation);
    if (exchange->principal.ptr)
        json_set_text(arena, line, "principal", exchange->principal);
    json_set_text(arena, line, "method", http->method);
    json_set_text(arena, line, "path", http->path);
    if (http->query.ptr)
        json_set_text(arena, line, "query", strike_query(arena, http->query));
    for (size_t i = 0; i < http->headers.count; i++)
        add_header(arena, sent, http->headers.items[i].name, http->headers.items[i].value);
    JSON_SET(arena, line, "requestHeaders", sent);
    set_bytes(arena, line, "requestBody", exchange->request_body, MAX_REQUEST_BYTES);
    json_set_i64(arena, line, "status", exchange->status);
    for (size_t i = 0; i < exchange->header_count; i++)
        add_header(arena, told, exchange->headers[i].name, exchange->headers[i].value);
    JSON_SET(arena, line, "headers", told);
    set_bytes(arena, line, "body", exchange->body, MAX_ANSWER_BYTES);
    if (exchange->streamed)
        json_set_bool(arena, line, "streamed", true);
    struct strbuf text = STRBUF_ARENA(arena);
    json_write(&text, line);
    strbuf_append_char(&text, '\n');
    write_line(&text);
}
