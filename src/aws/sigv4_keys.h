/* sigv4_keys: the signing keys of requests that were let in before. Deriving one takes four HMACs, and a client signs
 * with the same one all day. Bounded: a full set drops the entry that was used longest ago. An entry counts only for the
 * secret it was made of, so a changed secret is never let in by an old key; a removed key is the caller's to notice
 * before it asks, and to have forgotten. Any thread; what is dropped is wiped. */
#pragma once
#include "base/slice.h"

struct sigv4_keys;

struct sigv4_key_name {
    struct slice access_key_id, date, region, service;
};

struct sigv4_keys *sigv4_keys_new(void);
void sigv4_keys_free(struct sigv4_keys *keys); /* NULL is fine */
/* The key kept under this name for this secret. keys NULL: never found. */
bool sigv4_keys_find(struct sigv4_keys *keys, const struct sigv4_key_name *name, struct slice secret,
                     uint8_t ret_key[32]);
/* Names or secrets of unusual length are not kept. keys NULL: nothing happens. */
void sigv4_keys_keep(struct sigv4_keys *keys, const struct sigv4_key_name *name, struct slice secret,
                     const uint8_t key[32]);
void sigv4_keys_forget(struct sigv4_keys *keys, struct slice access_key_id); /* all of this access key */
