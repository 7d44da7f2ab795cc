/* sigv4_keys: a small set-associative cache under one lock, which is held for a few dozen nanoseconds. */
#include "aws/sigv4_keys.h"
#include "base/arena.h"
#include "base/digest.h"
#include "base/mutex.h"
#include <stdlib.h>
#include <string.h>

#define SETS 64
#define WAYS 4
#define NAME_MAX_BYTES 160
#define SECRET_MAX_BYTES 128

struct entry {
    uint64_t used; /* by the cache's own clock; 0: empty */
    size_t id_len, name_len, secret_len;
    char name[NAME_MAX_BYTES]; /* ID/date/region/service */
    char secret[SECRET_MAX_BYTES];
    uint8_t key[32];
};

struct sigv4_keys {
    struct mutex lock;
    uint64_t clock;
    struct entry entries[SETS][WAYS];
};

struct sigv4_keys *sigv4_keys_new(void)
{
    struct sigv4_keys *keys = xcalloc(1, sizeof(*keys));
    mutex_init(&keys->lock, LOCK_SIGNING_KEYS);
    return keys;
}

void sigv4_keys_free(struct sigv4_keys *keys)
{
    if (!keys)
        return;
    mutex_deinit(&keys->lock);
    secret_wipe(keys, sizeof(*keys));
    free(keys);
}

/* False when it does not fit. No piece of a scope holds a slash, so the joined name is unique. */
static bool join(const struct sigv4_key_name *name, char out[NAME_MAX_BYTES], size_t *ret_len)
{
    const struct slice pieces[] = {name->access_key_id, name->date, name->region, name->service};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        if (pieces[i].len >= NAME_MAX_BYTES - len)
            return false;
        if (pieces[i].len)
            memcpy(out + len, pieces[i].ptr, pieces[i].len);
        len += pieces[i].len;
        out[len++] = '/';
    }
    *ret_len = len;
    return true;
}

static struct entry *find(struct entry *set, const char *name, size_t len)
{
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].used && set[i].name_len == len && memcmp(set[i].name, name, len) == 0)
            return &set[i];
    return NULL;
}

bool sigv4_keys_find(struct sigv4_keys *keys, const struct sigv4_key_name *name, struct slice secret,
                     uint8_t ret_key[32])
{
    char joined[NAME_MAX_BYTES];
    size_t len;
    if (!keys || !join(name, joined, &len))
        return false;
    struct entry *set = keys->entries[slice_hash(slice_of(joined, len)) % SETS];
    mutex_lock(&keys->lock);
    struct entry *entry = find(set, joined, len);
    bool found = entry && secret_equal(slice_of(entry->secret, entry->secret_len), secret);
    if (found) {
        memcpy(ret_key, entry->key, sizeof(entry->key));
        entry->used = ++keys->clock;
    }
    mutex_unlock(&keys->lock);
    return found;
}

void sigv4_keys_keep(struct sigv4_keys *keys, const struct sigv4_key_name *name, struct slice secret,
                     const uint8_t key[32])
{
    char joined[NAME_MAX_BYTES];
    size_t len;
    if (!keys || !secret.len || secret.len > SECRET_MAX_BYTES || !join(name, joined, &len))
        return;
    struct entry *set = keys->entries[slice_hash(slice_of(joined, len)) % SETS];
    mutex_lock(&keys->lock);
    struct entry *entry = find(set, joined, len);
    for (size_t i = 0; !entry && i < WAYS; i++)
        entry = set[i].used ? NULL : &set[i];
    if (!entry) {
        entry = &set[0];
        for (size_t i = 1; i < WAYS; i++)
            if (set[i].used < entry->used)
                entry = &set[i];
    }
    secret_wipe(entry, sizeof(*entry));
    entry->used = ++keys->clock;
    entry->id_len = name->access_key_id.len;
    entry->name_len = len;
    entry->secret_len = secret.len;
    memcpy(entry->name, joined, len);
    memcpy(entry->secret, secret.ptr, secret.len);
    memcpy(entry->key, key, sizeof(entry->key));
    mutex_unlock(&keys->lock);
}

void sigv4_keys_forget(struct sigv4_keys *keys, struct slice access_key_id)
{
    if (!keys)
        return;
    mutex_lock(&keys->lock);
    for (size_t i = 0; i < SETS; i++)
        for (size_t k = 0; k < WAYS; k++) {
            struct entry *entry = &keys->entries[i][k];
            if (entry->used && slice_eq(slice_of(entry->name, entry->id_len), access_key_id))
                secret_wipe(entry, sizeof(*entry));
        }
    mutex_unlock(&keys->lock);
}
