/* value: reading and writing the members of generated structs through their rows. For the codecs and the validator. */
#pragma once
#include "aws/shape.h"

/* Where a member's value lies: the structure itself for structures, else the field; NULL when absent (or streamed). */
const void *aws_member_value(const struct aws_member *member, const void *structure);
/* Where to decode a member to; makes the nested structure. The member must not be streamed. */
void *aws_member_slot(struct arena *arena, const struct aws_member *member, void *structure);
/* Whether a value that is no structure is there. */
bool aws_value_is_set(const struct aws_shape *shape, const void *value);

/* An item of a list, a map's key and value, by position. */
const void *aws_list_item(const struct aws_shape *list, const void *value, size_t index);
struct slice aws_map_key(const struct aws_shape *map, const void *value, size_t index);
const void *aws_map_value(const struct aws_shape *map, const void *value, size_t index);

/* Text to a scalar (string, blob in base64, number, boolean, timestamp); false when it is not one. Integers are whole and fit their
 * shape; floats may be NaN, Infinity and -Infinity. Borrows text. */
bool aws_scalar_parse(struct arena *arena, const struct aws_shape *shape, enum aws_timestamp_format format,
                      struct slice text, void *slot);
/* A JSON number to an integer of so many bits as AWS's parser does it: a fraction is cut, what is too large becomes the largest. */
int64_t aws_integer_truncate(struct arena *arena, struct slice literal, int bits);
/* A set scalar to text; format decides for timestamps and must not be DEFAULT there. Blobs in base64. */
struct slice aws_scalar_format(struct arena *arena, const struct aws_shape *shape, enum aws_timestamp_format format,
                               const void *value);

/* The format of a timestamp: the row's own, else the given one of the place it is in. */
enum aws_timestamp_format aws_timestamp_of(const struct aws_member *member, enum aws_timestamp_format place);

/* Members that make up the body: not bound elsewhere, not streamed. */
bool aws_shape_has_body(const struct aws_shape *structure);

/* Gives absent idempotency tokens a fresh UUID: SDKs always send one, other clients need not. */
void aws_fill_idempotency_tokens(struct arena *arena, const struct aws_shape *structure, void *in);
