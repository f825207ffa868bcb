// SPDX-License-Identifier: GPL-2.0-only
/* mremap() in the fault sweep: move, shrink and grow. */
#include "sweep_ops.h"
#include "sweep_range.h"
#include "sweep_record.h"

#include <sys/mman.h>

/* Room for the range, also after it grew. */
#define PLACE_THPS 2

static unsigned char *new_place;

/* Nothing else maps memory in this process, so the place stays free. */
static void find_new_place(const struct attempt *attempt)
{
	new_place = reserve_own_place(attempt, PLACE_THPS);
	sweep_need(!munmap(new_place, PLACE_THPS * attempt->thp.size), "munmap of the new place");
}

static struct returned move_range(const struct attempt *attempt)
{
	size_t length = length_of(attempt->range);
	void *moved = mremap(at(attempt, attempt->range.start), length, length,
			     MREMAP_MAYMOVE | MREMAP_FIXED, new_place);

	return returned_from(moved == MAP_FAILED ? -1 : 0);
}

static bool is_mapped_here(const unsigned char *page, const struct attempt *attempt)
{
	return page_is_mapped(page, attempt->thp.page_size);
}

/* The page must be in exactly one of the two places, with its data. */
static enum page_state look_moved(const struct attempt *attempt, size_t offset)
{
	struct range page = { offset, offset + attempt->thp.page_size };
	unsigned char *moved = new_place - attempt->range.start;

	if (!is_mapped_here(moved + offset, attempt))
		return page_holds(attempt, offset, OLD_PATTERN) ? PAGE_UNTOUCHED : PAGE_DAMAGED;
	if (write_faults(moved + offset) ||
	    pattern_mismatch(moved, page, OLD_PATTERN) < page.end)
		return PAGE_DAMAGED;
	return is_mapped_here(at(attempt, offset), attempt) ? PAGE_COPIED : PAGE_DONE;
}

const struct sweep_op sweep_mremap_move = {
	.name = "mremap_move",
	.prepare = find_new_place,
	.operate = move_range,
	.look = look_moved,
};

static struct returned shrink_to_half(const struct attempt *attempt)
{
	void *same = mremap(attempt->thp.base, attempt->thp.size, attempt->range.start, 0);

	return returned_from(same == MAP_FAILED ? -1 : 0);
}

const struct sweep_op sweep_mremap_shrink = {
	.name = "mremap_shrink",
	.operate = shrink_to_half,
	.look = look_unmapped,
};

/* The upper half blocks growth in place, so the lower half has to move. */
static struct returned grow_half(const struct attempt *attempt)
{
	size_t length = length_of(attempt->range);
	void *grown = mremap(attempt->thp.base, length, 3 * length, MREMAP_MAYMOVE | MREMAP_FIXED,
			     new_place);

	return returned_from(grown == MAP_FAILED ? -1 : 0);
}

static enum page_state look_grown(const struct attempt *attempt, size_t offset)
{
	size_t length = length_of(attempt->range);
	struct range added = { length + offset, length + offset + attempt->thp.page_size };
	enum page_state state = look_moved(attempt, offset);

	if (state != PAGE_UNTOUCHED && (!is_mapped_here(new_place + added.start, attempt) ||
					zero_mismatch(new_place, added) < added.end))
		return PAGE_DAMAGED;
	return state;
}

const struct sweep_op sweep_mremap_grow = {
	.name = "mremap_grow",
	.choose = lower_half,
	.prepare = find_new_place,
	.operate = grow_half,
	.look = look_grown,
};
