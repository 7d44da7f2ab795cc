/* config_fuzz: lines up to an empty one are emberd's arguments, the rest its file of options. It is refused with sentences, or the
 * configuration written out reads as the same one. */
#include "daemon/config.c"
#include "daemon/config_text.c"
#include "daemon/config_values.c"

#include "fuzz.h"
#include <sys/mman.h>
#include <unistd.h>

#define ARGUMENTS_MAX 16

static size_t read_config(struct arena *arena, struct slice file, char **arguments, size_t count, struct config *ret_config)
{
    char **argv = ARENA_ARRAY(arena, count + 4, char *);
    int fd = memfd_create("config", MFD_CLOEXEC), argc = 0;
    ENSURE(fd >= 0 && !fd_write_all(fd, file));
    argv[argc++] = slice_cstr(arena, S("emberd"));
    argv[argc++] = slice_cstr(arena, S("--config"));
    argv[argc++] = slice_cstr(arena, slice_fmt(arena, "/proc/self/fd/%d", fd));
    for (size_t i = 0; i < count; i++)
        argv[argc++] = arguments[i];
    const struct slice *problems;
    size_t problem_count = config_read(arena, argc, argv, ret_config, &problems);
    for (size_t i = 0; i < problem_count; i++)
        ENSURE(problems[i].len && slice_index(problems[i], '\n') < 0);
    close(fd);
    return problem_count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct slice rest = slice_of((const char *)data, size), line;
    char *arguments[ARGUMENTS_MAX];
    size_t count = 0;
    bool plain = true; /* arguments may have bytes that no line of a file may have */
    while ((line = input_line(&rest)).len) {
        for (size_t i = 0; i < line.len; i++)
            plain = plain && (unsigned char)line.ptr[i] > ' ';
        if (count < ARGUMENTS_MAX && !slice_starts_with(line, S("--config")))
            arguments[count++] = slice_cstr(arena, line);
    }
    struct config config, again;
    if (!read_config(arena, rest, arguments, count, &config) && plain && !config.help && !config.version) {
        ENSURE(config.data_dir[0] == '/' && config.account_id.len == 12 && config.node_count >= 1);
        struct strbuf written = STRBUF_ARENA(arena);
        config_write_values(&written, &config);
        ENSURE(!read_config(arena, strbuf_slice(&written), NULL, 0, &again));
        for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
            ENSURE(i == CONFIG_CONFIG || slice_eq(config_text(arena, &config, i), config_text(arena, &again, i)));
    }
    arena_free(arena);
    return 0;
}
