/* fuzz: what the targets share. A property that does not hold ends the process with its text, which libFuzzer and the ordinary tests
 * both count as a finding. Inputs made of several parts: input_* cut them from the front. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENSURE(condition)                                                                     \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);    \
            abort();                                                                          \
        }                                                                                     \
    } while (0)

/* The next byte; 0 behind the end. */
static inline uint8_t input_byte(struct slice *input)
{
    uint8_t byte = input->len ? (uint8_t)input->ptr[0] : 0;
    *input = slice_from(*input, 1);
    return byte;
}

/* Up to the next line feed, which is dropped; never absent. */
static inline struct slice input_line(struct slice *input)
{
    ptrdiff_t end = slice_index(*input, '\n');
    struct slice line = end < 0 ? *input : slice_sub(*input, 0, (size_t)end);
    *input = slice_from(*input, end < 0 ? input->len : (size_t)end + 1);
    return line.ptr ? line : S("");
}

/* A sequence of sizes that only depends on the seed: for cutting bytes into pieces. */
static inline size_t piece_size(uint32_t *seed, size_t max)
{
    *seed = *seed * 1664525u + 1013904223u;
    return 1 + (*seed >> 16) % max;
}
