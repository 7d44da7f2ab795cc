/* GetObject and HeadObject: conditions, ranges, headers, and the bytes straight from their files. */
#include "services/s3/s3.h"

static struct err *range_refused(struct arena *arena, struct slice range, int64_t size_bytes)
{
    struct err *e = aws_err(ERR_INVALID, 416, "InvalidRange", "The requested range is not satisfiable");
    e = aws_err_member(e, "RangeRequested", range);
    return aws_err_member(e, "ActualObjectSize", slice_fmt(arena, "%lld", (long long)size_bytes));
}

struct err *s3_range_parse(struct arena *arena, struct slice header, int64_t size_bytes, struct s3_range *ret_range)
{
    *ret_range = (struct s3_range){.size_bytes = size_bytes};
    struct slice first_text, last_text;
    int64_t first, last = INT64_MAX;
    if (!slice_starts_with_nocase(header, S("bytes=")) ||
        !slice_split(slice_from(header, sizeof("bytes=") - 1), '-', &first_text, &last_text))
        return NULL;
    if (!first_text.len) {
        if (!slice_to_i64(last_text, 0, INT64_MAX, &last))
            return NULL;
        if (!last)
            return range_refused(arena, header, size_bytes);
        if (!size_bytes)
            return NULL;
        first = last > size_bytes ? 0 : size_bytes - last;
        last = size_bytes - 1;
    } else {
        if (!slice_to_i64(first_text, 0, INT64_MAX, &first) || (last_text.len && !slice_to_i64(last_text, 0, INT64_MAX, &last)) ||
            last < first)
            return NULL;
        if (first >= size_bytes)
            return range_refused(arena, header, size_bytes);
        if (last >= size_bytes)
            last = size_bytes - 1;
    }
    *ret_range = (struct s3_range){.first = first, .size_bytes = last - first + 1, .partial = true};
    return NULL;
}

static struct err *range_of_part(struct call *call, const struct object_reader *reader, const struct object_view *view, int64_t number,
                                 struct s3_range *ret_range)
{
    struct err *e = number < 1 || number > OBJECTS_MAX_PART_NUMBER
                        ? err_new(ERR_NOT_FOUND, "no such part")
                        : object_reader_part(reader, (int)number, &ret_range->first, &ret_range->size_bytes);
    if (!e) {
        ret_range->partial = true;
        return NULL;
    }
    err_free(e);
    e = aws_err(ERR_INVALID, 416, "InvalidPartNumber", "The requested partnumber is not satisfiable");
    e = aws_err_member(e, "ActualPartCount", slice_fmt(call->arena, "%d", view->part_count ? view->part_count : 1));
    return aws_err_member(e, "PartNumberRequested", slice_fmt(call->arena, "%lld", (long long)number));
}

static struct slice either(struct slice first, struct slice second)
{
    return first.ptr ? first : second;
}

static struct slice_map metadata_of(struct arena *arena, struct object_attributes attributes)
{
    struct slice prefix = S("x-amz-meta-");
    struct slice_map_entry *entries = ARENA_ARRAY(arena, attributes.count + 1, struct slice_map_entry);
    size_t count = 0;
    for (size_t i = 0; i < attributes.count; i++) {
        if (slice_starts_with(attributes.items[i].name, prefix))
            entries[count++] =
                (struct slice_map_entry){.key = slice_from(attributes.items[i].name, prefix.len), .value = attributes.items[i].value};
    }
    return (struct slice_map){.set = count != 0, .count = count, .entries = entries};
}

/* Content-Length is the server's to write. */
static void fill_headers(struct call *call, const struct s3_read_request *request, const struct object_view *view,
                         const struct s3_range *range, struct s3_get_object_response *out)
{
    struct object_attributes kept = view->attributes;
    *out = (struct s3_get_object_response){
        .accept_ranges = S("bytes"),
        .last_modified = s3_seconds(view->modified_at),
        .e_tag = s3_etag(call->arena, view->etag),
        .content_type = either(request->response_content_type, object_attribute_get(kept, S("content-type"))),
        .cache_control = either(request->response_cache_control, object_attribute_get(kept, S("cache-control"))),
        .content_disposition = either(request->response_content_disposition, object_attribute_get(kept, S("content-disposition"))),
        .content_encoding = either(request->response_content_encoding, object_attribute_get(kept, S("content-encoding"))),
        .content_language = either(request->response_content_language, object_attribute_get(kept, S("content-language"))),
        .expires = request->response_expires.set ? instant_rfc1123(call->arena, request->response_expires.value)
                                                 : object_attribute_get(kept, S("expires")),
        .website_redirect_location = object_attribute_get(kept, S("x-amz-website-redirect-location")),
        .storage_class = object_attribute_get(kept, S("x-amz-storage-class")),
        .server_side_encryption = S("AES256"),
        .metadata = metadata_of(call->arena, kept),
    };
    if (request->part_number.set && view->part_count)
        out->parts_count = OPT_I64(view->part_count);
    if (range->partial)
        out->content_range = slice_fmt(call->arena, "bytes %lld-%lld/%lld", (long long)range->first,
                                       (long long)(range->first + range->size_bytes - 1), (long long)view->size_bytes);
    /* A part of the object must not come with the checksum of the whole: clients would hold one against the other. */
    if (slice_eq_nocase(request->checksum_mode, S("ENABLED")) && range->size_bytes == view->size_bytes &&
        view->checksum_kind != CHECKSUM_NONE) {
        S3_CHECKSUM_SET(out, view->checksum_kind, view->checksum);
        out->checksum_type = checksum_type_name(view->checksum_type);
    }
}

/* The head as it is about to be sent. */
static struct http_header *http_headers_of(struct call *call, int status, struct aws_response response)
{
    struct http_header *headers = ARENA_ARRAY(call->arena, response.header_count + 1, struct http_header);
    for (size_t i = 0; i < response.header_count; i++)
        headers[i] = (struct http_header){.name = response.headers[i].name, .value = response.headers[i].value};
    call->sent_status = status;
    call->sent_headers = headers;
    call->sent_header_count = response.header_count;
    return headers;
}

static struct err *send_pieces(struct call *call, struct object_reader *reader)
{
    for (;;) {
        struct object_piece piece;
        TRY(object_reader_next(reader, &piece));
        if (!piece.size_bytes)
            return NULL;
        struct err *e = piece.bytes.ptr ? http_respond_write(call->http, piece.bytes)
                                        : http_respond_file(call->http, piece.fd, piece.offset_bytes, piece.size_bytes);
        if (e)
            return e;
    }
}

static struct err *not_modified(struct call *call, const struct s3_get_object_response *whole)
{
    const struct s3_get_object_response kept = {
        .e_tag = whole->e_tag, .last_modified = whole->last_modified, .cache_control = whole->cache_control, .expires = whole->expires};
    const struct aws_operation *operation = aws_operation_find(call->operation->service, S("GetObject"));
    struct aws_response response = aws_encode_response(call->arena, operation, NULL, call->request_id, &kept);
    http_respond(call->http, 304, http_headers_of(call, 304, response), response.header_count, SLICE_NONE);
    return NULL;
}

static struct err *request_check(struct call *call, const struct s3_read_request *request)
{
    TRY(s3_owner_check(call, request->expected_bucket_owner));
    if (request->sse_customer_algorithm.len)
        return s3_not_implemented("x-amz-server-side-encryption-customer-algorithm");
    if (request->version_id.len && !slice_eq(request->version_id, S("null")))
        return s3_invalid_argument("versionId", request->version_id, "Invalid version id specified");
    if (request->range.ptr && request->part_number.set)
        return aws_err(ERR_INVALID, 400, "InvalidRequest", "Cannot specify both Range header and partNumber query parameter");
    bool overrides = request->response_cache_control.ptr || request->response_content_disposition.ptr ||
                     request->response_content_encoding.ptr || request->response_content_language.ptr ||
                     request->response_content_type.ptr || request->response_expires.set;
    if (overrides && call->principal.kind == PRINCIPAL_ANONYMOUS)
        return aws_err(ERR_INVALID, 400, "InvalidRequest",
                       "Request specific response headers cannot be used for anonymous GET requests.");
    return NULL;
}

struct err *s3_read_object(struct call *call, const struct s3_read_request *request)
{
    TRY(request_check(call, request));
    _cleanup_(object_reader_freep) struct object_reader *reader = NULL;
    struct object_view view;
    S3_TRY(object_reader_open(call->parts->objects, call->arena, request->bucket, request->key, &view, &reader),
           .bucket = request->bucket, .key = request->key);
    struct s3_get_object_response out;
    struct s3_range range = {.size_bytes = view.size_bytes};
    const char *condition;
    int status = s3_read_conditions_check(&request->conditions, &view, call->now, &condition);
    if (status == 412)
        return s3_precondition_failed(condition);
    if (status == 304) {
        fill_headers(call, request, &view, &range, &out);
        return not_modified(call, &out);
    }
    if (request->part_number.set)
        TRY(range_of_part(call, reader, &view, request->part_number.value, &range));
    else if (request->range.ptr)
        TRY(s3_range_parse(call->arena, request->range, view.size_bytes, &range));
    if (range.partial && !range.size_bytes)
        range.partial = false; /* an empty part: there is no range to name */
    fill_headers(call, request, &view, &range, &out);
    const struct aws_operation *operation = aws_operation_find(call->operation->service, S("GetObject"));
    struct aws_response response = aws_encode_response(call->arena, operation, NULL, call->request_id, &out);
    status = range.partial ? 206 : 200;
    TRY(http_respond_begin(call->http, status, http_headers_of(call, status, response), response.header_count, range.size_bytes));
    if (!call->http->head_only) {
        object_reader_range(reader, range.first, range.size_bytes);
        TRY(send_pieces(call, reader));
    }
    http_respond_end(call->http);
    return NULL;
}
