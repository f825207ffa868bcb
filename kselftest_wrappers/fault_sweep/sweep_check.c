// SPDX-License-Identifier: GPL-2.0-only
#include "sweep_check.h"
#include "sweep_range.h"
#include "sweep_record.h"

#include <sys/mman.h>

static bool range_holds_old_pattern(const struct attempt *attempt)
{
	return pattern_mismatch(attempt->thp.base, attempt->range, OLD_PATTERN) ==
	       attempt->range.end;
}

static enum effect effect_by_pages(const struct sweep_op *op, const struct attempt *attempt)
{
	size_t count[PAGE_DAMAGED + 1] = { 0 };
	struct range range = attempt->range;

	for (size_t page = range.start; page < range.end; page += attempt->thp.page_size)
		count[op->look(attempt, page)]++;
	if (count[PAGE_DAMAGED])
		record_damage();
	if (count[PAGE_COPIED])
		record_copy();
	if (!count[PAGE_DONE] && !count[PAGE_COPIED])
		return EFFECT_NONE;
	return count[PAGE_UNTOUCHED] ? EFFECT_PART : EFFECT_FULL;
}

enum effect check_effect(const struct sweep_op *op, const struct attempt *attempt)
{
	enum effect effect;

	if (op->look)
		return effect_by_pages(op, attempt);
	effect = op->measure(attempt);
	if (!(op->range_is_intact ? op->range_is_intact : range_holds_old_pattern)(attempt))
		record_damage();
	return effect;
}

static size_t end_of_mapping(const struct sweep_op *op, const struct attempt *attempt)
{
	return op->upper_half_is_gone ? attempt->thp.size / 2 : attempt->thp.size;
}

static bool is_in(size_t offset, struct range range)
{
	return offset >= range.start && offset < range.end;
}

/*
 * Does not write, except where the write must fault: writing to a page that is
 * shared after fork() would split the PMD before the retry.
 */
void check_outside(const struct sweep_op *op, const struct attempt *attempt)
{
	size_t page_size = attempt->thp.page_size, end = end_of_mapping(op, attempt);

	for (size_t page = 0; page < end; page += page_size) {
		if (is_in(page, attempt->range))
			continue;
		if (op->outside_is_zero ? !page_holds_zero(attempt, page) :
					  !page_holds(attempt, page, OLD_PATTERN))
			record_damage();
		else if (op->outside_is_readonly && !write_faults(at(attempt, page)))
			record_damage();
	}
}

static bool page_is_usable(const struct attempt *attempt, size_t offset)
{
	struct range page = { offset, offset + attempt->thp.page_size };

	if (write_faults(at(attempt, offset)))
		return false;
	pattern_fill(attempt->thp.base, page, NEW_PATTERN);
	return pattern_mismatch(attempt->thp.base, page, NEW_PATTERN) == page.end;
}

/* Skips unmapped pages: the call may unmap parts of the range, and the rest was checked. */
static bool all_pages_are_usable(const struct attempt *attempt)
{
	size_t page_size = attempt->thp.page_size;

	for (size_t page = 0; page < attempt->thp.size; page += page_size)
		if (page_is_mapped(at(attempt, page), page_size) && !page_is_usable(attempt, page))
			return false;
	return true;
}

bool check_usable(const struct sweep_op *op, const struct attempt *attempt)
{
	if (op->release)
		op->release(attempt);
	return all_pages_are_usable(attempt) && !munmap(attempt->thp.base, attempt->thp.size);
}
