#include "cluster/kubelet/address.h"

#include <string.h>

void address_pool_init(struct address_pool *pool, int network)
{
    memset(pool, 0, sizeof(*pool));
    pool->network = network;
    pool->next = 2;
}

int64_t address_low_bits(struct slice address)
{
    int64_t bits = 0, part;
    struct slice rest = address;
    if (!slice_eq(slice_cut(&rest, '.'), S("127")))
        return -1;
    for (int i = 0; i < 3; i++) {
        if (!rest.ptr || !slice_to_i64(slice_cut(&rest, '.'), 0, 255, &part))
            return -1;
        bits = bits << 8 | part;
    }
    return rest.ptr ? -1 : bits;
}

static bool is_usable(uint32_t host)
{
    /* From 127.N.240.0 on they are Services (apiserver/admission.c). */
    return host >= 2 && host < 0xf000 && (host & 0xff) != 0 && (host & 0xff) != 255;
}

struct slice address_take(struct address_pool *pool, struct arena *arena)
{
    for (uint32_t i = 0; i < 65536; i++) {
        uint32_t host = (pool->next + i) & 0xffff;
        if (!is_usable(host) || (pool->used[host / 8] & (1 << host % 8)))
            continue;
        pool->used[host / 8] |= (uint8_t)(1 << host % 8);
        pool->next = host + 1;
        return slice_fmt(arena, "127.%d.%u.%u", pool->network, host >> 8, host & 0xff);
    }
    return SLICE_NONE;
}

bool address_claim(struct address_pool *pool, struct slice address)
{
    int64_t bits = address_low_bits(address);
    if (bits < 0 || bits >> 16 != pool->network || !is_usable((uint32_t)(bits & 0xffff)))
        return false;
    uint32_t host = (uint32_t)(bits & 0xffff);
    if (pool->used[host / 8] & (1 << host % 8))
        return false;
    pool->used[host / 8] |= (uint8_t)(1 << host % 8);
    return true;
}

void address_give(struct address_pool *pool, struct slice address)
{
    int64_t bits = address_low_bits(address);
    if (bits >= 0 && bits >> 16 == pool->network)
        pool->used[(bits & 0xffff) / 8] &= (uint8_t)~(1 << bits % 8);
}
