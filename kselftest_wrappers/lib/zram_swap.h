/* SPDX-License-Identifier: GPL-2.0-only */
/* Swap on a compressed RAM disk, /dev/zram0. */
#ifndef ZRAM_SWAP_H
#define ZRAM_SWAP_H

#include <stddef.h>

/* Make and use a swap area of @bytes. Return NULL, or what could not be done. */
const char *zram_swap_on(size_t bytes);

/* Take it out of use and free its memory. */
void zram_swap_off(void);

#endif
