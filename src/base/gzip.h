/* gzip: whole buffers in and out (zlib). */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"

void gzip_append(struct strbuf *out, struct slice data); /* one complete gzip member */
/* All members; ERR_LIMIT past max_bytes, ERR_INVALID when it is not gzip. */
struct err *gzip_decode(struct arena *arena, struct slice data, size_t max_bytes, struct slice *ret_data) NODISCARD;
