/* ini_fuzz: lines one to three a section, a name and a value, four and five another section and name; the rest a foreign credentials file. What is set is read
 * again, doing it twice is doing it once, and no other section loses a setting. */
#include "cli/ini.c"

#include "fuzz.h"

static bool is_plain(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == '=' || s.ptr[i] == '[' || s.ptr[i] == ']' || s.ptr[i] == '#' || s.ptr[i] == ';')
            return false;
    return s.len > 0 && slice_trim(s).len == s.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice rest = slice_of((const char *)data, size), section = input_line(&rest), name = input_line(&rest), value = input_line(&rest);
    struct slice other = input_line(&rest), other_name = input_line(&rest);
    (void)ini_get(rest, section, name);
    if (is_plain(section) && is_plain(name) && is_plain(value)) {
        struct ini_setting settings[] = {{name, value}, {S("another_setting"), S("x y")}};
        struct slice once = ini_set(arena, rest, section, settings, 2), twice = ini_set(arena, once, section, settings, 2);
        ENSURE(slice_eq(ini_get(once, section, name), value));
        ENSURE(slice_eq(once, twice));
        if (!slice_eq(other, section))
            ENSURE(slice_eq(ini_get(once, other, other_name), ini_get(rest, other, other_name)));
    }
    arena_free(arena);
    return 0;
}
