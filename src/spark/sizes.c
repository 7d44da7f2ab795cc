#include "spark/sizes.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const struct suffix {
    const char *name;
    int shift;
} suffixes[] = {
    {"b", 0},   {"k", 10},  {"kb", 10}, {"m", 20},  {"mb", 20}, {"g", 30},
    {"gb", 30}, {"t", 40},  {"tb", 40}, {"p", 50},  {"pb", 50},
};

#define SIZE_ERROR(...)                                                                                                       \
    err_new(ERR_INVALID, "Size must be specified as bytes (b), kibibytes (k), mebibytes (m), gibibytes (g), tebibytes (t), "  \
                         "or pebibytes(p). E.g. 50b, 100k, or 250m.\n" __VA_ARGS__)

struct err *spark_size_parse(struct slice text, enum spark_unit unit, int64_t *ret_size)
{
    struct slice s = slice_trim(text);
    size_t digits = 0;
    while (digits < s.len && is_digit(s.ptr[digits]))
        digits++;
    size_t fraction = digits;
    if (digits && digits + 1 < s.len && s.ptr[digits] == '.' && is_digit(s.ptr[digits + 1]))
        for (fraction = digits + 1; fraction < s.len && is_digit(s.ptr[fraction]);)
            fraction++;
    struct slice suffix = slice_from(s, fraction);
    for (size_t i = 0; i < suffix.len; i++)
        if ((suffix.ptr[i] | 0x20) < 'a' || (suffix.ptr[i] | 0x20) > 'z')
            digits = 0;
    if (!digits)
        return SIZE_ERROR("Failed to parse byte string: %.*s", SLICE_ARG(text));
    if (fraction > digits)
        return SIZE_ERROR("Fractional values are not supported. Input was: %.*s", SLICE_ARG(slice_sub(s, 0, fraction)));
    int64_t value;
    if (!slice_to_i64(slice_sub(s, 0, digits), 0, INT64_MAX, &value))
        return SIZE_ERROR("For input string: \"%.*s\"", SLICE_ARG(slice_sub(s, 0, digits)));
    int shift = suffix.len ? -1 : (int)unit;
    for (size_t i = 0; i < ARRAY_SIZE(suffixes) && suffix.len; i++)
        if (slice_eq_nocase(suffix, slice_from_cstr(suffixes[i].name)))
            shift = suffixes[i].shift;
    if (shift < 0)
        return SIZE_ERROR("Invalid suffix: \"%.*s\"", SLICE_ARG(suffix));
    shift -= (int)unit;
    if (shift <= 0) {
        *ret_size = value >> -shift;
        return NULL;
    }
    int64_t scaled;
    if (__builtin_mul_overflow(value, (int64_t)1 << shift, &scaled))
        return err_new(ERR_INVALID, "Conversion of %.*s exceeds Long.MAX_VALUE. Try a larger unit (e.g. MiB instead of KiB)",
                       SLICE_ARG(text));
    *ret_size = scaled;
    return NULL;
}

bool spark_double_parse(struct slice text, double *ret_value)
{
    struct slice s = slice_trim(text);
    char copy[64];
    if (!s.len || s.len >= sizeof copy)
        return false;
    bool digit = false;
    for (size_t i = 0; i < s.len; i++) {
        if (is_digit(s.ptr[i]))
            digit = true;
        else if (!strchr("+-.eE", s.ptr[i]) || !s.ptr[i])
            return false;
    }
    if (!digit)
        return false;
    memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    char *end;
    double value = strtod(copy, &end);
    if (*end || !isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

struct slice spark_double_text(struct arena *arena, double value)
{
    char text[40];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    /* text is [-]D[.DDD]e[+-]XX: take digits and exponent apart, and write them as Java does. */
    char digits[24];
    size_t count = 0;
    const char *p = text;
    bool negative = *p == '-';
    for (; *p && *p != 'e'; p++)
        if (is_digit(*p) && count < sizeof digits)
            digits[count++] = *p;
    long exponent = *p ? strtol(p + 1, NULL, 10) : 0;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    char out[64];
    size_t n = 0;
    if (negative)
        out[n++] = '-';
    double size = fabs(value);
    if (value == 0.0 || (size >= 1e-3 && size < 1e7)) {
        long point = value == 0.0 ? 1 : exponent + 1; /* digits before the point */
        if (point <= 0)
            out[n++] = '0';
        for (long i = 0; i < point; i++)
            out[n++] = i < (long)count ? digits[i] : '0';
        out[n++] = '.';
        for (long i = point; i < 0; i++)
            out[n++] = '0';
        if (point >= (long)count)
            out[n++] = '0';
        for (long i = point > 0 ? point : 0; i < (long)count; i++)
            out[n++] = digits[i];
        return slice_dup(arena, slice_of(out, n));
    }
    out[n++] = digits[0];
    out[n++] = '.';
    if (count == 1)
        out[n++] = '0';
    for (size_t i = 1; i < count; i++)
        out[n++] = digits[i];
    return slice_fmt(arena, "%.*sE%ld", (int)n, out, exponent);
}

int64_t spark_overhead_mib(const struct spark_overhead_input *input)
{
    if (input->explicit_mib >= 0)
        return input->explicit_mib;
    double product = input->factor * (double)input->heap_mib;
    /* Scala's toInt: truncated, within the bounds of an Int. */
    int64_t overhead = product >= 2147483647.0 ? INT32_MAX : product <= -2147483648.0 ? INT32_MIN : (int64_t)product;
    return overhead > input->minimum_mib ? overhead : input->minimum_mib;
}
