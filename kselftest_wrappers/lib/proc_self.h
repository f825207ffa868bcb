/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of the memory of the calling process. */
#ifndef PROC_SELF_H
#define PROC_SELF_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the whole address space that are mapped. */
long long mapped_bytes(void);

/* A size of the mapping that holds @address, as smaps has it, in bytes; or ABSENT. */
long long smaps_bytes(const void *address, const char *field);

/* What /proc/self/pagemap says of the page at @address; false too where there is none. */
bool page_is_present(const void *address);
bool page_is_swapped(const void *address);
bool page_is_uffd_protected(const void *address);

#endif
