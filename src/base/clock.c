#include "base/clock.h"
#include "base/arena.h"
#include <stdio.h>
#include <time.h>

struct instant instant_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (struct instant){.ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000};
}

int64_t monotonic_ms(void)
{
    return monotonic_us() / 1000;
}

int64_t monotonic_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Proleptic Gregorian, any sign (Howard Hinnant's days_from_civil idea, written anew). */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t yoe = year - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

struct civil {
    int64_t year;
    int month, day, hour, minute, second, ms, weekday; /* weekday 0 = Sunday */
};

static struct civil civil_of(struct instant t)
{
    int64_t days = t.ms / 86400000, rest = t.ms % 86400000;
    if (rest < 0) {
        rest += 86400000;
        days--;
    }
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    struct civil c = {.day = (int)(doy - (153 * mp + 2) / 5 + 1), .month = (int)(mp < 10 ? mp + 3 : mp - 9)};
    c.year = yoe + era * 400 + (c.month <= 2);
    c.weekday = (int)(((days + 4) % 7 + 7) % 7);
    c.hour = (int)(rest / 3600000);
    c.minute = (int)(rest / 60000 % 60);
    c.second = (int)(rest / 1000 % 60);
    c.ms = (int)(rest % 1000);
    return c;
}

struct slice instant_iso8601(struct arena *arena, struct instant t)
{
    struct civil c = civil_of(t);
    return slice_fmt(arena, "%04lld-%02d-%02dT%02d:%02d:%02dZ", (long long)c.year, c.month, c.day, c.hour, c.minute,
                     c.second);
}

struct slice instant_iso8601_ms(struct arena *arena, struct instant t)
{
    struct civil c = civil_of(t);
    return slice_fmt(arena, "%04lld-%02d-%02dT%02d:%02d:%02d.%03dZ", (long long)c.year, c.month, c.day, c.hour, c.minute,
                     c.second, c.ms);
}

struct slice instant_basic(struct arena *arena, struct instant t)
{
    struct civil c = civil_of(t);
    return slice_fmt(arena, "%04lld%02d%02dT%02d%02d%02dZ", (long long)c.year, c.month, c.day, c.hour, c.minute, c.second);
}

static const char *const WEEKDAYS[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const MONTHS[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct slice instant_rfc1123(struct arena *arena, struct instant t)
{
    struct civil c = civil_of(t);
    return slice_fmt(arena, "%s, %02d %s %04lld %02d:%02d:%02d GMT", WEEKDAYS[c.weekday], c.day, MONTHS[c.month - 1],
                     (long long)c.year, c.hour, c.minute, c.second);
}

static bool digits(struct slice *s, size_t count, int *ret_value)
{
    if (s->len < count)
        return false;
    int v = 0;
    for (size_t i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        v = v * 10 + (s->ptr[i] - '0');
    }
    *s = slice_from(*s, count);
    *ret_value = v;
    return true;
}

static bool literal(struct slice *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c)
        return false;
    *s = slice_from(*s, 1);
    return true;
}

static bool civil_to_instant(const struct civil *c, struct instant *ret_t)
{
    static const int DAYS[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > DAYS[c->month - 1] || c->hour > 23 || c->minute > 59 ||
        c->second > 60)
        return false;
    if (c->month == 2 && c->day == 29 && (c->year % 4 != 0 || (c->year % 100 == 0 && c->year % 400 != 0)))
        return false;
    int64_t seconds = days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 + c->second;
    *ret_t = (struct instant){.ms = seconds * 1000 + c->ms};
    return true;
}

bool instant_parse_iso8601(struct slice text, struct instant *ret_t)
{
    struct civil c = {0};
    int year;
    struct slice s = text;
    if (!digits(&s, 4, &year) || !literal(&s, '-') || !digits(&s, 2, &c.month) || !literal(&s, '-') ||
        !digits(&s, 2, &c.day))
        return false;
    if (!literal(&s, 'T') && !literal(&s, 't') && !literal(&s, ' '))
        return false;
    if (!digits(&s, 2, &c.hour) || !literal(&s, ':') || !digits(&s, 2, &c.minute) || !literal(&s, ':') ||
        !digits(&s, 2, &c.second))
        return false;
    c.year = year;
    if (literal(&s, '.')) {
        int scale = 100, d;
        if (s.len == 0 || s.ptr[0] < '0' || s.ptr[0] > '9')
            return false;
        while (digits(&s, 1, &d)) {
            c.ms += d * scale;
            scale /= 10;
        }
    }
    int64_t offset_minutes = 0;
    if (s.len == 1 && (s.ptr[0] == 'Z' || s.ptr[0] == 'z')) {
        s = slice_from(s, 1);
    } else {
        int sign = literal(&s, '+') ? 1 : literal(&s, '-') ? -1 : 0, h, m;
        if (!sign || !digits(&s, 2, &h) || h > 23)
            return false;
        (void)literal(&s, ':');
        if (!digits(&s, 2, &m) || m > 59)
            return false;
        offset_minutes = sign * (h * 60 + m);
    }
    struct instant t;
    if (s.len || !civil_to_instant(&c, &t))
        return false;
    ret_t->ms = t.ms - offset_minutes * 60000;
    return true;
}

bool instant_parse_basic(struct slice text, struct instant *ret_t)
{
    struct civil c = {0};
    int year;
    struct slice s = text;
    if (!digits(&s, 4, &year) || !digits(&s, 2, &c.month) || !digits(&s, 2, &c.day) || !literal(&s, 'T') ||
        !digits(&s, 2, &c.hour) || !digits(&s, 2, &c.minute) || !digits(&s, 2, &c.second) || !literal(&s, 'Z') || s.len)
        return false;
    c.year = year;
    return civil_to_instant(&c, ret_t);
}

bool instant_parse_rfc1123(struct slice text, struct instant *ret_t)
{
    struct slice s = text;
    ptrdiff_t comma = slice_index(s, ',');
    if (comma != 3)
        return false;
    s = slice_from(s, 4);
    struct civil c = {0};
    int year;
    if (!literal(&s, ' ') || !digits(&s, 2, &c.day) || !literal(&s, ' ') || s.len < 3)
        return false;
    for (int i = 0; i < 12; i++) {
        if (slice_eq(slice_sub(s, 0, 3), slice_from_cstr(MONTHS[i])))
            c.month = i + 1;
    }
    s = slice_from(s, 3);
    if (!literal(&s, ' ') || !digits(&s, 4, &year) || !literal(&s, ' ') || !digits(&s, 2, &c.hour) || !literal(&s, ':') ||
        !digits(&s, 2, &c.minute) || !literal(&s, ':') || !digits(&s, 2, &c.second) || !slice_eq(s, S(" GMT")))
        return false;
    c.year = year;
    return civil_to_instant(&c, ret_t);
}
