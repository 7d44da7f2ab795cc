/* xml_fuzz: the tree reader, and S3's documents over it. Text that was read and written again reads the same. */
#include "aws/codec.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include "base/xml.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(struct arena *arena, const char *operation_name, struct slice body)
{
    const struct aws_service *service = aws_service_find(S("s3"));
    const struct aws_member *payload = aws_operation_find(service, slice_from_cstr(operation_name))->request->payload;
    err_free(
        aws_xml_decode(arena, service, payload->shape, payload->wire, body, arena_alloc(arena, payload->shape->size)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice text = slice_of((const char *)data, size);
    struct xml_node *root = NULL, *again = NULL;
    struct err *e = xml_parse(arena, text, &root);
    if (!e) {
        struct strbuf out = STRBUF_ARENA(arena);
        xml_write_element(&out, S("a"), root->text);
        struct err *second = xml_parse(arena, strbuf_slice(&out), &again);
        if (second || !slice_eq(again->text, root->text))
            abort();
    }
    err_free(e);
    decode(arena, "DeleteObjects", text);
    decode(arena, "CompleteMultipartUpload", text);
    decode(arena, "CreateBucket", text);
    arena_free(arena);
    return 0;
}
