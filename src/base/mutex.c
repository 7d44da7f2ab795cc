/* mutex: see mutex.h. The list of held locks is the thread's own, so checking takes no lock. */
#include "base/mutex.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void condition_init(struct condition *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition->handle, &attributes);
    pthread_condattr_destroy(&attributes);
}

static bool wait_until(struct condition *condition, struct mutex *mutex, int64_t deadline_ms)
{
    struct timespec at = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    return pthread_cond_timedwait(&condition->handle, &mutex->handle, &at) != ETIMEDOUT;
}

#ifndef EMBER_CHECK_LOCKS

bool mutex_wait_until_at(struct condition *condition, struct mutex *mutex, int64_t deadline_ms, int unused)
{
    (void)unused;
    return wait_until(condition, mutex, deadline_ms);
}

#else

enum lock_span { LOCK_SHORT, LOCK_LONG };

static const struct {
    const char *name;
    enum lock_span span;
} ranks[] = {
#define LOCK(name, span, where, guards) {#name, span},
#include "base/lock_ranks.def"
#undef LOCK
};

struct held {
    const void *lock;
    enum lock_rank rank;
    const char *file;
    int line;
};

/* Ranks only grow, so no thread ever holds more than there are. */
static _Thread_local struct held held[LOCK_RANK_COUNT];
static _Thread_local size_t held_count;

/* From the top of the tree: the compiler was told the way from the build's directory. */
static const char *in_tree(const char *file)
{
    const char *src = strstr(file, "src/");
    return src ? src : file;
}

#define PLACE_FMT "%s:%d"
#define PLACE_ARG(file, line) in_tree(file), (line)

static _Noreturn void die(void)
{
    fflush(stderr);
    abort();
}

static void note_taken(const void *lock, enum lock_rank rank, const char *file, int line)
{
    const struct held *top = held_count ? &held[held_count - 1] : NULL;
    if (top && top->rank >= rank) {
        fprintf(stderr, "ember: lock order: %s is taken at " PLACE_FMT " while %s is held since " PLACE_FMT "%s\n", ranks[rank].name,
                PLACE_ARG(file, line), ranks[top->rank].name, PLACE_ARG(top->file, top->line),
                top->lock == lock        ? ": it is the same lock"
                : top->rank == rank      ? ": no two of one rank"
                                         : ", which lock_ranks.def puts further in");
        die();
    }
    held[held_count++] = (struct held){lock, rank, file, line};
}

/* Locks may be let go in any order, so what was taken later moves up. */
static void note_let_go(const void *lock, enum lock_rank rank, const char *file, int line)
{
    for (size_t i = held_count; i-- > 0;) {
        if (held[i].lock == lock) {
            memmove(&held[i], &held[i + 1], (--held_count - i) * sizeof(held[0]));
            return;
        }
    }
    fprintf(stderr, "ember: lock order: %s is let go at " PLACE_FMT " by a thread that does not hold it\n", ranks[rank].name,
            PLACE_ARG(file, line));
    die();
}

static void check_unheld(const void *lock, enum lock_rank rank, const char *file, int line)
{
    for (size_t i = 0; i < held_count; i++) {
        if (held[i].lock == lock) {
            fprintf(stderr, "ember: lock order: %s is destroyed at " PLACE_FMT " while it is held since " PLACE_FMT "\n", ranks[rank].name,
                    PLACE_ARG(file, line), PLACE_ARG(held[i].file, held[i].line));
            die();
        }
    }
}

/* but: the lock that a wait lets go; NULL for none. */
static void check_blocking(const char *what, const void *but, const char *file, int line)
{
    for (size_t i = 0; i < held_count; i++) {
        if (held[i].lock != but && ranks[held[i].rank].span == LOCK_SHORT) {
            fprintf(stderr, "ember: lock order: %s at " PLACE_FMT " while %s is held since " PLACE_FMT ", which lock_ranks.def calls short\n",
                    what, PLACE_ARG(file, line), ranks[held[i].rank].name, PLACE_ARG(held[i].file, held[i].line));
            die();
        }
    }
}

void thread_may_block_at(const char *what, const char *file, int line)
{
    check_blocking(what, NULL, file, line);
}

void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
    pthread_mutex_init(&mutex->handle, NULL);
    mutex->rank = rank;
}

void mutex_deinit_at(struct mutex *mutex, const char *file, int line)
{
    check_unheld(mutex, mutex->rank, file, line);
    pthread_mutex_destroy(&mutex->handle);
}

/* Noted before it is taken, so that what would be a deadlock is told. */
void mutex_lock_at(struct mutex *mutex, const char *file, int line)
{
    note_taken(mutex, mutex->rank, file, line);
    pthread_mutex_lock(&mutex->handle);
}

void mutex_unlock_at(struct mutex *mutex, const char *file, int line)
{
    note_let_go(mutex, mutex->rank, file, line);
    pthread_mutex_unlock(&mutex->handle);
}

static void check_wait(struct condition *condition, struct mutex *mutex, const char *file, int line)
{
    (void)condition;
    char what[80];
    snprintf(what, sizeof(what), "a wait with %s", ranks[mutex->rank].name);
    check_blocking(what, mutex, file, line);
    for (size_t i = 0; i < held_count; i++)
        if (held[i].lock == mutex)
            return;
    note_let_go(mutex, mutex->rank, file, line); /* says that it is not held */
}

void mutex_wait_at(struct condition *condition, struct mutex *mutex, const char *file, int line)
{
    check_wait(condition, mutex, file, line);
    pthread_cond_wait(&condition->handle, &mutex->handle);
}

bool mutex_wait_until_at(struct condition *condition, struct mutex *mutex, int64_t deadline_ms, const char *file, int line)
{
    check_wait(condition, mutex, file, line);
    return wait_until(condition, mutex, deadline_ms);
}

void rwlock_init(struct rwlock *lock, enum lock_rank rank)
{
    pthread_rwlock_init(&lock->handle, NULL);
    lock->rank = rank;
}

void rwlock_deinit_at(struct rwlock *lock, const char *file, int line)
{
    check_unheld(lock, lock->rank, file, line);
    pthread_rwlock_destroy(&lock->handle);
}

void rwlock_lock_read_at(struct rwlock *lock, const char *file, int line)
{
    note_taken(lock, lock->rank, file, line);
    pthread_rwlock_rdlock(&lock->handle);
}

void rwlock_lock_write_at(struct rwlock *lock, const char *file, int line)
{
    note_taken(lock, lock->rank, file, line);
    pthread_rwlock_wrlock(&lock->handle);
}

void rwlock_unlock_at(struct rwlock *lock, const char *file, int line)
{
    note_let_go(lock, lock->rank, file, line);
    pthread_rwlock_unlock(&lock->handle);
}

#endif
