/* protobuf: bodies of type application/vnd.kubernetes.protobuf become JSON trees. Only decoding: answers stay JSON.
 * Wire: "k8s\0", then Unknown{1: TypeMeta{1: apiVersion, 2: kind}, 2: raw bytes, 3: encoding, 4: type}
 * (apimachinery runtime.Unknown). Bounded: depth 64, lengths checked; foreign bytes. */
#pragma once
#include "base/err.h"
#include "base/json.h"

/* The object as JSON would have it: apiVersion and kind first; zero values of the wire ("" and 0 and false, empty messages that
 * Go writes always) left out as unset where the JSON form leaves them out. fallback_message decodes kinds of no group of
 * ours (DeleteOptions). 400 with Kubernetes's words when malformed or of an unknown kind. */
struct err *protobuf_decode(struct arena *arena, struct slice body, struct json **ret_object) NODISCARD;
