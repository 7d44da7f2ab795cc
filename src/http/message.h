/* message: the words of HTTP/1.1 that server and client share. */
#pragma once
#include "base/slice.h"

struct http_header {
    struct slice name;  /* as sent; compare with slice_eq_nocase */
    struct slice value; /* raw bytes, outer blanks trimmed */
};

struct http_headers {
    const struct http_header *items;
    size_t count;
};

/* First value of that name, or SLICE_NONE. */
struct slice http_header_get(struct http_headers headers, struct slice name);
/* "OK", "Not Found", … */
const char *http_status_text(int status);
/* Value of a query parameter, percent-decoded ('+' is a blank), or SLICE_NONE; "?a&b=" gives empty slices. */
struct slice http_query_get(struct arena *arena, struct slice query, struct slice name);
