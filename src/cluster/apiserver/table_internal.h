/* table_internal: what the renderers of single kinds share. */
#pragma once
#include "cluster/apiserver/table.h"

/* Appends the cells of one row, in the order of the kind's columns. */
typedef void table_row_fn(struct arena *arena, const struct json *object, struct instant now, struct json *cells);

table_row_fn table_pod_row;
/* The row's conditions: NULL unless the pod has ended. */
struct json *table_pod_conditions(struct arena *arena, const struct json *pod);

void cell_text(struct arena *arena, struct json *cells, struct slice text);
/* text, or otherwise when absent or empty. */
void cell_text_or(struct arena *arena, struct json *cells, struct slice text, const char *otherwise);
void cell_age(struct arena *arena, struct json *cells, const struct json *object, struct instant now);
