/* mutex: locks with a place in one order, lock_ranks.def. In builds with EMBER_CHECK_LOCKS (meson: any sanitizer, or optimization 0 or g)
 * each thread keeps a list of what it holds, and the process ends with one sentence that names both locks and both places when
 *   - a lock is taken whose row is not below all that are held (so no two of one row either),
 *   - a lock is let go or destroyed by a thread that does not hold it or still holds it,
 *   - a thread waits, or does what thread_may_block() announces, while it holds a lock that its row calls LOCK_SHORT.
 * In all others these are the pthread calls themselves. Conditions are of the monotonic clock. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
#define LOCK(name, span, where, guards) LOCK_##name,
#include "base/lock_ranks.def"
#undef LOCK
    LOCK_RANK_COUNT
};

struct mutex {
    pthread_mutex_t handle;
#ifdef EMBER_CHECK_LOCKS
    enum lock_rank rank;
#endif
};

/* Many readers or one writer. */
struct rwlock {
    pthread_rwlock_t handle;
#ifdef EMBER_CHECK_LOCKS
    enum lock_rank rank;
#endif
};

struct condition {
    pthread_cond_t handle;
};

void condition_init(struct condition *condition);

static inline void condition_deinit(struct condition *condition)
{
    pthread_cond_destroy(&condition->handle);
}

static inline void condition_signal(struct condition *condition)
{
    pthread_cond_signal(&condition->handle);
}

static inline void condition_broadcast(struct condition *condition)
{
    pthread_cond_broadcast(&condition->handle);
}

/* deadline_ms as monotonic_ms() counts. False: it has passed. Spurious wake-ups are true: call in a loop over what is waited for. */
#define mutex_wait_until(condition, mutex, deadline_ms) mutex_wait_until_at((condition), (mutex), (deadline_ms), LOCK_PLACE_ARGS)

#ifdef EMBER_CHECK_LOCKS

#define LOCK_PLACE_ARGS __FILE__, __LINE__
void mutex_init(struct mutex *mutex, enum lock_rank rank);
void rwlock_init(struct rwlock *lock, enum lock_rank rank);
#define mutex_deinit(mutex) mutex_deinit_at((mutex), LOCK_PLACE_ARGS)
#define mutex_lock(mutex) mutex_lock_at((mutex), LOCK_PLACE_ARGS)
#define mutex_unlock(mutex) mutex_unlock_at((mutex), LOCK_PLACE_ARGS)
#define mutex_wait(condition, mutex) mutex_wait_at((condition), (mutex), LOCK_PLACE_ARGS)
#define rwlock_deinit(lock) rwlock_deinit_at((lock), LOCK_PLACE_ARGS)
#define rwlock_lock_read(lock) rwlock_lock_read_at((lock), LOCK_PLACE_ARGS)
#define rwlock_lock_write(lock) rwlock_lock_write_at((lock), LOCK_PLACE_ARGS)
#define rwlock_unlock(lock) rwlock_unlock_at((lock), LOCK_PLACE_ARGS)
/* Stands before what may take long: "a transaction". */
#define thread_may_block(what) thread_may_block_at((what), LOCK_PLACE_ARGS)

void mutex_deinit_at(struct mutex *mutex, const char *file, int line);
void mutex_lock_at(struct mutex *mutex, const char *file, int line);
void mutex_unlock_at(struct mutex *mutex, const char *file, int line);
void mutex_wait_at(struct condition *condition, struct mutex *mutex, const char *file, int line);
bool mutex_wait_until_at(struct condition *condition, struct mutex *mutex, int64_t deadline_ms, const char *file, int line);
void rwlock_deinit_at(struct rwlock *lock, const char *file, int line);
void rwlock_lock_read_at(struct rwlock *lock, const char *file, int line);
void rwlock_lock_write_at(struct rwlock *lock, const char *file, int line);
void rwlock_unlock_at(struct rwlock *lock, const char *file, int line);
void thread_may_block_at(const char *what, const char *file, int line);

#else

#define LOCK_PLACE_ARGS 0
bool mutex_wait_until_at(struct condition *condition, struct mutex *mutex, int64_t deadline_ms, int unused);

static inline void mutex_init(struct mutex *mutex, enum lock_rank rank)
{
    (void)rank;
    pthread_mutex_init(&mutex->handle, NULL);
}

static inline void mutex_deinit(struct mutex *mutex)
{
    pthread_mutex_destroy(&mutex->handle);
}

static inline void mutex_lock(struct mutex *mutex)
{
    pthread_mutex_lock(&mutex->handle);
}

static inline void mutex_unlock(struct mutex *mutex)
{
    pthread_mutex_unlock(&mutex->handle);
}

static inline void mutex_wait(struct condition *condition, struct mutex *mutex)
{
    pthread_cond_wait(&condition->handle, &mutex->handle);
}

static inline void rwlock_init(struct rwlock *lock, enum lock_rank rank)
{
    (void)rank;
    pthread_rwlock_init(&lock->handle, NULL);
}

static inline void rwlock_deinit(struct rwlock *lock)
{
    pthread_rwlock_destroy(&lock->handle);
}

static inline void rwlock_lock_read(struct rwlock *lock)
{
    pthread_rwlock_rdlock(&lock->handle);
}

static inline void rwlock_lock_write(struct rwlock *lock)
{
    pthread_rwlock_wrlock(&lock->handle);
}

static inline void rwlock_unlock(struct rwlock *lock)
{
    pthread_rwlock_unlock(&lock->handle);
}

#define thread_may_block(what) ((void)0)

#endif
