/* Runs a fuzz target over every seed of a folder, as an ordinary test: replay TARGET's seeds-directory. */
#include "base/arena.h"
#include "base/fd.h"
#include <dirent.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
    if (!dir) {
        fprintf(stderr, "usage: %s SEEDS-DIRECTORY\n", argv[0]);
        return 2;
    }
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        struct arena *arena = arena_new();
        struct slice path = slice_fmt(arena, "%s/%s", argv[1], entry->d_name), data;
        struct err *e = file_read(arena, path.ptr, 16 << 20, &data);
        if (e) {
            fprintf(stderr, "%s\n", e->message);
            return 1;
        }
        /* An exact copy on the heap, so that a read past the end is seen. */
        uint8_t *copy = xmalloc(data.len);
        memcpy(copy, data.ptr, data.len);
        LLVMFuzzerTestOneInput(copy, data.len);
        freep(&copy);
        arena_free(arena);
        count++;
    }
    closedir(dir);
    printf("%d seeds\n", count);
    return count ? 0 : 1;
}
