/* shell_split: one string into words, as a POSIX shell splits and unquotes it, and nothing else a shell does: no variables, no
 * globs, no comments ('#' is an ordinary character), no operators. EMR's sparkSubmitParameters and sparkSqlParameters are such
 * strings. Pure, any thread. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

/* Words are copied into the arena. Single quotes take all literally; in double quotes a backslash escapes $ ` " \ and newline
 * only; outside of quotes it escapes any character, and backslash-newline vanishes. CR LF counts as a newline.
 * ERR_INVALID: a quote that is not closed, or a backslash as the last character. */
struct err *shell_split(struct arena *arena, struct slice text, struct slice **ret_words, size_t *ret_count) NODISCARD;
