#include "cluster/apiserver/strict.h"
#include "base/arena.h"

/* Members of one object past these are not looked at: the search is quadratic in them. */
#define KEYS_MAX 2048

struct scan {
    struct arena *arena;
    const char *at, *end;
    struct strbuf path;
    struct json *found;
};

static void skip_blanks(struct scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r'))
        scan->at++;
}

/* The raw text between the quotes; equal keys with different escapes are told apart, which at worst misses a warning. */
static struct slice scan_string(struct scan *scan)
{
    const char *start = ++scan->at;
    while (scan->at < scan->end && *scan->at != '"')
        scan->at += *scan->at == '\\' && scan->at + 1 < scan->end ? 2 : 1;
    struct slice text = slice_of(start, (size_t)(scan->at - start));
    if (scan->at < scan->end)
        scan->at++;
    return text;
}

static void scan_value(struct scan *scan);

static void scan_object(struct scan *scan)
{
    struct json *seen = json_object(scan->arena);
    size_t before = scan->path.len, count = 0;
    scan->at++;
    for (;;) {
        skip_blanks(scan);
        if (scan->at >= scan->end || *scan->at != '"')
            break;
        struct slice key = scan_string(scan);
        strbuf_append_fmt(&scan->path, "%s%.*s", before ? "." : "", SLICE_ARG(key));
        struct json *earlier = json_get(seen, key);
        if (!earlier && count++ < KEYS_MAX) {
            json_set(scan->arena, seen, key, json_bool(scan->arena, false));
        } else if (earlier && !earlier->boolean) {
            earlier->boolean = true;
            json_append(scan->found, json_fmt(scan->arena, "duplicate field \"%.*s\"", SLICE_ARG(strbuf_slice(&scan->path))));
        }
        skip_blanks(scan);
        if (scan->at < scan->end && *scan->at == ':')
            scan->at++;
        scan_value(scan);
        strbuf_truncate(&scan->path, before);
        skip_blanks(scan);
        if (scan->at >= scan->end || *scan->at != ',')
            break;
        scan->at++;
    }
    if (scan->at < scan->end)
        scan->at++;
}

static void scan_array(struct scan *scan)
{
    size_t before = scan->path.len, index = 0;
    scan->at++;
    for (;;) {
        skip_blanks(scan);
        if (scan->at >= scan->end || *scan->at == ']')
            break;
        strbuf_append_fmt(&scan->path, "[%zu]", index++);
        scan_value(scan);
        strbuf_truncate(&scan->path, before);
        skip_blanks(scan);
        if (scan->at >= scan->end || *scan->at != ',')
            break;
        scan->at++;
    }
    if (scan->at < scan->end)
        scan->at++;
}

static void scan_value(struct scan *scan)
{
    skip_blanks(scan);
    if (scan->at >= scan->end)
        return;
    if (*scan->at == '{') {
        scan_object(scan);
    } else if (*scan->at == '[') {
        scan_array(scan);
    } else if (*scan->at == '"') {
        (void)scan_string(scan);
    } else {
        while (scan->at < scan->end && *scan->at != ',' && *scan->at != '}' && *scan->at != ']')
            scan->at++;
    }
}

void strict_find_duplicates(struct arena *arena, struct slice text, struct json *found)
{
    struct scan scan = {.arena = arena, .at = text.ptr, .end = text.ptr + text.len, .path = STRBUF_ARENA(arena), .found = found};
    scan_value(&scan);
}
