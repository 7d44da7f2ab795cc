/* form_data: multipart/form-data (RFC 7578 over RFC 2046), as browsers post it to S3. A pull decoder with a fixed buffer: a part's
 * content is never held here. Strict: the first delimiter stands at the start, lines end in CRLF, every part has a Content-Disposition
 * with a name. What does not fit, or ends early, is S3's MalformedPOSTRequest. One thread at a time. */
#pragma once
#include "aws/aws_chunked.h"

struct form_data;

/* The boundary of a Content-Type; false when it is no multipart/form-data or has no proper one (1 to 70 bytes). */
bool form_data_boundary(struct arena *arena, struct slice content_type, struct slice *ret_boundary);

struct form_data *form_data_new(struct arena *arena, struct aws_reader reader, struct slice boundary);

struct form_part {
    struct slice name;
    struct slice file_name; /* absent: none given; the last piece of a path */
};
/* The head of the next part, in the arena; false behind the last one. The part before must have been read to its end. */
struct err *form_data_next(struct form_data *form, bool *ret_more, struct form_part *ret_part) NODISCARD;
/* Its content; *ret_len 0 is the end, known good only then: its delimiter was seen. */
struct err *form_data_read(struct form_data *form, void *buf, size_t cap, size_t *ret_len) NODISCARD;
int64_t form_data_taken(const struct form_data *form); /* bytes of the body used up so far */
