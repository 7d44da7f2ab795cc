/* table: lists as kubectl wants to print them (meta.k8s.io/v1 Table), and PartialObjectMetadata. Pure; ages are relative to now. */
#pragma once
#include "base/clock.h"
#include "base/json.h"
#include "cluster/apiserver/kinds.h"

enum table_include { TABLE_INCLUDE_METADATA, TABLE_INCLUDE_NONE, TABLE_INCLUDE_OBJECT };

/* Query parameter includeObject (absent: Metadata); 400 for anything else. */
struct err *table_include_parse(struct slice text, enum table_include *ret_include) NODISCARD;

struct table_options {
    enum table_include include;
    struct instant now;
    bool omit_columns; /* the second and later events of a watch: columnDefinitions is null */
};

/* objects: an array of objects of the kind, or one object. list_metadata (resourceVersion, continue, …) is cloned; NULL for a single
 * object: its own resourceVersion. The objects are cloned where they go in. */
struct json *table_render(struct arena *arena, const struct kind *kind, const struct json *objects, const struct json *list_metadata,
                          const struct table_options *options);
/* {kind: PartialObjectMetadata, apiVersion: meta.k8s.io/v1, metadata}. */
struct json *partial_object_metadata(struct arena *arena, const struct json *object);
struct json *partial_object_metadata_list(struct arena *arena, const struct json *objects, const struct json *list_metadata);
/* "5m10s", "3h", "2d", "<unknown>" as kubectl's AGE. */
struct slice age_text(struct arena *arena, struct slice timestamp, struct instant now);
