/* regex_fuzz: two bytes choose one of the patterns that the served models have, the rest is the text. A plain recursive matcher over the
 * same program, with a table of what was tried, must agree. */
#include "aws/regex.h"
#include "fuzz.h"
#include <string.h>

#define TEXT_MAX 300

static const struct aws_regex *patterns[4096];
static size_t pattern_count;

static void collect(const struct aws_shape *shape, int depth)
{
    if (!shape || depth > 12 || pattern_count == ARRAY_SIZE(patterns))
        return;
    for (size_t i = 0; shape->pattern && i < pattern_count; i++)
        if (patterns[i] == shape->pattern)
            return;
    if (shape->pattern)
        patterns[pattern_count++] = shape->pattern;
    collect(shape->item, depth + 1);
    collect(shape->key, depth + 1);
    for (size_t i = 0; i < shape->member_count; i++)
        collect(shape->members[i].shape, depth + 1);
}

/* Code points of UTF-8 text; -1: it is none. */
static int decode(struct slice text, uint32_t *points)
{
    int count = 0;
    for (size_t i = 0; i < text.len;) {
        unsigned char c = (unsigned char)text.ptr[i];
        size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if (!slice_is_utf8(slice_sub(text, i, len)) || i + len > text.len)
            return -1;
        uint32_t point = len == 1 ? c : c & (0xffu >> (len + 1));
        for (size_t k = 1; k < len; k++)
            point = point << 6 | ((unsigned char)text.ptr[i + k] & 0x3f);
        points[count++] = point;
        i += len;
    }
    return count;
}

struct matcher {
    const struct aws_regex *regex;
    uint32_t points[TEXT_MAX];
    int count;
    bool (*tried)[TEXT_MAX + 1];
};

static bool in_class(const struct aws_regex_class *class_, uint32_t point)
{
    for (size_t i = 0; i < class_->count; i++)
        if (point >= class_->ranges[i].first && point <= class_->ranges[i].last)
            return true;
    return false;
}

static bool run(struct matcher *m, size_t pc, int at)
{
    ENSURE(pc < m->regex->count);
    if (m->tried[pc][at])
        return false;
    m->tried[pc][at] = true;
    const struct aws_regex_inst *inst = &m->regex->insts[pc];
    switch (inst->op) {
    case AWS_REGEX_CLASS:
        return at < m->count && in_class(inst->class_, m->points[at]) && run(m, pc + 1, at + 1);
    case AWS_REGEX_SPLIT:
        return run(m, inst->x, at) || run(m, inst->y, at);
    case AWS_REGEX_JUMP:
        return run(m, inst->x, at);
    case AWS_REGEX_BEGIN:
        return at == 0 && run(m, pc + 1, at);
    case AWS_REGEX_END:
        return at == m->count && run(m, pc + 1, at);
    case AWS_REGEX_MATCH:
        return at == m->count;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t s = 0; !pattern_count && s < aws_service_count; s++)
        for (size_t o = 0; o < aws_services[s]->operation_count; o++)
            collect(aws_services[s]->operations[o].request, 0);
    struct slice input = slice_of((const char *)data, size);
    size_t which = input_byte(&input) * 256u;
    which += input_byte(&input);
    const struct aws_regex *regex = patterns[which % pattern_count];
    struct arena *arena = arena_new();
    bool matches = aws_regex_matches(regex, input);
    struct matcher m = {.regex = regex, .tried = arena_alloc(arena, (TEXT_MAX + 1) * regex->count)};
    if (input.len <= TEXT_MAX) {
        m.count = decode(input, m.points);
        ENSURE(matches == (m.count >= 0 && run(&m, 0, 0)));
    }
    arena_free(arena);
    return 0;
}
