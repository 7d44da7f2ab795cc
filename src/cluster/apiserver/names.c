#include "cluster/apiserver/names.h"
#include "base/arena.h"
#include "base/strbuf.h"
#include <arpa/inet.h>

#define LABEL_WORDS                                                                                                            \
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an "    \
    "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define SUBDOMAIN_WORDS                                                                                                        \
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end "   \
    "with an alphanumeric character (e.g. 'example.com', regex used for validation is "                                       \
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define DNS_1035_WORDS                                                                                                         \
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end " \
    "with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
#define NAME_PART_WORDS                                                                                                        \
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "   \
    "'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define LABEL_VALUE_WORDS                                                                                                      \
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end "    \
    "with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "              \
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
#define CONFIG_KEY_WORDS                                                                                                       \
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or "       \
    "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"

static bool is_lower_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool fits_label(struct slice name)
{
    if (name.len == 0 || !is_lower_alnum(name.ptr[0]) || !is_lower_alnum(name.ptr[name.len - 1]))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_lower_alnum(name.ptr[i]) && name.ptr[i] != '-')
            return false;
    return true;
}

static bool fits_subdomain(struct slice name)
{
    struct slice rest = name;
    if (name.len == 0)
        return false;
    while (rest.ptr)
        if (!fits_label(slice_cut(&rest, '.')))
            return false;
    return true;
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9] */
static bool fits_name_part(struct slice name)
{
    if (name.len == 0 || !is_alnum(name.ptr[0]) || !is_alnum(name.ptr[name.len - 1]))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!is_alnum(name.ptr[i]) && name.ptr[i] != '-' && name.ptr[i] != '_' && name.ptr[i] != '.')
            return false;
    return true;
}

const char *name_check_dns_subdomain(struct arena *arena, struct slice name)
{
    return name.len > 253 ? "must be no more than 253 characters" : fits_subdomain(name) ? NULL : SUBDOMAIN_WORDS;
}

const char *name_check_dns_label(struct arena *arena, struct slice name)
{
    return name.len > 63 ? "must be no more than 63 characters" : fits_label(name) ? NULL : LABEL_WORDS;
}

const char *name_check_dns_1035(struct arena *arena, struct slice name)
{
    bool letter = name.len && name.ptr[0] >= 'a' && name.ptr[0] <= 'z';
    return name.len > 63 ? "must be no more than 63 characters" : letter && fits_label(name) ? NULL : DNS_1035_WORDS;
}

const char *name_check_path_segment(struct arena *arena, struct slice name)
{
    if (slice_eq(name, S(".")))
        return "may not be '.'";
    if (slice_eq(name, S("..")))
        return "may not be '..'";
    if (slice_index(name, '/') >= 0)
        return "may not contain '/'";
    return slice_index(name, '%') >= 0 ? "may not contain '%'" : NULL;
}

/* bare: the words for a name that is malformed as a whole (three slashes). */
static const char *check_qualified(struct arena *arena, struct slice name, const char *subject)
{
    struct slice prefix = SLICE_NONE, rest = name, before, after;
    if (slice_split(name, '/', &before, &after)) {
        if (slice_index(after, '/') >= 0)
            return "a qualified name " NAME_PART_WORDS " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
        prefix = before;
        rest = after;
        if (prefix.len == 0)
            return "prefix part must be non-empty";
        const char *words = name_check_dns_subdomain(arena, prefix);
        if (words)
            return slice_cstr(arena, slice_fmt(arena, "prefix part %s", words));
    }
    if (rest.len == 0)
        return slice_cstr(arena, slice_fmt(arena, "%s must be non-empty", subject));
    if (rest.len > 63)
        return slice_cstr(arena, slice_fmt(arena, "%s must be no more than 63 characters", subject));
    return fits_name_part(rest) ? NULL : slice_cstr(arena, slice_fmt(arena, "%s %s", subject, NAME_PART_WORDS));
}

const char *name_check_qualified(struct arena *arena, struct slice name)
{
    return check_qualified(arena, name, "name part");
}

const char *name_check_label_key(struct arena *arena, struct slice name)
{
    return check_qualified(arena, name, "name part");
}

const char *name_check_label_value(struct arena *arena, struct slice value)
{
    return value.len > 63 ? "must be no more than 63 characters" : value.len == 0 || fits_name_part(value) ? NULL : LABEL_VALUE_WORDS;
}

const char *name_check_config_key(struct arena *arena, struct slice key)
{
    if (key.len > 253)
        return "must be no more than 253 characters";
    for (size_t i = 0; i < key.len; i++)
        if (!is_alnum(key.ptr[i]) && key.ptr[i] != '-' && key.ptr[i] != '_' && key.ptr[i] != '.')
            return CONFIG_KEY_WORDS;
    if (key.len == 0)
        return CONFIG_KEY_WORDS;
    if (slice_eq(key, S(".")))
        return "must not be '.'";
    if (slice_eq(key, S("..")))
        return "must not be '..'";
    return slice_starts_with(key, S("..")) ? "must not start with '..'" : NULL;
}

const char *name_check_env(struct arena *arena, struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < ' ' || name.ptr[i] > '~' || name.ptr[i] == '=')
            return "a valid environment variable name must consist only of printable ASCII characters other than '='";
    return NULL;
}

const char *name_check_port_name(struct arena *arena, struct slice name)
{
    if (name.len > 15)
        return "must be no more than 15 characters";
    bool letter = false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_lower_alnum(name.ptr[i]) && name.ptr[i] != '-')
            return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
        if (name.ptr[i] == '-' && i + 1 < name.len && name.ptr[i + 1] == '-')
            return "must not contain consecutive hyphens";
        letter |= name.ptr[i] >= 'a' && name.ptr[i] <= 'z';
    }
    if (!letter)
        return "must contain at least one letter (a-z)";
    return name.ptr[0] == '-' || name.ptr[name.len - 1] == '-' ? "must not begin or end with a hyphen" : NULL;
}

bool name_is_ip(struct slice text)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (text.len == 0 || text.len > INET6_ADDRSTRLEN || slice_has_nul(text))
        return false;
    struct strbuf copy = STRBUF_HEAP;
    strbuf_append(&copy, text);
    bool fine = inet_pton(AF_INET, copy.ptr, address) == 1 || inet_pton(AF_INET6, copy.ptr, address) == 1;
    strbuf_deinit(&copy);
    return fine;
}
