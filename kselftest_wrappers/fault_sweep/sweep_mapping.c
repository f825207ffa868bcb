// SPDX-License-Identifier: GPL-2.0-only
/* Operations of the fault sweep that split a VMA within a THP. */
#include "lib/proc_self.h"
#include "sweep_ops.h"
#include "sweep_range.h"
#include "sweep_record.h"

#include <sys/mman.h>

static struct returned unmap_range(const struct attempt *attempt)
{
	return returned_from(munmap(at(attempt, attempt->range.start), length_of(attempt->range)));
}

const struct sweep_op sweep_munmap = {
	.name = "munmap",
	.operate = unmap_range,
	.look = look_unmapped,
};

/* Either protection is valid, but only with the old data. */
static enum page_state look_protected(const struct attempt *attempt, size_t offset,
				      bool done_if_faults)
{
	if (!page_holds(attempt, offset, OLD_PATTERN))
		return PAGE_DAMAGED;
	return write_faults(at(attempt, offset)) == done_if_faults ? PAGE_DONE : PAGE_UNTOUCHED;
}

static struct returned protect_range(const struct attempt *attempt, int protection)
{
	return returned_from(mprotect(at(attempt, attempt->range.start),
				      length_of(attempt->range), protection));
}

static struct returned make_readonly(const struct attempt *attempt)
{
	return protect_range(attempt, PROT_READ);
}

static enum page_state look_readonly(const struct attempt *attempt, size_t offset)
{
	return look_protected(attempt, offset, true);
}

const struct sweep_op sweep_mprotect_ro = {
	.name = "mprotect_ro",
	.operate = make_readonly,
	.look = look_readonly,
	.release = make_all_writable,
};

/* Applies to the whole THP, so that the PMD is not split before the call. */
static void make_all_readonly(const struct attempt *attempt)
{
	sweep_need(!mprotect(attempt->thp.base, attempt->thp.size, PROT_READ),
		   "mprotect of the whole THP");
}

static struct returned make_writable(const struct attempt *attempt)
{
	return protect_range(attempt, PROT_READ | PROT_WRITE);
}

static enum page_state look_writable(const struct attempt *attempt, size_t offset)
{
	return look_protected(attempt, offset, false);
}

const struct sweep_op sweep_mprotect_rw = {
	.name = "mprotect_rw",
	.prepare = make_all_readonly,
	.operate = make_writable,
	.look = look_writable,
	.release = make_all_writable,
	.outside_is_readonly = true,
};

/* Locked bytes of the mapping at the range: the split-off half, or the whole THP. */
static long long locked_bytes(const struct attempt *attempt)
{
	return smaps_bytes(at(attempt, attempt->range.start), "Locked");
}

static bool smaps_shows_locks(const struct thp *thp)
{
	if (smaps_bytes(thp->base, "Locked") || mlock(thp->base, thp->size))
		return false;
	return smaps_bytes(thp->base, "Locked") == (long long)thp->size;
}

static struct returned lock_range(const struct attempt *attempt)
{
	return returned_from(mlock(at(attempt, attempt->range.start), length_of(attempt->range)));
}

static enum effect measure_locked(const struct attempt *attempt)
{
	long long locked = locked_bytes(attempt);

	if (locked >= (long long)length_of(attempt->range))
		return EFFECT_FULL;
	return locked > 0 ? EFFECT_PART : EFFECT_NONE;
}

const struct sweep_op sweep_mlock = {
	.name = "mlock",
	.operate = lock_range,
	.measure = measure_locked,
	.instrument = "smaps_locked",
	.instrument_works = smaps_shows_locks,
};

static void lock_all(const struct attempt *attempt)
{
	sweep_need(!mlock(attempt->thp.base, attempt->thp.size), "mlock of the whole THP");
}

static struct returned unlock_range(const struct attempt *attempt)
{
	return returned_from(munlock(at(attempt, attempt->range.start),
				     length_of(attempt->range)));
}

static enum effect measure_unlocked(const struct attempt *attempt)
{
	switch (measure_locked(attempt)) {
	case EFFECT_FULL:
		return EFFECT_NONE;
	case EFFECT_NONE:
		return EFFECT_FULL;
	default:
		return EFFECT_PART;
	}
}

const struct sweep_op sweep_munlock = {
	.name = "munlock",
	.prepare = lock_all,
	.operate = unlock_range,
	.measure = measure_unlocked,
	.instrument = "smaps_locked",
	.instrument_works = smaps_shows_locks,
};

static bool is_mapped_over;

/* Replaces the range with new anonymous memory. */
static struct returned map_over_range(const struct attempt *attempt)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	void *mapped = mmap(at(attempt, attempt->range.start), length_of(attempt->range),
			    PROT_READ | PROT_WRITE, flags, -1, 0);

	is_mapped_over = mapped != MAP_FAILED;
	return returned_from(is_mapped_over ? 0 : -1);
}

/* A failed call may leave a hole. */
static enum page_state look_mapped_over(const struct attempt *attempt, size_t offset)
{
	bool is_hole = !page_is_mapped(at(attempt, offset), attempt->thp.page_size);

	return is_hole && !is_mapped_over ? PAGE_DONE : look_zeroed(attempt, offset);
}

const struct sweep_op sweep_map_fixed = {
	.name = "map_fixed",
	.operate = map_over_range,
	.look = look_mapped_over,
};
