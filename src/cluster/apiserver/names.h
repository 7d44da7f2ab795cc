/* names: the forms that Kubernetes allows for names, labels and keys, and its words for those that do not fit
 * (apimachinery's util/validation and api/validation). Each returns NULL when fine, else the words. Pure. */
#pragma once
#include "base/slice.h"

struct arena;

const char *name_check_dns_subdomain(struct arena *arena, struct slice name); /* 253 */
const char *name_check_dns_label(struct arena *arena, struct slice name);     /* RFC 1123, 63 */
const char *name_check_dns_1035(struct arena *arena, struct slice name);      /* starts with a letter, 63 */
const char *name_check_path_segment(struct arena *arena, struct slice name);
/* prefix/name, as label keys and finalizers have it. */
const char *name_check_qualified(struct arena *arena, struct slice name);
const char *name_check_label_key(struct arena *arena, struct slice name);
const char *name_check_label_value(struct arena *arena, struct slice value);
const char *name_check_config_key(struct arena *arena, struct slice key);
const char *name_check_env(struct arena *arena, struct slice name);
const char *name_check_port_name(struct arena *arena, struct slice name);
bool name_is_ip(struct slice text); /* IPv4 or IPv6 */
