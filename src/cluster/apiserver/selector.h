/* selector: label and field selectors, of query parameters and of LabelSelector objects. Parsed into an arena, matched often;
 * after parsing immutable, so any thread. Parse errors are 400 Statuses with Kubernetes's words. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "cluster/apiserver/kinds.h"

struct label_selector; /* NULL matches everything */
struct field_selector; /* NULL matches everything */

struct err *label_selector_parse(struct arena *arena, struct slice text, const struct label_selector **ret_selector) NODISCARD;
/* {matchLabels, matchExpressions}; NULL or absent selects nothing (ret NULL is "everything", so a selector that never matches comes back);
 * {} selects everything. */
const struct label_selector *label_selector_from_json(struct arena *arena, const struct json *selector);
/* A plain map (Service spec.selector): every pair must be there; an absent or empty map matches nothing. */
bool labels_match_map(const struct json *map, const struct json *labels);
/* labels: metadata.labels; NULL: none. */
bool label_selector_matches(const struct label_selector *selector, const struct json *labels);
/* Same text form as Kubernetes's String(), for tables: "a=b,c in (d,e)". */
struct slice label_selector_json_to_text(struct arena *arena, const struct json *selector);

/* 400 `field label not supported: X` for fields that the kind does not index. */
struct err *field_selector_parse(struct arena *arena, const struct kind *kind, struct slice text,
                                 const struct field_selector **ret_selector) NODISCARD;
/* object: an object (an event in either form), or the index of a stored one. */
bool field_selector_matches(const struct field_selector *selector, const struct json *object);
/* The name when the selector demands one (metadata.name=X), for authorization and quick look-ups; else absent. */
struct slice field_selector_name(const struct field_selector *selector);
