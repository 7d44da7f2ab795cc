/* regex: runs the patterns that awsgen compiled. Whole-value match over code points, as Java's matches(); time is
 * bounded by length x instructions, there is no back-tracking. Pure. */
#pragma once
#include "aws/shape.h"

#define AWS_REGEX_MAX_INSTS 1024 /* awsgen refuses longer programs */

/* Bytes that are not UTF-8 match nothing. */
bool aws_regex_matches(const struct aws_regex *regex, struct slice text);
