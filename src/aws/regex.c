/* regex: a set of program states is carried over the text (Thompson's way), so hostile values cannot make it slow. */
#include "aws/regex.h"
#include <string.h>

struct states {
    uint16_t at[AWS_REGEX_MAX_INSTS];
    size_t count;
    bool in[AWS_REGEX_MAX_INSTS];
};

static bool class_has(const struct aws_regex_class *class_, uint32_t c)
{
    size_t low = 0, high = class_->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c < class_->ranges[middle].first)
            high = middle;
        else if (c > class_->ranges[middle].last)
            low = middle + 1;
        else
            return true;
    }
    return false;
}

/* Adds pc and all that is reached from it without reading; the states themselves are the work list. */
static void add(const struct aws_regex *regex, struct states *states, size_t pc, bool at_begin, bool at_end)
{
    size_t next = states->count;
    if (states->in[pc])
        return;
    states->in[pc] = true;
    states->at[states->count++] = (uint16_t)pc;
    for (; next < states->count; next++) {
        const struct aws_regex_inst *inst = &regex->insts[states->at[next]];
        size_t targets[2], count = 0;
        switch (inst->op) {
        case AWS_REGEX_SPLIT:
            targets[count++] = inst->x;
            targets[count++] = inst->y;
            break;
        case AWS_REGEX_JUMP:
            targets[count++] = inst->x;
            break;
        case AWS_REGEX_BEGIN:
            if (at_begin)
                targets[count++] = states->at[next] + 1u;
            break;
        case AWS_REGEX_END:
            if (at_end)
                targets[count++] = states->at[next] + 1u;
            break;
        case AWS_REGEX_CLASS:
        case AWS_REGEX_MATCH:
            break;
        }
        for (size_t i = 0; i < count; i++)
            if (!states->in[targets[i]]) {
                states->in[targets[i]] = true;
                states->at[states->count++] = (uint16_t)targets[i];
            }
    }
}

/* One code point of valid UTF-8. */
static uint32_t decode(struct slice text, size_t *at)
{
    unsigned char c = (unsigned char)text.ptr[(*at)++];
    if (c < 0x80)
        return c;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    uint32_t value = c & (0x3fu >> more);
    while (more-- > 0)
        value = value << 6 | ((unsigned char)text.ptr[(*at)++] & 0x3f);
    return value;
}

bool aws_regex_matches(const struct aws_regex *regex, struct slice text)
{
    if (!slice_is_utf8(text))
        return false;
    struct states sets[2];
    struct states *now = &sets[0], *next = &sets[1];
    now->count = 0;
    memset(now->in, 0, regex->count);
    add(regex, now, 0, true, text.len == 0);
    for (size_t at = 0; at < text.len;) {
        uint32_t c = decode(text, &at);
        next->count = 0;
        memset(next->in, 0, regex->count);
        for (size_t i = 0; i < now->count; i++) {
            const struct aws_regex_inst *inst = &regex->insts[now->at[i]];
            if (inst->op == AWS_REGEX_CLASS && class_has(inst->class_, c))
                add(regex, next, now->at[i] + 1u, false, at == text.len);
        }
        struct states *swap = now;
        now = next;
        next = swap;
        if (!now->count)
            return false;
    }
    for (size_t i = 0; i < now->count; i++)
        if (regex->insts[now->at[i]].op == AWS_REGEX_MATCH)
            return true;
    return false;
}
