#include "http/message.h"
#include "base/arena.h"
#include "base/encode.h"

struct slice http_header_get(struct http_headers headers, struct slice name)
{
    for (size_t i = 0; i < headers.count; i++)
        if (slice_eq_nocase(headers.items[i].name, name))
            return headers.items[i].value;
    return SLICE_NONE;
}

static const struct {
    int status;
    const char *text;
} status_texts[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Entity"},
    {424, "Failed Dependency"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(status_texts); i++)
        if (status_texts[i].status == status)
            return status_texts[i].text;
    return "Unknown";
}

struct slice http_query_get(struct arena *arena, struct slice query, struct slice name)
{
    struct slice rest = query;
    while (rest.ptr) {
        struct slice part = slice_cut(&rest, '&');
        struct slice key = slice_cut(&part, '=');
        if (!slice_eq(uri_decode(arena, key, URI_PLUS_IS_SPACE), name))
            continue;
        struct slice value = part.ptr ? uri_decode(arena, part, URI_PLUS_IS_SPACE) : S("");
        return value.ptr ? value : S("");
    }
    return SLICE_NONE;
}
