#include "base/similar.h"
#include <string.h>

#define NAME_MAX_BYTES 64

/* How many letters must be put in, taken out or changed; a and b are short. */
static size_t distance(struct slice a, struct slice b)
{
    size_t row[NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j], best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b.len];
}

const char *similar_name(struct slice name, const char *const *names, size_t count)
{
    char plain[NAME_MAX_BYTES];
    if (!name.len || name.len > sizeof(plain))
        return NULL;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        plain[i] = c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
    }
    const char *best = NULL;
    size_t least = name.len <= 4 ? 2 : 4; /* further away is another word */
    for (size_t i = 0; i < count; i++) {
        if (strlen(names[i]) > NAME_MAX_BYTES)
            continue;
        size_t d = distance(slice_of(plain, name.len), slice_from_cstr(names[i]));
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}
