/* parser: the strict reader of HTTP/1.1 request heads (RFC 9112) and of chunked bodies. Pure: bytes in, slices out; any
 * thread. It is strict because whatever stands in front of us may read a sloppy head otherwise than we do: every form
 * that two readers could frame differently is refused, never repaired. */
#pragma once
#include "http/message.h"

struct arena;

enum {
    HTTP_HEAD_MAX_BYTES = 64 * 1024,
    HTTP_HEAD_MAX_HEADERS = 100,
    HTTP_TARGET_MAX_BYTES = 32 * 1024,
};

/* Looks for the end of a head in bytes that arrive piecemeal. *scanned: where the last call stopped, 0 at first. */
enum http_scan {
    HTTP_SCAN_MORE,     /* not there yet */
    HTTP_SCAN_COMPLETE, /* *ret_len bytes are one head with its blank line */
    HTTP_SCAN_REFUSED,  /* *ret_status: 400, 414 or 431 */
};
enum http_scan http_head_scan(struct slice bytes, size_t *scanned, size_t *ret_len, int *ret_status);

struct http_head {
    struct slice method, target, path, query; /* see http_request; they alias the given bytes */
    int minor_version;                        /* HTTP/1.0 or 1.1 */
    struct http_headers headers;
    struct slice host;
    int64_t content_length; /* -1: none given */
    bool chunked;
    bool keep_alive;
    bool expect_continue;
};

/* 0, or the status to answer with: 400, 414, 417, 431, 505; *ret_why says what was wrong, always set then. */
int http_head_parse(struct arena *arena, struct slice bytes, struct http_head *ret_head, const char **ret_why);

/* Body framing of "Transfer-Encoding: chunked". Starts zeroed. Trailers are checked (name, colon, value) and dropped. */
struct http_chunks {
    int state;
    uint64_t left;       /* of the chunk's data */
    unsigned digits;     /* of the size */
    size_t ignored;      /* bytes of extensions and trailers so far */
    unsigned line_bytes; /* of this trailer line */
    bool named;          /* its colon was there */
};
enum http_chunks_result { HTTP_CHUNKS_MORE, HTTP_CHUNKS_DATA, HTTP_CHUNKS_END, HTTP_CHUNKS_BROKEN };
/* Eats bytes from the front: *ret_used of them. DATA: *ret_data are some body bytes (inside the given ones). MORE: all
 * was used. */
enum http_chunks_result http_chunks_next(struct http_chunks *chunks, struct slice bytes, size_t *ret_used,
                                         struct slice *ret_data);
