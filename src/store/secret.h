/* secret: bytes that this installation made up for itself and keeps, by name. Any thread. */
#pragma once
#include "store/store.h"

/* 64 hex digits of 32 random bytes, made on first use; on disk when it returns. */
struct err *store_secret(struct store *store, struct arena *arena, struct slice name, struct slice *ret_hex) NODISCARD;
