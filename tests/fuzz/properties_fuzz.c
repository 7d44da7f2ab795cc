/* Java properties: what was read, written and read again is the same map. */
#include "spark/properties.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8192)
        return 0;
    struct arena *arena = arena_new();
    struct spark_conf first, second;
    spark_conf_init(&first, arena);
    spark_conf_init(&second, arena);
    struct err *e = properties_read(slice_of((const char *)data, size), PROPERTIES_KEEP_BLANKS, SPARK_CONF_APPLICATION, &first);
    if (!e) {
        struct strbuf out = STRBUF_ARENA(arena);
        SPARK_CONF_FOREACH(entry, &first)
            properties_write_entry(&out, entry->key, entry->value);
        e = properties_read(strbuf_slice(&out), PROPERTIES_KEEP_BLANKS, SPARK_CONF_APPLICATION, &second);
        if (e || first.count != second.count)
            abort();
        SPARK_CONF_FOREACH(entry, &first) {
            const struct spark_conf_entry *again = spark_conf_find(&second, entry->key);
            if (!again || !slice_eq(again->value, entry->value))
                abort();
        }
    }
    err_free(e);
    arena_free(arena);
    return 0;
}
