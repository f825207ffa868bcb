/* SPDX-License-Identifier: GPL-2.0-only */
/* Building blocks of operations: the range of an attempt and its pages. */
#ifndef SWEEP_RANGE_H
#define SWEEP_RANGE_H

#include "sweep.h"

/* Return the address of an offset, and the length of a range. */
unsigned char *at(const struct attempt *attempt, size_t offset);
size_t length_of(struct range range);

/* Return whether the page at @offset is mapped and holds the pattern, or zeros. */
bool page_holds(const struct attempt *attempt, size_t offset, uint64_t seed);
bool page_holds_zero(const struct attempt *attempt, size_t offset);

/* Reserve aligned address space for @thps THPs that shares no page table. */
unsigned char *reserve_own_place(const struct attempt *attempt, size_t thps);

/* Common @choose functions: the lower half, and four pages in the middle. */
struct range lower_half(const struct thp *thp);
struct range four_pages(const struct thp *thp);

/* Common @look functions. */
enum page_state look_unmapped(const struct attempt *attempt, size_t offset);
enum page_state look_zeroed(const struct attempt *attempt, size_t offset);

/* A common @release function. */
void make_all_writable(const struct attempt *attempt);

#endif
