/* SPDX-License-Identifier: GPL-2.0-only */
/* The THPs of the fork storm: data that reveals a lost page, and whether pages are in swap. */
#ifndef STORM_FIELD_H
#define STORM_FIELD_H

#include "lib/thp_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

size_t storm_pages_of_thp(const struct thp_field *field);

size_t storm_pages(const struct thp_field *field);

/* Fill each page with distinct data that compresses well. */
void storm_fill(const struct thp_field *field);

/* Return whether page @page, counted over all THPs, holds its data. */
bool storm_page_is_right(const struct thp_field *field, size_t page);

bool storm_all_is_right(const struct thp_field *field);

/* Return the number of pages in swap for process @pid; 0 if it has ended. */
size_t storm_pages_swapped(const struct thp_field *field, pid_t pid);

#endif
