/* yaml: reads one YAML document into a struct json, with the scalar rules that Kubernetes' own reader has (YAML 1.1 as
 * sigs.k8s.io/yaml understands it: y, on, no are booleans, 0777 is octal, 1:30 is a string, keys become strings, the
 * last of equal keys wins, << merges). For kubeconfigs, pod templates and application/yaml bodies. Pure; any thread. */
#pragma once
#include "base/err.h"
#include "base/json.h"

/* Text: at most 8 MiB. The first document of the stream; an empty stream is JSON null. At most 128 deep, at most
 * 200,000 nodes and 16 MiB of text after aliases were expanded. ERR_INVALID with the line (1-based) and what is wrong;
 * ERR_LIMIT past a bound. */
struct err *yaml_parse(struct arena *arena, struct slice text, struct json **ret_json) NODISCARD;
