/* rate_limit: buckets in a hash table and, by their last use, in a list. */
#include "edge/rate_limit.h"
#include "base/arena.h"
#include "base/mutex.h"
#include <stdlib.h>
#include <string.h>

/* A request's price: with it, a microsecond at N a minute is worth N. */
#define PRICE ((int64_t)60 * 1000 * 1000)

struct bucket {
    struct bucket *chain;          /* of the same hash */
    struct bucket *newer, *older;
    uint64_t hash;
    int64_t left; /* in parts of PRICE */
    int64_t filled_at_us;
    size_t key_len;
    char key[];
};

struct rate_limiter {
    struct mutex lock; /* guards all below */
    struct bucket **heads;
    size_t head_count, count, max;
    struct bucket *newest, *oldest;
};

struct rate_limiter *rate_limiter_new(size_t max_buckets)
{
    struct rate_limiter *limiter = xcalloc(1, sizeof(*limiter));
    mutex_init(&limiter->lock, LOCK_RATE_LIMIT);
    limiter->max = max_buckets;
    limiter->head_count = max_buckets * 2;
    limiter->heads = xcalloc(limiter->head_count, sizeof(*limiter->heads));
    return limiter;
}

void rate_limiter_free(struct rate_limiter *limiter)
{
    if (!limiter)
        return;
    for (struct bucket *b = limiter->newest; b;) {
        struct bucket *next = b->older;
        free(b);
        b = next;
    }
    free(limiter->heads);
    mutex_deinit(&limiter->lock);
    free(limiter);
}

static void list_remove(struct rate_limiter *limiter, struct bucket *b)
{
    *(b->newer ? &b->newer->older : &limiter->newest) = b->older;
    *(b->older ? &b->older->newer : &limiter->oldest) = b->newer;
}

static void list_add(struct rate_limiter *limiter, struct bucket *b)
{
    b->newer = NULL;
    b->older = limiter->newest;
    *(b->older ? &b->older->newer : &limiter->oldest) = b;
    limiter->newest = b;
}

static void drop_oldest(struct rate_limiter *limiter)
{
    struct bucket *b = limiter->oldest, **at = &limiter->heads[b->hash % limiter->head_count];
    while (*at != b)
        at = &(*at)->chain;
    *at = b->chain;
    list_remove(limiter, b);
    free(b);
    limiter->count--;
}

static int64_t capacity(struct rate rate)
{
    return (rate.burst > 0 ? rate.burst : 1) * PRICE;
}

static struct bucket *find(struct rate_limiter *limiter, struct slice key, struct rate rate, int64_t now_us)
{
    uint64_t hash = slice_hash(key);
    struct bucket **head = &limiter->heads[hash % limiter->head_count];
    for (struct bucket *b = *head; b; b = b->chain)
        if (b->hash == hash && slice_eq(slice_of(b->key, b->key_len), key)) {
            list_remove(limiter, b);
            list_add(limiter, b);
            return b;
        }
    if (limiter->count == limiter->max)
        drop_oldest(limiter);
    struct bucket *b = xcalloc(1, sizeof(*b) + key.len);
    b->hash = hash;
    b->left = capacity(rate);
    b->filled_at_us = now_us;
    b->key_len = key.len;
    if (key.len)
        memcpy(b->key, key.ptr, key.len);
    b->chain = *head;
    *head = b;
    list_add(limiter, b);
    limiter->count++;
    return b;
}

/* What came in since it was last looked at. */
static void fill(struct bucket *b, struct rate rate, int64_t now_us)
{
    int64_t most = capacity(rate), elapsed_us = now_us - b->filled_at_us, gained;
    if (elapsed_us <= 0)
        gained = 0;
    else if (__builtin_mul_overflow(elapsed_us, rate.per_minute, &gained) || gained > most)
        gained = most;
    b->left = b->left + gained < most ? b->left + gained : most;
    if (elapsed_us > 0)
        b->filled_at_us = now_us;
}

static bool use(struct rate_limiter *limiter, struct slice key, struct rate rate, int64_t now_us, int64_t price)
{
    if (!rate.per_minute)
        return true;
    mutex_lock(&limiter->lock);
    struct bucket *b = find(limiter, key, rate, now_us);
    fill(b, rate, now_us);
    bool enough = b->left >= PRICE;
    if (enough)
        b->left -= price;
    mutex_unlock(&limiter->lock);
    return enough;
}

bool rate_limiter_take(struct rate_limiter *limiter, struct slice key, struct rate rate, int64_t now_us)
{
    return use(limiter, key, rate, now_us, PRICE);
}

bool rate_limiter_has(struct rate_limiter *limiter, struct slice key, struct rate rate, int64_t now_us)
{
    return use(limiter, key, rate, now_us, 0);
}

size_t rate_limiter_bucket_count(struct rate_limiter *limiter)
{
    mutex_lock(&limiter->lock);
    size_t count = limiter->count;
    mutex_unlock(&limiter->lock);
    return count;
}
