/* SPDX-License-Identifier: GPL-2.0-only */
/* Swap on a compressed RAM disk, /dev/zram0. */
#ifndef ZRAM_SWAP_H
#define ZRAM_SWAP_H

#include <stddef.h>

/* Create a swap area of @bytes and enable it. Return NULL, or the step that failed. */
const char *zram_swap_on(size_t bytes);

/* Disable the swap area and free its memory. */
void zram_swap_off(void);

#endif
