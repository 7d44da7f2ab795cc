/* xml: the one XML module. Reading makes a small tree of elements in an arena; writing appends to a strbuf.
 * Strict: no DOCTYPE, no entities but XML's own, UTF-8 (expat checks), at most XML_MAX_DEPTH deep and XML_MAX_NODES
 * elements. Namespaces are dropped: S3's clients send the same documents with and without them. Pure, any thread. */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"

#define XML_MAX_DEPTH 64
#define XML_MAX_NODES 200000

struct xml_attribute {
    struct slice name, value; /* local name */
    const struct xml_attribute *next;
};

struct xml_node {
    struct slice name; /* local name */
    struct slice text; /* the element's own character data, blanks kept; never absent */
    const struct xml_attribute *attributes;
    struct xml_node *first, *last, *next;
};

#define XML_FOREACH(child, parent)                                                                                     \
    for (const struct xml_node *child = (parent) ? (parent)->first : NULL; child; child = child->next)

/* ERR_INVALID with the line and what is wrong. Everything is copied into the arena. */
struct err *xml_parse(struct arena *arena, struct slice text, struct xml_node **ret_root) NODISCARD;
const struct xml_node *xml_child(const struct xml_node *node, struct slice name); /* the first of that name, or NULL */

/* <name>, </name>, <name>escaped text</name>; name is ours, never foreign. */
void xml_open(struct strbuf *out, struct slice name);
void xml_open_with_namespace(struct strbuf *out, struct slice name,
                             struct slice namespace_uri); /* absent: as xml_open */
void xml_close(struct strbuf *out, struct slice name);
void xml_write_element(struct strbuf *out, struct slice name, struct slice text);
/* & < > " and carriage returns escaped; other control bytes as references, as S3 writes them. Invalid UTF-8 becomes
 * U+FFFD. */
void xml_write_text(struct strbuf *out, struct slice text);
#define XML_DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
