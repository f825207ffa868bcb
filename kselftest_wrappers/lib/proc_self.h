/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's view of this process's memory: smaps, pagemap. */
#ifndef PROC_SELF_H
#define PROC_SELF_H

#include <stdbool.h>
#include <stddef.h>

/* Return the number of mapped bytes in the address space. */
long long mapped_bytes(void);

/* Return a size field of smaps, in bytes, for the mapping at @address; or ABSENT. */
long long smaps_bytes(const void *address, const char *field);

/* Return the present bit of pagemap for the page at @address; false if unmapped. */
bool page_is_present(const void *address);
bool page_is_swapped(const void *address);
bool page_is_uffd_protected(const void *address);

#endif
