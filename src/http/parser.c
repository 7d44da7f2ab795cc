/* parser: see parser.h. Facts: RFC 9110 (fields, Host, Expect), RFC 9112 (framing, 6.3 and 11 on smuggling). */
#include "http/parser.h"
#include "base/arena.h"
#include <string.h>

#define REFUSE(status, why) \
    do {                    \
        *ret_why = (why);   \
        return (status);    \
    } while (0)

static bool is_token_char(char c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_char(s.ptr[i]))
            return false;
    return s.len > 0;
}

/* Blank lines that a client sent before its request line (RFC 9112 2.2); at most two. */
static size_t leading_blank_lines(struct slice bytes)
{
    size_t n = 0;
    while (n < 4 && n + 1 < bytes.len && bytes.ptr[n] == '\r' && bytes.ptr[n + 1] == '\n')
        n += 2;
    return n;
}

static enum http_scan scan_refuse(int status, int *ret_status)
{
    *ret_status = status;
    return HTTP_SCAN_REFUSED;
}

enum http_scan http_head_scan(struct slice bytes, size_t *scanned, size_t *ret_len, int *ret_status)
{
    size_t start = leading_blank_lines(bytes);
    if (start < bytes.len && bytes.ptr[start] != '\r' && !is_token_char(bytes.ptr[start]))
        return scan_refuse(400, ret_status); /* a TLS hello, or a head that begins with a blank */
    size_t i = *scanned > start ? *scanned : start;
    for (; i < bytes.len; i++) {
        char c = bytes.ptr[i];
        if (c == '\0')
            return scan_refuse(400, ret_status);
        if (c == '\n' && (i == 0 || bytes.ptr[i - 1] != '\r'))
            return scan_refuse(400, ret_status);
        if (c != '\n' && i > start && bytes.ptr[i - 1] == '\r')
            return scan_refuse(400, ret_status);
        if (c == '\n' && i >= start + 3 && bytes.ptr[i - 2] == '\n') {
            if (i + 1 > HTTP_HEAD_MAX_BYTES)
                return scan_refuse(431, ret_status);
            *ret_len = i + 1;
            return HTTP_SCAN_COMPLETE;
        }
        if (i >= HTTP_HEAD_MAX_BYTES)
            return scan_refuse(memchr(bytes.ptr + start, '\n', i - start) ? 431 : 414, ret_status);
    }
    *scanned = i;
    return HTTP_SCAN_MORE;
}

static bool is_host(struct slice host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || !strchr("-._~%!$&'()*+;=:[]", c)))
            return false;
    }
    return true;
}

/* target -> path and query; authority is absent but for absolute-form. */
static int parse_target(struct http_head *head, struct slice *ret_authority, const char **ret_why)
{
    struct slice target = head->target;
    *ret_authority = SLICE_NONE;
    if (target.len > HTTP_TARGET_MAX_BYTES)
        REFUSE(414, "the request target is too long");
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= 0x20 || target.ptr[i] == 0x7f || target.ptr[i] == '#')
            REFUSE(400, "the request target has a byte that must be encoded");
    struct slice rest = target;
    if (slice_eq(target, S("*"))) {
        if (!slice_eq(head->method, S("OPTIONS")))
            REFUSE(400, "the request target * is for OPTIONS");
    } else if (!slice_starts_with(target, S("/"))) {
        size_t scheme = slice_starts_with_nocase(target, S("http://"))    ? 7
                        : slice_starts_with_nocase(target, S("https://")) ? 8
                                                                          : 0;
        if (!scheme)
            REFUSE(400, "the request target is neither a path nor an absolute URL");
        rest = slice_from(target, scheme);
        size_t n = 0;
        while (n < rest.len && rest.ptr[n] != '/' && rest.ptr[n] != '?')
            n++;
        *ret_authority = slice_sub(rest, 0, n);
        if (!n || !is_host(*ret_authority))
            REFUSE(400, "the request target's host is none");
        rest = slice_from(rest, n);
    }
    ptrdiff_t mark = slice_index(rest, '?');
    head->path = mark >= 0 ? slice_sub(rest, 0, (size_t)mark) : rest;
    head->query = mark >= 0 ? slice_of(rest.ptr + mark + 1, rest.len - (size_t)mark - 1) : SLICE_NONE;
    if (!head->path.len)
        head->path = S("/");
    return 0;
}

static int parse_request_line(struct slice line, struct http_head *head, struct slice *ret_authority,
                              const char **ret_why)
{
    struct slice rest;
    if (!slice_split(line, ' ', &head->method, &rest) || !is_token(head->method) || head->method.len > 32)
        REFUSE(400, "the request line has no method");
    struct slice version;
    ptrdiff_t blank = slice_index(rest, ' ');
    if (blank <= 0)
        REFUSE(rest.len > HTTP_TARGET_MAX_BYTES ? 414 : 400, "the request line must be method, target and version");
    head->target = slice_sub(rest, 0, (size_t)blank);
    version = slice_from(rest, (size_t)blank + 1);
    if (slice_eq(version, S("HTTP/1.1")))
        head->minor_version = 1;
    else if (slice_eq(version, S("HTTP/1.0")))
        head->minor_version = 0;
    else if (version.len == 8 && slice_starts_with(version, S("HTTP/")) && version.ptr[6] == '.' &&
             version.ptr[5] >= '0' && version.ptr[5] <= '9' && version.ptr[7] >= '0' && version.ptr[7] <= '9')
        REFUSE(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    else
        REFUSE(400, "the request line's version is none");
    return parse_target(head, ret_authority, ret_why);
}

static struct slice trim_blanks(struct slice s)
{
    while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static int parse_header_line(struct slice line, struct http_header *ret_header, const char **ret_why)
{
    if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
        REFUSE(400, "a header goes on over two lines");
    ptrdiff_t colon = slice_index(line, ':');
    if (colon < 0)
        REFUSE(400, "a header has no colon");
    struct slice name = slice_sub(line, 0, (size_t)colon);
    if (!is_token(name))
        REFUSE(400, "a header's name has a byte that no name may have");
    struct slice value = trim_blanks(slice_of(line.ptr + colon + 1, line.len - (size_t)colon - 1));
    for (size_t i = 0; i < value.len; i++)
        if (is_control(value.ptr[i]))
            REFUSE(400, "a header's value has a control byte");
    *ret_header = (struct http_header){.name = name, .value = value};
    return 0;
}

struct seen {
    bool host, transfer_encoding, close, keep_alive;
};

static int note_content_length(struct http_head *head, struct slice value, const char **ret_why)
{
    int64_t length;
    if (value.len == 0 || value.len > 18 || !slice_to_i64(value, 0, INT64_MAX, &length))
        REFUSE(400, "Content-Length is no number");
    if (head->content_length >= 0 && head->content_length != length)
        REFUSE(400, "there are two different Content-Length headers");
    head->content_length = length;
    return 0;
}

static int note_header(struct http_head *head, struct seen *seen, const struct http_header *header,
                       const char **ret_why)
{
    struct slice name = header->name, value = header->value;
    if (slice_eq_nocase(name, S("Content-Length")))
        return note_content_length(head, value, ret_why);
    if (slice_eq_nocase(name, S("Transfer-Encoding"))) {
        if (seen->transfer_encoding || !slice_eq_nocase(value, S("chunked")))
            REFUSE(400, "Transfer-Encoding is not exactly chunked");
        seen->transfer_encoding = head->chunked = true;
    } else if (slice_eq_nocase(name, S("Host"))) {
        if (seen->host)
            REFUSE(400, "there are two Host headers");
        if (!is_host(value))
            REFUSE(400, "the Host header is no host");
        seen->host = true;
        head->host = value;
    } else if (slice_eq_nocase(name, S("Connection"))) {
        struct slice rest = value;
        while (rest.ptr) {
            struct slice option = trim_blanks(slice_cut(&rest, ','));
            seen->close = seen->close || slice_eq_nocase(option, S("close"));
            seen->keep_alive = seen->keep_alive || slice_eq_nocase(option, S("keep-alive"));
        }
    } else if (slice_eq_nocase(name, S("Expect")) && head->minor_version == 1) {
        if (!slice_eq_nocase(value, S("100-continue")))
            REFUSE(417, "only 100-continue can be expected");
        head->expect_continue = true;
    }
    return 0;
}

static int check_framing(struct http_head *head, const struct seen *seen, struct slice authority, const char **ret_why)
{
    if (head->chunked && head->content_length >= 0)
        REFUSE(400, "there are both Content-Length and Transfer-Encoding");
    if (head->chunked && head->minor_version == 0)
        REFUSE(400, "HTTP/1.0 has no Transfer-Encoding");
    if (!seen->host && head->minor_version == 1)
        REFUSE(400, "there is no Host header");
    if (authority.ptr && seen->host && !slice_eq_nocase(authority, head->host))
        REFUSE(400, "the Host header is not the request target's host");
    if (authority.ptr && !seen->host)
        head->host = authority;
    head->keep_alive = head->minor_version == 1 && !seen->close; /* HTTP/1.0's keep-alive is not offered */
    if (head->content_length == 0 || (head->content_length < 0 && !head->chunked))
        head->expect_continue = false; /* no body to wait for */
    return 0;
}

/* Up to CRLF, which the scan has seen to be there. */
static struct slice cut_line(struct slice *rest)
{
    const char *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    size_t n = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = slice_sub(*rest, 0, n);
    *rest = slice_from(*rest, end ? n + 2 : n);
    return line;
}

int http_head_parse(struct arena *arena, struct slice bytes, struct http_head *ret_head, const char **ret_why)
{
    struct http_head head = {.content_length = -1};
    size_t scanned = 0, len;
    int status = 400;
    *ret_why = "the head is not framed by CRLF, or too long";
    if (http_head_scan(bytes, &scanned, &len, &status) != HTTP_SCAN_COMPLETE)
        return status;
    struct slice rest = slice_from(slice_sub(bytes, 0, len - 2), leading_blank_lines(bytes));
    struct slice authority;
    status = parse_request_line(cut_line(&rest), &head, &authority, ret_why);
    if (status)
        return status;
    struct http_header *headers = ARENA_ARRAY(arena, HTTP_HEAD_MAX_HEADERS, struct http_header);
    struct seen seen = {0};
    size_t count = 0;
    while (rest.len) {
        if (count == HTTP_HEAD_MAX_HEADERS)
            REFUSE(431, "there are more than 100 headers");
        struct slice line = cut_line(&rest);
        if (!line.len)
            REFUSE(400, "there is a blank line inside the head");
        status = parse_header_line(line, &headers[count], ret_why);
        if (!status)
            status = note_header(&head, &seen, &headers[count], ret_why);
        if (status)
            return status;
        count++;
    }
    head.headers = (struct http_headers){.items = headers, .count = count};
    status = check_framing(&head, &seen, authority, ret_why);
    if (status)
        return status;
    *ret_head = head;
    return 0;
}

/* ---- chunked ---- */

enum {
    CHUNK_SIZE, /* the zero value */
    CHUNK_EXTENSION,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    TRAILER,
    TRAILER_LF,
    CHUNKS_ENDED,
    CHUNKS_FAILED,
    CHUNK_IGNORED_MAX = 64 * 1024,
};

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* The state after this byte of framing; CHUNKS_FAILED when it may not stand here. */
static int chunk_byte(struct http_chunks *chunks, char c)
{
    int digit;
    switch (chunks->state) {
    case CHUNK_SIZE:
        digit = hex_value(c);
        if (digit >= 0 && chunks->digits < 15) {
            chunks->left = chunks->left * 16 + (unsigned)digit;
            chunks->digits++;
            return CHUNK_SIZE;
        }
        if (!chunks->digits)
            return CHUNKS_FAILED;
        return c == '\r' ? CHUNK_SIZE_LF : c == ';' ? CHUNK_EXTENSION : CHUNKS_FAILED;
    case CHUNK_EXTENSION:
        if (++chunks->ignored > CHUNK_IGNORED_MAX)
            return CHUNKS_FAILED;
        return c == '\r' ? CHUNK_SIZE_LF : is_control(c) ? CHUNKS_FAILED : CHUNK_EXTENSION;
    case CHUNK_SIZE_LF:
        if (c != '\n')
            return CHUNKS_FAILED;
        chunks->digits = 0;
        chunks->line_bytes = 0;
        return chunks->left ? CHUNK_DATA : TRAILER;
    case CHUNK_DATA_CR:
        return c == '\r' ? CHUNK_DATA_LF : CHUNKS_FAILED;
    case CHUNK_DATA_LF:
        return c == '\n' ? CHUNK_SIZE : CHUNKS_FAILED;
    case TRAILER:
        if (c == '\r')
            return chunks->line_bytes && !chunks->named ? CHUNKS_FAILED : TRAILER_LF;
        if (++chunks->ignored > CHUNK_IGNORED_MAX || is_control(c) || (!chunks->named && c != ':' && !is_token_char(c)))
            return CHUNKS_FAILED;
        if (c == ':' && !chunks->line_bytes)
            return CHUNKS_FAILED;
        chunks->named = chunks->named || c == ':';
        chunks->line_bytes++;
        return TRAILER;
    case TRAILER_LF:
        if (c != '\n')
            return CHUNKS_FAILED;
        if (!chunks->line_bytes)
            return CHUNKS_ENDED;
        chunks->line_bytes = 0;
        chunks->named = false;
        return TRAILER;
    }
    return CHUNKS_FAILED;
}

enum http_chunks_result http_chunks_next(struct http_chunks *chunks, struct slice bytes, size_t *ret_used,
                                         struct slice *ret_data)
{
    size_t i = 0;
    *ret_data = SLICE_NONE;
    while (i < bytes.len && chunks->state != CHUNKS_ENDED && chunks->state != CHUNKS_FAILED) {
        if (chunks->state != CHUNK_DATA) {
            chunks->state = chunk_byte(chunks, bytes.ptr[i++]);
            continue;
        }
        size_t n = bytes.len - i < chunks->left ? bytes.len - i : (size_t)chunks->left;
        *ret_data = slice_sub(bytes, i, n);
        *ret_used = i + n;
        chunks->left -= n;
        if (!chunks->left)
            chunks->state = CHUNK_DATA_CR;
        return HTTP_CHUNKS_DATA;
    }
    *ret_used = i;
    return chunks->state == CHUNKS_ENDED    ? HTTP_CHUNKS_END
           : chunks->state == CHUNKS_FAILED ? HTTP_CHUNKS_BROKEN
                                            : HTTP_CHUNKS_MORE;
}
