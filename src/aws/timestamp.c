/* timestamp: see the header. Never through a double, except for numbers written with an exponent. */
#include "aws/timestamp.h"
#include "base/arena.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_MIN_S (-62135596800LL) /* 0001-01-01 */
#define EPOCH_MAX_S 253402300799LL   /* 9999-12-31T23:59:59 */

static bool parse_exponent(struct slice text, struct instant *ret_t)
{
    char buf[64];
    if (text.len >= sizeof(buf))
        return false;
    memcpy(buf, text.ptr, text.len);
    buf[text.len] = 0;
    char *end = NULL;
    double seconds = strtod(buf, &end);
    if (end != buf + text.len || !isfinite(seconds) || seconds < (double)EPOCH_MIN_S || seconds > (double)EPOCH_MAX_S)
        return false;
    ret_t->ms = (int64_t)llround(seconds * 1000);
    return true;
}

static bool parse_unix(struct slice text, struct instant *ret_t)
{
    if (slice_index(text, 'e') >= 0 || slice_index(text, 'E') >= 0)
        return slice_index(text, 'x') < 0 && slice_index(text, 'X') < 0 && slice_index(text, 'n') < 0 &&
               parse_exponent(text, ret_t);
    struct slice whole, fraction = SLICE_NONE;
    if (!slice_split(text, '.', &whole, &fraction)) {
        whole = text;
        fraction = S("");
    } else if (!fraction.len) {
        return false;
    }
    bool negative = whole.len && whole.ptr[0] == '-';
    int64_t seconds, ms = 0;
    if (!slice_to_i64(whole, EPOCH_MIN_S, EPOCH_MAX_S, &seconds))
        return false;
    for (size_t i = 0; i < fraction.len; i++) {
        if (fraction.ptr[i] < '0' || fraction.ptr[i] > '9')
            return false;
        if (i < 3)
            ms = ms * 10 + (fraction.ptr[i] - '0');
    }
    for (size_t i = fraction.len; i < 3; i++)
        ms *= 10;
    ret_t->ms = seconds * 1000 + (negative ? -ms : ms);
    return true;
}

bool aws_timestamp_parse(struct slice text, enum aws_timestamp_format format, struct instant *ret_t)
{
    switch (format) {
    case AWS_TIMESTAMP_RFC822:
        return instant_parse_rfc1123(text, ret_t);
    case AWS_TIMESTAMP_UNIX:
        return parse_unix(text, ret_t);
    case AWS_TIMESTAMP_DEFAULT:
    case AWS_TIMESTAMP_ISO8601:
        return instant_parse_iso8601(text, ret_t) || parse_unix(text, ret_t);
    }
    return false;
}

struct slice aws_timestamp_format(struct arena *arena, struct instant t, enum aws_timestamp_format format)
{
    switch (format) {
    case AWS_TIMESTAMP_RFC822:
        return instant_rfc1123(arena, t);
    case AWS_TIMESTAMP_UNIX: {
        int64_t seconds = t.ms / 1000, ms = t.ms % 1000;
        if (!ms)
            return slice_fmt(arena, "%lld", (long long)seconds);
        return slice_fmt(arena, "%s%lld.%03lld", t.ms < 0 ? "-" : "", llabs((long long)seconds), llabs((long long)ms));
    }
    case AWS_TIMESTAMP_DEFAULT:
    case AWS_TIMESTAMP_ISO8601:
        return t.ms % 1000 ? instant_iso8601_ms(arena, t) : instant_iso8601(arena, t);
    }
    return S("");
}
