/* notes: slices that grow in an arena; lines for the log, words of a command line. For this folder only. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"

struct spark_notes {
    struct arena *arena;
    struct slice *items;
    size_t count, cap;
};

void spark_notes_add(struct spark_notes *notes, struct slice line); /* borrows line */
#define spark_notes_fmt(notes, ...) spark_notes_add((notes), slice_fmt((notes)->arena, __VA_ARGS__))
