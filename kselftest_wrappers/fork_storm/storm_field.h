/* SPDX-License-Identifier: GPL-2.0-only */
/* The THPs of the fork storm: data that shows every lost page, and where it is. */
#ifndef STORM_FIELD_H
#define STORM_FIELD_H

#include "lib/thp_field.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

size_t storm_pages_of_thp(const struct thp_field *field);

size_t storm_pages(const struct thp_field *field);

/* Fill all of it with data of its own for each page, which compresses well. */
void storm_fill(const struct thp_field *field);

/* Whether page @page, counted through all THPs, holds its data. */
bool storm_page_is_right(const struct thp_field *field, size_t page);

bool storm_all_is_right(const struct thp_field *field);

/* How many pages are in the swap area for process @pid; 0 too if it is gone. */
size_t storm_pages_swapped(const struct thp_field *field, pid_t pid);

#endif
