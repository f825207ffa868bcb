/* SPDX-License-Identifier: GPL-2.0-only */
/* The range of an attempt and its pages: parts of which operations are made. */
#ifndef SWEEP_RANGE_H
#define SWEEP_RANGE_H

#include "sweep.h"

/* The address of an offset, and the length of the range. */
unsigned char *at(const struct attempt *attempt, size_t offset);
size_t length_of(struct range range);

/* Whether the page at @offset is mapped and holds the pattern, or zero. */
bool page_holds(const struct attempt *attempt, size_t offset, uint64_t seed);
bool page_holds_zero(const struct attempt *attempt, size_t offset);

/* Address space for @thps THPs, aligned, that shares no page table with anything. */
unsigned char *reserve_own_place(const struct attempt *attempt, size_t thps);

/* Common ways to choose: the lower half, and a few pages in the middle. */
struct range lower_half(const struct thp *thp);
struct range four_pages(const struct thp *thp);

/* Common @look functions. */
enum page_state look_unmapped(const struct attempt *attempt, size_t offset);
enum page_state look_zeroed(const struct attempt *attempt, size_t offset);

/* A common @release. */
void make_all_writable(const struct attempt *attempt);

#endif
