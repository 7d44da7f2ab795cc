#include "jobs/error_line.h"
#include "base/arena.h"
#include "base/json.h"

/* How much a line says about the end of the process, least first. */
enum rank {
    RANK_NONE,
    RANK_WARNED,    /* an exception that the log only warns of */
    RANK_MATCHING,  /* EMR's own (Error|Exception|Fail) */
    RANK_LOGGED,    /* log4j's ERROR, and the exception below it */
    RANK_EXCEPTION, /* an exception's line that no log has put there */
    RANK_TOOL,      /* why a program did not even begin: spark-submit, python, argparse */
    RANK_CRASH,     /* a traceback, an exception that ended a thread */
};

struct finding {
    enum rank rank;
    struct slice text;
};

struct parser {
    struct arena *arena;
    struct finding best, block; /* block: the trace that is being read */
    struct slice direct_cause;  /* of Python's next traceback */
    struct slice last_cause;    /* the exception before "The above exception …" */
    struct slice place;         /* File "x.py", line 3 */
    enum rank context;          /* of an exception that comes without a header: by the level of the log's line above it */
    bool in_traceback;          /* Python's, its exception has not come */
    bool wants_message;         /* the exception's line ended with its colon */
};

/* ---- kinds of lines ---- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

static bool is_name_byte(char c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '.';
}

static size_t name_length(struct slice line)
{
    size_t n = 0;
    while (n < line.len && is_name_byte(line.ptr[n]))
        n++;
    return n && is_letter(line.ptr[0]) ? n : 0;
}

/* "ValueError: no such column", "org.apache.spark.SparkException: Job aborted", "KeyboardInterrupt": a name as exceptions have it, then
 * a colon or the end. */
static bool is_exception(struct slice line)
{
    static const struct slice ENDS[] = {S_INIT("Error"), S_INIT("Exception"), S_INIT("Interrupt"), S_INIT("Exit"), S_INIT("Throwable")};
    size_t n = name_length(line);
    if (!n || (n < line.len && line.ptr[n] != ':'))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
        if (slice_ends_with(slice_sub(line, 0, n), ENDS[i]))
            return i != 0 || n > ENDS[i].len; /* "Error: " is what tools say */
    }
    return false;
}

/* "26/11/22 02:00:00 ERROR SparkContext: words", as the releases' log4j2.properties have it. */
static bool is_log_line(struct slice line, struct slice *ret_level, struct slice *ret_rest)
{
    static const char SHAPE[] = "00/00/00 00:00:00 ";
    if (line.len < sizeof(SHAPE))
        return false;
    for (size_t i = 0; i < sizeof(SHAPE) - 1; i++) {
        if (SHAPE[i] == '0' ? line.ptr[i] < '0' || line.ptr[i] > '9' : line.ptr[i] != SHAPE[i])
            return false;
    }
    struct slice rest = slice_from(line, sizeof(SHAPE) - 1);
    *ret_level = slice_cut(&rest, ' ');
    *ret_rest = rest.ptr ? slice_trim(rest) : S("");
    return true;
}

static bool skips(struct slice *line, struct slice prefix)
{
    if (!slice_starts_with(*line, prefix))
        return false;
    *line = slice_from(*line, prefix.len);
    return true;
}

/* "pets.py: error: the following arguments are required: --table", "python3: can't open file …", "Error: Failed to load class x.". */
static bool is_tools_line(struct slice line)
{
    ptrdiff_t error = slice_find(line, S(": error: "));
    if (error > 0 && slice_index(slice_sub(line, 0, (size_t)error), ' ') < 0)
        return true;
    return slice_starts_with(line, S("Error: ")) || slice_starts_with(line, S("ember: ")) || slice_find(line, S(": can't open file ")) > 0;
}

/* "[TABLE_OR_VIEW_NOT_FOUND] The table or view `cats` cannot be found.": Spark's SQL shell leaves out the exception's name. */
static bool begins_with_error_class(struct slice line)
{
    size_t n = 1;
    while (n < line.len && ((line.ptr[n] >= 'A' && line.ptr[n] <= 'Z') || (line.ptr[n] >= '0' && line.ptr[n] <= '9') || line.ptr[n] == '_' || line.ptr[n] == '.'))
        n++;
    return slice_starts_with(line, S("[")) && slice_index(slice_sub(line, 0, n), '_') > 1 && slice_starts_with(slice_from(line, n), S("] "));
}

static bool matches_emr(struct slice line)
{
    return slice_find(line, S("Error")) >= 0 || slice_find(line, S("Exception")) >= 0 || slice_find(line, S("Fail")) >= 0;
}

/* ---- which of two exceptions of one chain says more ---- */

static struct slice message_of(struct slice line)
{
    size_t n = name_length(line);
    return n < line.len && line.ptr[n] == ':' ? slice_trim(slice_from(line, n + 1)) : n == line.len ? S("") : line;
}

/* "org.apache.spark.SparkArithmeticException: [DIVIDE_BY_ZERO] Division by zero": Spark's own words for users. */
static bool has_error_class(struct slice line)
{
    struct slice message = message_of(line);
    return message.len > 2 && message.ptr[0] == '[' && message.ptr[1] >= 'A' && message.ptr[1] <= 'Z' && slice_index(message, ']') > 2;
}

/* What is behind the wrappings that Spark puts on one line: "Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times, most
 * recent failure: Lost task 0.3 in stage 0.0 (TID 3) (10.0.0.3 executor 1): the cause". */
static struct slice unwrapped(struct slice line)
{
    ptrdiff_t lost = slice_find(line, S(" failure: Lost task "));
    ptrdiff_t cause = lost < 0 ? -1 : slice_find(slice_from(line, (size_t)lost), S("): "));
    if (cause >= 0)
        line = slice_from(line, (size_t)lost + (size_t)cause + 3);
    (void)skips(&line, S("org.apache.spark.SparkException: Job aborted due to stage failure: "));
    ptrdiff_t thrown = slice_find(line, S("Exception thrown in awaitResult: "));
    if (thrown >= 0)
        line = slice_from(line, (size_t)thrown + sizeof("Exception thrown in awaitResult: ") - 1);
    static const struct slice CAUSED = S_INIT(" exited caused by one of the running tasks) Reason: ");
    ptrdiff_t reason = slice_find(line, CAUSED);
    if (reason >= 0)
        line = slice_from(line, (size_t)reason + CAUSED.len);
    (void)skips(&line, S("pyspark.errors.exceptions.captured."));
    (void)skips(&line, S("pyspark.errors.exceptions.base."));
    line = slice_trim(line);
    ptrdiff_t dot = has_error_class(line) ? slice_rindex(slice_sub(line, 0, name_length(line)), '.') : -1;
    return slice_from(line, (size_t)(dot + 1));
}

static bool is_wrapper(struct slice line)
{
    static const struct slice NAMES[] = {S_INIT("py4j.protocol.Py4JJavaError:"), S_INIT("java.lang.reflect.InvocationTargetException"),
                                         S_INIT("java.lang.reflect.UndeclaredThrowableException"), S_INIT("java.util.concurrent.ExecutionException"),
                                         S_INIT("java.util.concurrent.CompletionException"), S_INIT("org.apache.spark.SparkUserAppException"),
                                         S_INIT("org.apache.spark.SparkException: Job aborted"), S_INIT("java.lang.ExceptionInInitializerError"),
                                         S_INIT("org.apache.spark.SparkException: Exception thrown in"), S_INIT("java.security.PrivilegedActionException")};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        if (slice_starts_with(line, NAMES[i]))
            return true;
    }
    return message_of(line).len == 0;
}

/* The answer of a service says less than what was asked of it: "Not Found (Service: Amazon S3; Status Code: 404 …". */
static bool is_services_answer(struct slice line)
{
    return slice_find(line, S("(Service: ")) >= 0 && slice_find(line, S("Status Code: ")) >= 0;
}

/* ---- blocks ---- */

static void end_block(struct parser *p)
{
    if (p->block.rank && p->block.rank >= p->best.rank)
        p->best = p->block;
    p->block = (struct finding){0};
    p->in_traceback = p->wants_message = false;
}

static void begin_block(struct parser *p, enum rank rank, struct slice text)
{
    end_block(p);
    p->block = (struct finding){rank, unwrapped(text)};
}

/* The next exception of the chain that is being read, further in. */
static void add_cause(struct parser *p, struct slice line)
{
    line = unwrapped(line);
    if (!p->block.rank)
        p->block.rank = p->context;
    bool worse = p->block.text.len && !is_wrapper(p->block.text) &&
                 (is_wrapper(line) || is_services_answer(line) || (has_error_class(p->block.text) && !has_error_class(line)) || slice_ends_with(line, S("Traceback (most recent call last):")));
    if (!worse)
        p->block.text = line;
}

static void read_log_line(struct parser *p, struct slice level, struct slice words)
{
    end_block(p);
    p->direct_cause = p->place = SLICE_NONE;
    bool error = slice_eq(level, S("ERROR")) || slice_eq(level, S("FATAL"));
    p->context = error ? RANK_LOGGED : RANK_WARNED;
    if (!error)
        return;
    struct slice said = words;
    if (skips(&said, S("SparkSubmit: ")))
        p->context = RANK_TOOL;
    begin_block(p, p->context, p->context == RANK_TOOL ? said : words);
}

/* Python has told of its exception. */
static void read_exception(struct parser *p, struct slice line)
{
    bool of_python = p->in_traceback;
    struct slice text = unwrapped(line);
    if (p->place.len && (slice_starts_with(line, S("SyntaxError: ")) || slice_starts_with(line, S("IndentationError: ")) || slice_starts_with(line, S("TabError: "))))
        text = slice_fmt(p->arena, "%.*s (%.*s)", SLICE_ARG(slice_sub(line, 0, ERROR_LINE_MAX_BYTES / 2)), SLICE_ARG(slice_sub(p->place, 0, 128)));
    if (p->direct_cause.len)
        text = slice_fmt(p->arena, "%.*s (caused by %.*s)", SLICE_ARG(slice_sub(text, 0, ERROR_LINE_MAX_BYTES / 2)),
                         SLICE_ARG(slice_sub(p->direct_cause, 0, ERROR_LINE_MAX_BYTES / 3)));
    p->direct_cause = SLICE_NONE;
    if (of_python) {
        p->block.text = text;
        p->in_traceback = false;
    } else {
        begin_block(p, p->place.len ? RANK_CRASH : p->context, text);
    }
    p->last_cause = text;
    p->place = SLICE_NONE;
    p->wants_message = slice_ends_with(line, S(":"));
}

/* File "/opt/ember/entry/pets.py", line 3, in <module> */
static struct slice place_of(struct parser *p, struct slice line)
{
    ptrdiff_t end = slice_find(line, S("\", line "));
    struct slice path = end < 0 ? S("") : slice_sub(line, sizeof("File \"") - 1, (size_t)end - (sizeof("File \"") - 1));
    struct slice number = end < 0 ? S("") : slice_from(line, (size_t)end + sizeof("\", line ") - 1);
    size_t n = 0;
    while (n < number.len && number.ptr[n] >= '0' && number.ptr[n] <= '9')
        n++;
    ptrdiff_t slash = slice_rindex(path, '/');
    return slice_fmt(p->arena, "%.*s, line %.*s", SLICE_ARG(slice_sub(slice_from(path, (size_t)(slash + 1)), 0, 100)), SLICE_ARG(slice_sub(number, 0, n < 9 ? n : 9)));
}

static bool begins_traceback(struct slice line)
{
    return slice_starts_with(line, S("Traceback (most recent call last):"));
}

static void read_line(struct parser *p, struct slice whole)
{
    struct slice line = slice_trim(whole), level, words;
    bool indented = whole.len && (whole.ptr[0] == ' ' || whole.ptr[0] == '\t');
    if (!line.len)
        return;
    if (is_log_line(line, &level, &words)) {
        read_log_line(p, level, words);
    } else if (p->wants_message) {
        p->block.text = slice_fmt(p->arena, "%.*s %.*s", SLICE_ARG(slice_sub(p->block.text, 0, ERROR_LINE_MAX_BYTES / 4)), SLICE_ARG(slice_sub(line, 0, ERROR_LINE_MAX_BYTES / 2)));
        p->block.text = unwrapped(p->block.text);
        p->wants_message = false;
    } else if (begins_traceback(line)) {
        bool nested = p->block.rank && slice_ends_with(p->block.text, S("Traceback (most recent call last):"));
        if (!nested && !indented)
            begin_block(p, RANK_CRASH, line);
        p->in_traceback = true;
    } else if (slice_starts_with(line, S("File \"")) && indented) {
        p->place = place_of(p, line);
        p->in_traceback = p->in_traceback || slice_ends_with(p->block.text, S("Traceback (most recent call last):"));
    } else if (slice_starts_with(line, S("The above exception was the direct cause of the following exception"))) {
        p->direct_cause = p->last_cause;
    } else if (skips(&line, S("Exception in thread \""))) {
        (void)slice_cut(&line, '"');
        begin_block(p, RANK_CRASH, slice_trim(line.ptr ? line : S("")));
    } else if (slice_starts_with(line, S("Terminating due to "))) {
        begin_block(p, RANK_CRASH, line);
    } else if (skips(&line, S("Caused by: ")) || (!indented && p->block.rank && skips(&line, S(": ")))) {
        add_cause(p, line);
        p->wants_message = slice_ends_with(line, S(":")) && !slice_ends_with(line, S("Traceback (most recent call last):"));
    } else if (!indented && is_exception(line)) {
        read_exception(p, line);
    } else if (!indented && p->in_traceback && name_length(line) && (name_length(line) == line.len || line.ptr[name_length(line)] == ':')) {
        read_exception(p, line); /* of a class with a name of its own */
    } else if (!indented && is_tools_line(line)) {
        begin_block(p, RANK_TOOL, line);
    } else if (!indented && !p->block.rank && begins_with_error_class(line)) {
        begin_block(p, RANK_LOGGED, line); /* scripts too print what looks so */
    } else if (!p->block.rank && p->best.rank <= RANK_MATCHING && matches_emr(line)) {
        p->best = (struct finding){RANK_MATCHING, line};
    }
}

static struct finding find(struct arena *arena, struct slice tail)
{
    struct parser p = {.arena = arena, .context = RANK_EXCEPTION};
    struct slice rest = tail;
    while (rest.ptr)
        read_line(&p, slice_cut(&rest, '\n'));
    end_block(&p);
    if (slice_starts_with(p.best.text, S("Traceback (most recent"))) /* its end is not there */
        p.best = (struct finding){RANK_MATCHING, p.best.text};
    return p.best;
}

/* One line of UTF-8 that a terminal takes: other bytes become '?'. */
static struct slice cleaned(struct arena *arena, struct slice line)
{
    struct strbuf text = STRBUF_ARENA(arena);
    size_t len = line.len < ERROR_LINE_MAX_BYTES ? line.len : ERROR_LINE_MAX_BYTES;
    while (len && len < line.len && ((unsigned char)line.ptr[len] & 0xC0) == 0x80)
        len--;
    line = slice_sub(line, 0, len);
    bool utf8 = slice_is_utf8(line);
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        char out = c == '\t' ? ' ' : c < ' ' || c == 0x7F || (c >= 0x80 && !utf8) ? '?' : (char)c;
        strbuf_append(&text, slice_of(&out, 1));
    }
    return slice_trim(strbuf_slice(&text));
}

struct slice error_line_find(struct arena *arena, struct slice stderr_tail, struct slice stdout_tail)
{
    struct finding err = find(arena, stderr_tail), out = find(arena, stdout_tail);
    struct finding *best = out.rank > err.rank ? &out : &err;
    return best->rank && best->text.len ? cleaned(arena, best->text) : SLICE_NONE;
}

/* "…KubernetesClientException: Failure executing: POST at: https://…/namespaces/ns/pods. Message: pods "x-exec-1" is forbidden: exceeded quota:
 * … limited: pods=2. Received status: Status(…", as fabric8's client tells of any refusal. */
static struct slice refused_pod(struct slice line)
{
    static const struct slice POSTED = S_INIT("KubernetesClientException: Failure executing: POST at: "), PODS = S_INIT("/pods. Message: "),
                              FORBIDDEN = S_INIT(" is forbidden: ");
    ptrdiff_t at = slice_find(line, POSTED);
    ptrdiff_t message = at < 0 ? -1 : slice_find(slice_from(line, (size_t)at), PODS);
    if (message < 0)
        return SLICE_NONE;
    line = slice_from(line, (size_t)at + (size_t)message + PODS.len);
    ptrdiff_t end = slice_find(line, S(". Received status: "));
    line = end < 0 ? line : slice_sub(line, 0, (size_t)end);
    ptrdiff_t why = slice_find(line, FORBIDDEN);
    line = slice_trim(why < 0 ? line : slice_from(line, (size_t)why + FORBIDDEN.len));
    return slice_ends_with(line, S(".")) ? slice_sub(line, 0, line.len - 1) : line;
}

struct slice error_line_refused_pod(struct arena *arena, struct slice stderr_tail)
{
    struct slice rest = stderr_tail, last = SLICE_NONE;
    while (rest.ptr) {
        struct slice found = refused_pod(slice_cut(&rest, '\n'));
        last = found.len ? found : last;
    }
    return last.len ? cleaned(arena, last) : SLICE_NONE;
}
