/* xml: expat behind the tree reader; the only file that includes it. */
#include "base/xml.h"
#include "base/arena.h"
#include <expat.h>
#include <string.h>

#define NAMESPACE_SEPARATOR '\n' /* cannot occur in a name */

struct reader {
    struct arena *arena;
    XML_Parser parser;
    struct xml_node *stack[XML_MAX_DEPTH];
    struct strbuf texts[XML_MAX_DEPTH];
    size_t depth, node_count;
    struct xml_node *root;
    const char *refused; /* why we stopped, where expat itself was content */
};

static struct slice local_name(struct arena *arena, const char *name)
{
    const char *cut = strrchr(name, NAMESPACE_SEPARATOR);
    return slice_dup_cstr(arena, cut ? cut + 1 : name);
}

static void refuse(struct reader *reader, const char *why)
{
    reader->refused = why;
    XML_StopParser(reader->parser, XML_FALSE);
}

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct reader *reader = data;
    if (reader->refused)
        return;
    if (reader->depth == XML_MAX_DEPTH) {
        refuse(reader, "nested too deep");
        return;
    }
    if (++reader->node_count > XML_MAX_NODES) {
        refuse(reader, "too many elements");
        return;
    }
    struct xml_node *node = ARENA_NEW(reader->arena, struct xml_node);
    node->name = local_name(reader->arena, name);
    const struct xml_attribute **end = &node->attributes;
    for (size_t i = 0; attributes[i]; i += 2) {
        struct xml_attribute *attribute = ARENA_NEW(reader->arena, struct xml_attribute);
        attribute->name = local_name(reader->arena, attributes[i]);
        attribute->value = slice_dup_cstr(reader->arena, attributes[i + 1]);
        *end = attribute;
        end = &attribute->next;
    }
    if (reader->depth > 0) {
        struct xml_node *parent = reader->stack[reader->depth - 1];
        if (parent->last)
            parent->last->next = node;
        else
            parent->first = node;
        parent->last = node;
    } else {
        reader->root = node;
    }
    reader->texts[reader->depth] = STRBUF_ARENA(reader->arena);
    reader->stack[reader->depth++] = node;
}

static void XMLCALL on_end(void *data, const XML_Char *name UNUSED)
{
    struct reader *reader = data;
    if (reader->refused || reader->depth == 0)
        return;
    reader->depth--;
    reader->stack[reader->depth]->text = strbuf_slice(&reader->texts[reader->depth]);
}

static void XMLCALL on_text(void *data, const XML_Char *text, int len)
{
    struct reader *reader = data;
    if (!reader->refused && reader->depth > 0 && len > 0)
        strbuf_append_bytes(&reader->texts[reader->depth - 1], text, (size_t)len);
}

static void XMLCALL on_doctype(void *data, const XML_Char *name UNUSED, const XML_Char *system_id UNUSED,
                               const XML_Char *public_id UNUSED, int has_internal_subset UNUSED)
{
    refuse(data, "a document type declaration is not allowed");
}

struct err *xml_parse(struct arena *arena, struct slice text, struct xml_node **ret_root)
{
    if (text.len > INT32_MAX)
        return err_new(ERR_INVALID, "XML: %zu bytes are too many", text.len);
    struct reader *reader = ARENA_NEW(arena, struct reader);
    reader->arena = arena;
    reader->parser = XML_ParserCreateNS("UTF-8", NAMESPACE_SEPARATOR);
    if (!reader->parser)
        return err_new(ERR_INTERNAL, "XML: no parser");
    XML_SetUserData(reader->parser, reader);
    XML_SetElementHandler(reader->parser, on_start, on_end);
    XML_SetCharacterDataHandler(reader->parser, on_text);
    XML_SetStartDoctypeDeclHandler(reader->parser, on_doctype);

    struct err *e = NULL;
    if (XML_Parse(reader->parser, text.ptr ? text.ptr : "", (int)text.len, 1) != XML_STATUS_OK || reader->refused)
        e = err_new(ERR_INVALID, "XML: line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(reader->parser),
                    reader->refused ? reader->refused : XML_ErrorString(XML_GetErrorCode(reader->parser)));
    XML_ParserFree(reader->parser);
    if (!e)
        *ret_root = reader->root;
    return e;
}

const struct xml_node *xml_child(const struct xml_node *node, struct slice name)
{
    XML_FOREACH(child, node)
    if (slice_eq(child->name, name))
        return child;
    return NULL;
}

void xml_open(struct strbuf *out, struct slice name)
{
    strbuf_append_char(out, '<');
    strbuf_append(out, name);
    strbuf_append_char(out, '>');
}

void xml_open_with_namespace(struct strbuf *out, struct slice name, struct slice namespace_uri)
{
    if (!namespace_uri.ptr) {
        xml_open(out, name);
        return;
    }
    strbuf_append_char(out, '<');
    strbuf_append(out, name);
    strbuf_append_cstr(out, " xmlns=\"");
    xml_write_text(out, namespace_uri);
    strbuf_append_cstr(out, "\">");
}

void xml_close(struct strbuf *out, struct slice name)
{
    strbuf_append_cstr(out, "</");
    strbuf_append(out, name);
    strbuf_append_char(out, '>');
}

void xml_write_element(struct strbuf *out, struct slice name, struct slice text)
{
    xml_open(out, name);
    xml_write_text(out, text);
    xml_close(out, name);
}

/* Length of the well-formed UTF-8 sequence at the front, 0 when there is none. */
static size_t utf8_sequence(struct slice s)
{
    unsigned char first = (unsigned char)s.ptr[0];
    size_t len = first < 0x80             ? 1
                 : (first & 0xe0) == 0xc0 ? 2
                 : (first & 0xf0) == 0xe0 ? 3
                 : (first & 0xf8) == 0xf0 ? 4
                                          : 0;
    return len && len <= s.len && slice_is_utf8(slice_sub(s, 0, len)) ? len : 0;
}

void xml_write_text(struct strbuf *out, struct slice text)
{
    for (size_t i = 0; i < text.len;) {
        char c = text.ptr[i];
        if (c == '&')
            strbuf_append_cstr(out, "&amp;");
        else if (c == '<')
            strbuf_append_cstr(out, "&lt;");
        else if (c == '>')
            strbuf_append_cstr(out, "&gt;");
        else if (c == '"')
            strbuf_append_cstr(out, "&quot;");
        else if (c == '\0')
            strbuf_append_cstr(out, "\xEF\xBF\xBD"); /* what no XML has in any form */
        else if ((unsigned char)c < 0x20 && c != '\n' && c != '\t')
            strbuf_append_fmt(out, "&#x%x;", (unsigned)c);
        else if ((unsigned char)c < 0x80)
            strbuf_append_char(out, c);
        else {
            size_t len = utf8_sequence(slice_from(text, i));
            strbuf_append(out, len ? slice_sub(text, i, len) : S("\xEF\xBF\xBD"));
            i += len ? len : 1;
            continue;
        }
        i++;
    }
}
