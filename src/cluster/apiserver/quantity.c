#include "cluster/apiserver/quantity.h"
#include "base/arena.h"
#include <string.h>

#define NANO ((__int128)1000000000)
#define QUANTITY_MAX ((__int128)INT64_MAX * NANO)

static const struct suffix {
    const char *text;
    enum quantity_format format;
    int exponent; /* of 10, or of 2 for binary ones */
} suffixes[] = {
    {"", QUANTITY_DECIMAL_SI, 0},   {"n", QUANTITY_DECIMAL_SI, -9}, {"u", QUANTITY_DECIMAL_SI, -6}, {"m", QUANTITY_DECIMAL_SI, -3},
    {"k", QUANTITY_DECIMAL_SI, 3},  {"M", QUANTITY_DECIMAL_SI, 6},  {"G", QUANTITY_DECIMAL_SI, 9},  {"T", QUANTITY_DECIMAL_SI, 12},
    {"P", QUANTITY_DECIMAL_SI, 15}, {"E", QUANTITY_DECIMAL_SI, 18}, {"Ki", QUANTITY_BINARY_SI, 10}, {"Mi", QUANTITY_BINARY_SI, 20},
    {"Gi", QUANTITY_BINARY_SI, 30}, {"Ti", QUANTITY_BINARY_SI, 40}, {"Pi", QUANTITY_BINARY_SI, 50}, {"Ei", QUANTITY_BINARY_SI, 60},
};

static bool parse_suffix(struct slice text, struct suffix *ret_suffix)
{
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
        if (slice_eq(text, slice_from_cstr(suffixes[i].text))) {
            *ret_suffix = suffixes[i];
            return true;
        }
    if (text.len < 2 || (text.ptr[0] != 'e' && text.ptr[0] != 'E'))
        return false;
    struct slice digits = slice_from(text, 1);
    if (digits.ptr[0] == '+')
        digits = slice_from(digits, 1);
    int64_t exponent;
    if (!slice_to_i64(digits, -1000, 1000, &exponent))
        return false;
    *ret_suffix = (struct suffix){.format = QUANTITY_DECIMAL_EXPONENT, .exponent = (int)exponent};
    return true;
}

/* value * 10^power, rounded up (away from zero), capped. */
static __int128 scale10(__int128 value, int power)
{
    for (; power > 0; power--) {
        if (value > QUANTITY_MAX / 10)
            return QUANTITY_MAX;
        value *= 10;
    }
    bool lost = false;
    for (; power < 0 && value; power++) {
        lost |= value % 10 != 0;
        value /= 10;
    }
    return lost ? value + 1 : value;
}

bool quantity_parse(struct slice text, struct quantity *ret_quantity)
{
    size_t at = 0;
    bool negative = false;
    if (at < text.len && (text.ptr[at] == '-' || text.ptr[at] == '+'))
        negative = text.ptr[at++] == '-';
    __int128 mantissa = 0;
    int power = 0, digits = 0;
    bool point = false, lost = false;
    for (; at < text.len; at++) {
        char c = text.ptr[at];
        if (c == '.') {
            if (point)
                return false;
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        digits++;
        if (mantissa < QUANTITY_MAX / 10) {
            mantissa = mantissa * 10 + (c - '0');
            power -= point ? 1 : 0;
        } else if (point) {
            lost |= c != '0';
        } else {
            power++;
        }
    }
    struct suffix suffix;
    if (digits == 0 || !parse_suffix(slice_from(text, at), &suffix))
        return false;
    if (lost)
        mantissa++;
    __int128 nano;
    if (suffix.format == QUANTITY_BINARY_SI) {
        nano = mantissa;
        for (int i = 0; i < suffix.exponent; i++)
            nano = nano > QUANTITY_MAX ? QUANTITY_MAX : nano * 2; /* below 2^127: QUANTITY_MAX is below 2^94 */
        nano = scale10(nano > QUANTITY_MAX ? QUANTITY_MAX : nano, power + 9);
    } else {
        nano = scale10(mantissa, power + 9 + suffix.exponent);
    }
    if (nano > QUANTITY_MAX)
        nano = QUANTITY_MAX;
    *ret_quantity = (struct quantity){.nano = negative ? -nano : nano, .format = suffix.format};
    return true;
}

int quantity_cmp(struct quantity a, struct quantity b)
{
    return a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0;
}

static __int128 cap(__int128 nano)
{
    return nano > QUANTITY_MAX ? QUANTITY_MAX : nano < -QUANTITY_MAX ? -QUANTITY_MAX : nano;
}

struct quantity quantity_add(struct quantity a, struct quantity b)
{
    return (struct quantity){.nano = cap(a.nano + b.nano), .format = a.nano ? a.format : b.format};
}

struct quantity quantity_sub(struct quantity a, struct quantity b)
{
    return (struct quantity){.nano = cap(a.nano - b.nano), .format = a.nano ? a.format : b.format};
}

struct slice quantity_to_text(struct arena *arena, struct quantity q)
{
    bool negative = q.nano < 0;
    unsigned __int128 value = negative ? (unsigned __int128)-q.nano : (unsigned __int128)q.nano;
    if (value == 0)
        return S("0");
    const char *sign = negative ? "-" : "";
    /* Binary only for whole amounts of 1024 and more, as CanonicalizeBytes decides. */
    if (q.format == QUANTITY_BINARY_SI && value % NANO == 0 && value / NANO >= 1024) {
        static const char *const binary[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
        uint64_t whole = (uint64_t)(value / NANO);
        size_t i = 0;
        for (; i + 1 < ARRAY_SIZE(binary) && whole % 1024 == 0; i++)
            whole /= 1024;
        return slice_fmt(arena, "%s%llu%s", sign, (unsigned long long)whole, binary[i]);
    }
    int exponent = -9;
    while (exponent < 18 && value % 1000 == 0) {
        value /= 1000;
        exponent += 3;
    }
    char digits[48];
    size_t at = sizeof(digits);
    for (; value; value /= 10)
        digits[--at] = (char)('0' + (int)(value % 10));
    struct slice number = {.ptr = digits + at, .len = sizeof(digits) - at};
    if (q.format == QUANTITY_DECIMAL_EXPONENT)
        return exponent ? slice_fmt(arena, "%s%.*se%d", sign, SLICE_ARG(number), exponent) : slice_fmt(arena, "%s%.*s", sign, SLICE_ARG(number));
    static const char *const decimal[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
    return slice_fmt(arena, "%s%.*s%s", sign, SLICE_ARG(number), decimal[(exponent + 9) / 3]);
}

static int64_t round_up(__int128 nano, __int128 unit)
{
    __int128 whole = nano / unit;
    if (nano % unit > 0)
        whole++;
    return whole > INT64_MAX ? INT64_MAX : whole < INT64_MIN ? INT64_MIN : (int64_t)whole;
}

int64_t quantity_to_milli(struct quantity q)
{
    return round_up(q.nano, NANO / 1000);
}

int64_t quantity_to_i64(struct quantity q)
{
    return round_up(q.nano, NANO);
}

int64_t quantity_json_to_milli(const struct json *value, int64_t otherwise)
{
    struct quantity q;
    bool have = value && (value->type == JSON_STRING || value->type == JSON_NUMBER) && quantity_parse(value->text, &q);
    return have ? quantity_to_milli(q) : otherwise;
}

int64_t quantity_json_to_i64(const struct json *value, int64_t otherwise)
{
    struct quantity q;
    bool have = value && (value->type == JSON_STRING || value->type == JSON_NUMBER) && quantity_parse(value->text, &q);
    return have ? quantity_to_i64(q) : otherwise;
}
