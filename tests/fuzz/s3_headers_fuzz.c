/* s3_headers_fuzz: first byte: an object's size; line one a Range header, line two x-amz-copy-source, the rest an object's keys. A range
 * that is served lies inside the object and reads as it was written; a list's place is behind all it has passed. */
#include "base/strbuf.h"
#include "fuzz.h"
#include "objects/scan.h"
#include "services/s3/s3.h"

static void check_range(struct arena *arena, struct slice header, int64_t size)
{
    struct s3_range range = {0};
    struct err *e = s3_range_parse(arena, header, size, &range);
    if (e) {
        ENSURE(err_has_code(e, "InvalidRange"));
        err_free(e);
        return;
    }
    ENSURE(range.first >= 0 && range.size_bytes >= 0 && range.first + range.size_bytes <= size);
    ENSURE(range.partial ? range.size_bytes > 0 : range.first == 0 && range.size_bytes == size);
    if (!range.partial)
        return;
    struct s3_range again;
    struct slice text = slice_fmt(arena, "bytes=%lld-%lld", (long long)range.first, (long long)(range.first + range.size_bytes - 1));
    ENSURE(!s3_range_parse(arena, text, size, &again));
    ENSURE(again.partial && again.first == range.first && again.size_bytes == range.size_bytes);
}

static void check_copy_source(struct arena *arena, struct slice header)
{
    struct call call = {.arena = arena};
    struct slice bucket, key;
    struct err *e = s3_copy_source_parse(&call, header, &bucket, &key);
    if (!e)
        ENSURE(bucket.len && key.len && slice_index(bucket, '/') < 0 && bucket.len + key.len < header.len);
    err_free(e);
    err_free(s3_bucket_name_check(header));
}

static void check_scan(struct arena *arena, struct slice prefix, struct slice delimiter, struct slice key)
{
    struct slice start;
    if (scan_successor(arena, prefix, &start)) {
        ENSURE(slice_cmp(start, prefix) > 0);
        ENSURE(!slice_starts_with(key, prefix) || slice_cmp(key, start) < 0);
        ENSURE(slice_cmp(key, prefix) < 0 || slice_starts_with(key, prefix) || slice_cmp(key, start) >= 0);
    }
    if (!key.len || !slice_starts_with(key, prefix))
        return;
    struct slice common = scan_common_prefix(key, prefix, delimiter);
    if (common.ptr)
        ENSURE(slice_starts_with(key, common) && slice_ends_with(common, delimiter) && common.len > prefix.len);
    if (scan_start(arena, prefix, delimiter, key, &start))
        ENSURE(slice_cmp(start, key) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice input = slice_of((const char *)data, size);
    int64_t object = input_byte(&input);
    struct slice range = input_line(&input), source = input_line(&input);
    check_range(arena, range, object);
    check_range(arena, range, INT64_MAX);
    check_copy_source(arena, source);
    struct slice prefix = input_line(&input), delimiter = input_line(&input);
    while (input.len)
        check_scan(arena, prefix, delimiter, input_line(&input));
    arena_free(arena);
    return 0;
}
