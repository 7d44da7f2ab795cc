/* ini: the form of AWS's config and credentials files, line by line, so that what is not ours stays as it was. */
#include "cli/command.h"

/* The name between the brackets, or absent when the line is no section's. */
static struct slice section_of(struct slice line)
{
    struct slice t = slice_trim(line);
    if (t.len < 2 || t.ptr[0] != '[' || t.ptr[t.len - 1] != ']')
        return SLICE_NONE;
    return slice_trim(slice_sub(t, 1, t.len - 2));
}

/* "name = value"; indented lines belong to a nested setting. */
static bool setting_of(struct slice line, struct slice *ret_name, struct slice *ret_value)
{
    if (!line.len || line.ptr[0] == ' ' || line.ptr[0] == '\t' || line.ptr[0] == '#' || line.ptr[0] == ';')
        return false;
    if (!slice_split(line, '=', ret_name, ret_value))
        return false;
    *ret_name = slice_trim(*ret_name);
    *ret_value = slice_trim(*ret_value);
    return true;
}

struct slice ini_get(struct slice text, struct slice section, struct slice name)
{
    bool inside = false;
    for (struct slice rest = text; rest.ptr;) {
        struct slice line = slice_cut(&rest, '\n'), found = section_of(line), key, value;
        if (found.ptr)
            inside = slice_eq(found, section);
        else if (inside && setting_of(line, &key, &value) && slice_eq(key, name))
            return value;
    }
    return SLICE_NONE;
}

static bool is_ours(struct slice name, const struct ini_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq(settings[i].name, name))
            return true;
    return false;
}

static void write_settings(struct strbuf *out, const struct ini_setting *settings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        strbuf_append_fmt(out, "%.*s = %.*s\n", SLICE_ARG(settings[i].name), SLICE_ARG(settings[i].value));
}

struct slice ini_set(struct arena *arena, struct slice text, struct slice section, const struct ini_setting *settings, size_t count)
{
    struct strbuf out = STRBUF_ARENA(arena);
    bool inside = false, written = false;
    for (struct slice rest = text; rest.ptr && rest.len;) {
        struct slice line = slice_cut(&rest, '\n'), found = section_of(line), key, value;
        if (!found.ptr && inside && setting_of(line, &key, &value) && is_ours(key, settings, count))
            continue;
        strbuf_append(&out, line);
        strbuf_append_char(&out, '\n');
        if (found.ptr) {
            inside = slice_eq(found, section);
            if (inside && !written) {
                write_settings(&out, settings, count);
                written = true;
            }
        }
    }
    if (!written) {
        if (out.len)
            strbuf_append_char(&out, '\n');
        strbuf_append_fmt(&out, "[%.*s]\n", SLICE_ARG(section));
        write_settings(&out, settings, count);
    }
    return strbuf_slice(&out);
}
