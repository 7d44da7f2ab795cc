/* address: the pod addresses of one cluster, 127.N.0.0/16. Pure; the kubelet's thread owns it. 127.N.0.1 is the API server's. */
#pragma once
#include "base/slice.h"

struct arena;
struct address_pool {
    int network;          /* N */
    uint32_t next;        /* where the search goes on: an address is not used again soon */
    uint8_t used[65536 / 8];
};

void address_pool_init(struct address_pool *pool, int network);
/* A free one, or SLICE_NONE when all are in use. */
struct slice address_take(struct address_pool *pool, struct arena *arena);
/* Marks an address that a pod has already; false when it is none of this network's or is in use. */
bool address_claim(struct address_pool *pool, struct slice address);
void address_give(struct address_pool *pool, struct slice address);
/* The low 24 bits of 127.A.B.C; -1 when it is no such address. */
int64_t address_low_bits(struct slice address);
