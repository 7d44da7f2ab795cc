/* form_upload: S3's POST form (multipart/form-data with a signed policy). Its fields become the headers of a PutObject and its file the
 * body, so that one operation stores both: nothing of PutObject is written twice. Nothing is published before the last delimiter was
 * seen. Source: S3 API reference, "POST Object", "Authenticating requests in browser-based uploads using POST". */
#include "edge/edge_internal.h"
#include "aws/checksum.h"
#include "aws/form_data.h"
#include "aws/post_policy.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include "base/xml.h"
#include <string.h>

/* Of everything before the file's first byte. Source: "POST Object": "form data excluding file content is limited to 20 KB". */
#define PRE_DATA_MAX_BYTES 20480
#define FIELDS_MAX 256

struct form_upload {
    struct arena *arena;
    struct http_request *http;
    struct form_data *data;
    struct aws_header fields[FIELDS_MAX + 1]; /* names as sent; the bucket is the last */
    size_t field_count;
    struct slice file_name;
    struct post_policy policy;
    int64_t size_bytes;
    struct slice bucket, key;
};

bool edge_is_form_upload(const struct target *target, const struct aws_request *request)
{
    struct slice rest = slice_from(request->path, 1);
    struct slice bucket = request->bucket.ptr ? request->bucket : slice_cut(&rest, '/');
    struct slice type = aws_header_get(request->headers, S("Content-Type"));
    return target->door == DOOR_SERVICE && target->service->protocol == AWS_REST_XML && slice_eq(request->method, S("POST")) && bucket.len &&
           !rest.len && !request->query.len && target->signing == SIGNING_NONE &&
           slice_starts_with_nocase(slice_trim(type), S("multipart/form-data"));
}

static struct err *invalid_argument(const char *name, struct slice value, struct slice message)
{
    struct err *e = aws_err(ERR_INVALID, 400, "InvalidArgument", "%.*s", SLICE_ARG(message));
    return aws_err_member(aws_err_member(e, "ArgumentName", slice_from_cstr(name)), "ArgumentValue", value);
}

static struct slice field(const struct form_upload *form, struct slice name)
{
    return aws_header_get((struct aws_headers){form->fields, form->field_count}, name);
}

static struct err *missing(const struct form_upload *form, const char *name)
{
    return invalid_argument(name, S(""), slice_fmt(form->arena, "Bucket POST must contain a field named '%s'.  If it is specified, please check "
                                                                "the order of the fields.", name));
}

/* ---- fields ---- */

static struct err *read_http(void *ctx, void *buf, size_t cap, size_t *ret_len)
{
    return http_body_read(ctx, buf, cap, ret_len);
}

static struct err *pre_data_too_long(const struct form_upload *form)
{
    if (form_data_taken(form->data) <= PRE_DATA_MAX_BYTES && form->field_count < FIELDS_MAX)
        return NULL;
    return aws_err(ERR_INVALID, 400, "MaxPostPreDataLengthExceededError", "Your POST request fields preceding the upload file were too large.");
}

/* What becomes a header must be able to be one. */
static struct err *check_field(struct slice name, struct slice value)
{
    if (slice_eq_nocase(name, S("policy")) || slice_eq_nocase(name, S("key")) || slice_starts_with_nocase(name, S("x-ignore-")))
        return NULL;
    if (!edge_is_header_value(value))
        return invalid_argument("field", name, S("A field of the form has a control character."));
    if (slice_starts_with_nocase(name, S("x-amz-")) && !edge_is_header_name(name))
        return invalid_argument("field", S(""), S("A field's name has a character that a header may not have."));
    return NULL;
}

static struct err *add_field(struct form_upload *form, struct slice name, struct slice value)
{
    TRY(check_field(name, value));
    /* A name that comes twice is one with both values: what the policy sees is what is used. */
    for (size_t i = 0; i < form->field_count; i++) {
        if (!slice_eq_nocase(form->fields[i].name, name))
            continue;
        form->fields[i].value = slice_fmt(form->arena, "%.*s,%.*s", SLICE_ARG(form->fields[i].value), SLICE_ARG(value));
        return NULL;
    }
    form->fields[form->field_count++] = (struct aws_header){.name = name, .value = value};
    return NULL;
}

static struct err *read_field(struct form_upload *form, struct slice name)
{
    struct strbuf value = STRBUF_ARENA(form->arena);
    char buffer[2048];
    size_t len;
    do {
        TRY(form_data_read(form->data, buffer, sizeof(buffer), &len));
        TRY(pre_data_too_long(form));
        strbuf_append_bytes(&value, buffer, len);
    } while (len);
    return add_field(form, name, strbuf_slice(&value));
}

/* Up to the first byte of the file; what follows the file is ignored, as S3 does. */
static struct err *read_fields(struct form_upload *form)
{
    for (;;) {
        struct form_part part;
        bool more;
        TRY(form_data_next(form->data, &more, &part));
        TRY(pre_data_too_long(form));
        if (!more)
            return invalid_argument("file", S("0"), S("POST requires exactly one file upload per request."));
        if (slice_eq_nocase(part.name, S("file"))) {
            form->file_name = part.file_name.ptr ? part.file_name : S("");
            return NULL;
        }
        TRY(read_field(form, part.name));
    }
}

/* ${filename} in every field, which may bring what a field itself may not have. Source: "Creating an HTML form", form fields. */
static struct err *replace_variables(struct form_upload *form)
{
    struct slice variable = S("${filename}");
    for (size_t i = 0; i < form->field_count; i++) {
        struct slice rest = form->fields[i].value;
        struct strbuf out = STRBUF_ARENA(form->arena);
        ptrdiff_t at = slice_find(rest, variable);
        if (at < 0 || slice_eq_nocase(form->fields[i].name, S("policy")))
            continue;
        for (; at >= 0; at = slice_find(rest, variable)) {
            strbuf_append(&out, slice_sub(rest, 0, (size_t)at));
            strbuf_append(&out, form->file_name);
            rest = slice_from(rest, (size_t)at + variable.len);
        }
        strbuf_append(&out, rest);
        form->fields[i].value = strbuf_slice(&out);
        TRY(check_field(form->fields[i].name, form->fields[i].value));
    }
    return NULL;
}

/* ---- who, and may they ---- */

static struct err *check_identity(struct edge *edge, struct form_upload *form, struct instant now, struct identity *ret_identity)
{
    static const char *const version4[] = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature", NULL},
                      *const version2[] = {"AWSAccessKeyId", "Signature", NULL};
    bool is_version4 = field(form, S("x-amz-algorithm")).ptr || field(form, S("x-amz-signature")).ptr || field(form, S("x-amz-credential")).ptr;
    bool is_signed = is_version4 || field(form, S("signature")).ptr || field(form, S("awsaccesskeyid")).ptr;
    if (!field(form, S("policy")).ptr)
        return is_signed ? missing(form, "policy") : aws_err(ERR_DENIED, 403, "AccessDenied", "Access Denied");
    for (const char *const *name = is_version4 ? version4 : version2; *name; name++)
        if (!field(form, slice_from_cstr(*name)).ptr)
            return missing(form, *name);
    struct edge_form_signature signature = {
        .version2 = !is_version4,
        .policy = field(form, S("policy")),
        .algorithm = field(form, S("x-amz-algorithm")),
        .credential = field(form, is_version4 ? S("x-amz-credential") : S("awsaccesskeyid")),
        .date = field(form, S("x-amz-date")),
        .signature = field(form, is_version4 ? S("x-amz-signature") : S("signature")),
        .session_token = field(form, S("x-amz-security-token")),
    };
    return edge_authenticate_form(edge, form->arena, &signature, now, ret_identity);
}

/* ---- the PutObject it stands for ---- */

/* The header that a field stands for; absent: none. */
static struct slice header_of(struct slice name)
{
    static const struct slice same[] = {S_INIT("cache-control"), S_INIT("content-type"), S_INIT("content-disposition"), S_INIT("content-encoding"),
                                        S_INIT("content-language"), S_INIT("content-md5"), S_INIT("expires")};
    static const struct slice not_headers[] = {S_INIT("x-amz-algorithm"), S_INIT("x-amz-credential"), S_INIT("x-amz-date"), S_INIT("x-amz-signature"),
                                               S_INIT("x-amz-security-token"), S_INIT("x-amz-checksum-algorithm"),
                                               S_INIT("x-amz-copy-source")}; /* would copy instead of storing the file */
    if (slice_eq_nocase(name, S("acl")))
        return S("x-amz-acl");
    if (slice_eq_nocase(name, S("tagging")))
        return S("x-amz-tagging");
    for (size_t i = 0; i < ARRAY_SIZE(same); i++)
        if (slice_eq_nocase(name, same[i]))
            return name;
    for (size_t i = 0; i < ARRAY_SIZE(not_headers); i++)
        if (slice_eq_nocase(name, not_headers[i]))
            return SLICE_NONE;
    return slice_starts_with_nocase(name, S("x-amz-")) ? name : SLICE_NONE;
}

static struct err *become_put(struct form_upload *form, struct aws_request *request)
{
    struct aws_header *headers = ARENA_ARRAY(form->arena, form->field_count + 1, struct aws_header);
    size_t count = 0;
    for (size_t i = 0; i < form->field_count; i++) {
        struct slice name = header_of(form->fields[i].name);
        enum aws_checksum_kind kind;
        if (!name.ptr)
            continue;
        if (slice_starts_with_nocase(name, S("x-amz-checksum-")) && !slice_eq_nocase(name, S("x-amz-checksum-type")) &&
            !aws_checksum_by_header(name, &kind))
            return aws_err(ERR_INVALID, 400, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid.");
        headers[count++] = (struct aws_header){.name = name, .value = slice_trim(form->fields[i].value)};
    }
    request->method = S("PUT");
    request->path = slice_fmt(form->arena, "/%.*s/%.*s", SLICE_ARG(uri_encode(form->arena, form->bucket, URI_ENCODE_SLASH)),
                              SLICE_ARG(uri_encode(form->arena, form->key, URI_KEEP_SLASH)));
    request->bucket = SLICE_NONE;
    request->headers = (struct aws_headers){headers, count};
    return NULL;
}

static struct err *size_refused(const struct form_upload *form, const char *code, const char *text, const char *limit_name, int64_t limit)
{
    struct err *e = aws_err(ERR_INVALID, 400, code, "%s", text);
    e = aws_err_member(e, "ProposedSize", slice_fmt(form->arena, "%lld", (long long)form->size_bytes));
    return aws_err_member(e, limit_name, slice_fmt(form->arena, "%lld", (long long)limit));
}

/* call->body_read */
static struct err *read_file(struct call *call, void *buf, size_t cap, size_t *ret_len)
{
    struct form_upload *form = call->form;
    size_t len;
    TRY(form_data_read(form->data, buf, cap, &len));
    form->size_bytes += (int64_t)len;
    if (form->size_bytes > form->policy.max_bytes)
        return size_refused(form, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", "MaxSizeAllowed", form->policy.max_bytes);
    if (!len && form->size_bytes < form->policy.min_bytes)
        return size_refused(form, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", "MinSizeAllowed",
                            form->policy.min_bytes);
    *ret_len = len;
    return NULL;
}

struct err *edge_open_form(struct edge *edge, struct call *call, struct aws_request *request, struct identity *ret_identity)
{
    struct form_upload *form = ARENA_NEW(call->arena, struct form_upload);
    struct slice boundary, rest = slice_from(request->path, 1);
    form->arena = call->arena;
    form->http = call->http;
    form->bucket = request->bucket.ptr ? request->bucket : uri_decode(call->arena, slice_cut(&rest, '/'), URI_PLUS_KEPT);
    if (call->http->content_length < 0)
        return aws_err(ERR_INVALID, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
    if (!form_data_boundary(call->arena, aws_header_get(request->headers, S("Content-Type")), &boundary))
        return aws_err(ERR_INVALID, 400, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.");
    form->data = form_data_new(call->arena, (struct aws_reader){.read = read_http, .ctx = call->http}, boundary);
    TRY(read_fields(form));
    TRY(replace_variables(form));
    TRY(check_identity(edge, form, call->now, ret_identity));
    TRY(post_policy_parse(call->arena, field(form, S("policy")), &form->policy));
    if (!field(form, S("key")).ptr)
        return missing(form, "key");
    form->key = field(form, S("key"));
    /* The bucket is the URL's, whatever a field of that name says. */
    size_t at = 0;
    while (at < form->field_count && !slice_eq_nocase(form->fields[at].name, S("bucket")))
        at++;
    form->fields[at] = (struct aws_header){.name = S("bucket"), .value = form->bucket};
    form->field_count += at == form->field_count;
    TRY(post_policy_check(call->arena, &form->policy, (struct aws_headers){form->fields, form->field_count}, call->now));
    if (!form->key.len)
        return invalid_argument("key", S(""), S("User key must have a length greater than 0."));
    TRY(become_put(form, request));
    call->form = form;
    call->body_read = read_file;
    call->body_length = -1;
    return NULL;
}

/* ---- the answer ---- */

/* Where the browser goes next: only what is plainly a URL, anything else is as if it were not there. */
static bool is_redirect(struct slice url)
{
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= 0x20 || (unsigned char)url.ptr[i] >= 0x7f)
            return false;
    return slice_starts_with_nocase(url, S("http://")) || slice_starts_with_nocase(url, S("https://"));
}

static struct slice redirect_url(const struct form_upload *form, struct slice url, struct slice etag)
{
    struct arena *arena = form->arena;
    return slice_fmt(arena, "%.*s%cbucket=%.*s&key=%.*s&etag=%.*s", SLICE_ARG(url), slice_index(url, '?') >= 0 ? '&' : '?',
                     SLICE_ARG(uri_encode(arena, form->bucket, URI_ENCODE_SLASH)), SLICE_ARG(uri_encode(arena, form->key, URI_ENCODE_SLASH)),
                     SLICE_ARG(uri_encode(arena, etag, URI_ENCODE_SLASH)));
}

static struct slice document(const struct form_upload *form, struct slice location, struct slice etag)
{
    struct strbuf out = STRBUF_ARENA(form->arena);
    strbuf_append_cstr(&out, XML_DECLARATION);
    xml_open(&out, S("PostResponse"));
    xml_write_element(&out, S("Location"), location);
    xml_write_element(&out, S("Bucket"), form->bucket);
    xml_write_element(&out, S("Key"), form->key);
    xml_write_element(&out, S("ETag"), etag);
    xml_close(&out, S("PostResponse"));
    return strbuf_slice(&out);
}

struct aws_response edge_form_response(const struct call *call, const struct aws_response *put)
{
    const struct form_upload *form = call->form;
    struct aws_header *headers = ARENA_ARRAY(form->arena, put->header_count + 2, struct aws_header);
    struct slice etag = aws_header_get((struct aws_headers){put->headers, put->header_count}, S("ETag"));
    struct slice location = slice_fmt(form->arena, "%.*s/%.*s/%.*s", SLICE_ARG(call->parts->endpoint), SLICE_ARG(form->bucket),
                                      SLICE_ARG(uri_encode(form->arena, form->key, URI_KEEP_SLASH)));
    struct slice status = field(form, S("success_action_status")), url = field(form, S("success_action_redirect"));
    if (!url.ptr)
        url = field(form, S("redirect")); /* its old name */
    struct aws_response response = {.status = 204, .headers = headers};
    for (size_t i = 0; i < put->header_count; i++)
        if (!slice_eq_nocase(put->headers[i].name, S("Content-Type")))
            headers[response.header_count++] = put->headers[i];
    if (is_redirect(url)) {
        response.status = 303;
        location = redirect_url(form, url, etag);
    } else if (slice_eq(status, S("200"))) {
        response.status = 200;
    } else if (slice_eq(status, S("201"))) {
        response.status = 201;
        response.body = document(form, location, etag);
        headers[response.header_count++] = (struct aws_header){.name = S("Content-Type"), .value = S("application/xml")};
    }
    headers[response.header_count++] = (struct aws_header){.name = S("Location"), .value = location};
    return response;
}
