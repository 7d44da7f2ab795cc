/* properties: the text format of java.util.Properties, as Spark reads spark-defaults.conf and writes spark.properties.
 * Pure, any thread. Source of the rules: java.util.Properties load(Reader), store(Writer). */
#pragma once
#include "base/err.h"
#include "base/strbuf.h"
#include "spark/conf.h"

/* Reads all lines into conf (set, last wins). With trim, values lose blanks at both ends but for CR and LF, as Spark's
 * Utils.getPropertiesFromFile does. ERR_INVALID: "Malformed \\uxxxx encoding." */
enum properties_trim { PROPERTIES_KEEP_BLANKS, PROPERTIES_TRIM_VALUES };
struct err *properties_read(struct slice text, enum properties_trim trim, enum spark_conf_source source,
                            struct spark_conf *conf) NODISCARD;
/* key=value and a newline with Java's escapes; characters past ASCII stay UTF-8, as with store(Writer). */
void properties_write_entry(struct strbuf *out, struct slice key, struct slice value);
/* "#" + comment + "\n"; line breaks in it are made safe as Java does (each continues with '#'). */
void properties_write_comment(struct strbuf *out, struct slice comment);
