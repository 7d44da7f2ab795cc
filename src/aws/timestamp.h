/* timestamp: instants as the protocols write them. Pure. */
#pragma once
#include "aws/shape.h"

/* DEFAULT is read as ISO 8601 or epoch seconds, whichever it looks like. Fractions are kept to the millisecond; years 1
 * to 9999. */
bool aws_timestamp_parse(struct slice text, enum aws_timestamp_format format, struct instant *ret_t);
/* ISO8601 2026-11-21T21:10:00Z (with .123 when there are milliseconds), RFC822 RFC 1123, UNIX 1795295400 or
 * 1795295400.123. */
struct slice aws_timestamp_format(struct arena *arena, struct instant t, enum aws_timestamp_format format);
