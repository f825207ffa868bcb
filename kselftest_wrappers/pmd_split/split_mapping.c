// SPDX-License-Identifier: GPL-2.0-only
/* Operations that split a VMA within a THP. */
#include "lib/kfile.h"
#include "lib/ktap.h"
#include "split_case.h"

#include <sys/mman.h>

static size_t length_of(struct range range)
{
	return range.end - range.start;
}

static void check_unmapped(const struct thp *thp, struct range range)
{
	for (size_t page = range.start; page < range.end; page += thp->page_size)
		if (page_is_mapped(thp->base + page, thp->page_size))
			ktap_fail("offset %#zx is still mapped", page);
	if (!write_faults(thp->base + range.start))
		ktap_fail("a write to the unmapped range did not fault");
}

static void unmap_middle(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	ktap_need(!munmap(thp->base + middle.start, length_of(middle)), "munmap");
}

static void verify_unmapped(const struct thp *thp)
{
	check_unmapped(thp, thp_middle(thp));
	check_outside(thp);
}

const struct split_case munmap_case = { "munmap", NULL, unmap_middle, verify_unmapped };

static void protect_middle(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	ktap_need(!mprotect(thp->base + middle.start, length_of(middle), PROT_READ), "mprotect");
}

static void verify_protected(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	check_pattern(thp->base, middle, OLD_PATTERN, "the read-only range");
	for (size_t page = middle.start; page < middle.end; page += thp->page_size)
		if (!write_faults(thp->base + page))
			ktap_fail("offset %#zx can still be written to", page);
	check_outside(thp);
}

const struct split_case mprotect_case = { "mprotect", NULL, protect_middle, verify_protected };

static long long locked_kb_before;

static long long locked_kb(void)
{
	return kfile_field("/proc/self/status", "VmLck");
}

static void note_locked_kb(const struct thp *thp)
{
	(void)thp;
	locked_kb_before = locked_kb();
}

static void lock_middle(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	ktap_need(!mlock(thp->base + middle.start, length_of(middle)), "mlock");
}

static void verify_locked(const struct thp *thp)
{
	struct range middle = thp_middle(thp);
	long long grown = locked_kb() - locked_kb_before;

	if (grown != (long long)length_of(middle) / 1024)
		ktap_fail("VmLck grew by %lld kB, not by the %zu kB that were locked", grown,
			  length_of(middle) / 1024);
	check_pattern(thp->base, middle, OLD_PATTERN, "the locked range");
	check_outside(thp);
}

const struct split_case mlock_case = { "mlock", note_locked_kb, lock_middle, verify_locked };

static unsigned char *new_place;

static void reserve_new_place(const struct thp *thp)
{
	new_place = mmap(NULL, length_of(thp_middle(thp)), PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ktap_need(new_place != MAP_FAILED, "mmap of the new place");
}

static void move_middle(const struct thp *thp)
{
	struct range middle = thp_middle(thp);
	void *moved = mremap(thp->base + middle.start, length_of(middle), length_of(middle),
			     MREMAP_MAYMOVE | MREMAP_FIXED, new_place);

	ktap_need(moved != MAP_FAILED, "mremap");
}

static void verify_moved(const struct thp *thp)
{
	struct range middle = thp_middle(thp);

	check_pattern(new_place - middle.start, middle, OLD_PATTERN, "the moved range");
	if (write_faults(new_place))
		ktap_fail("the moved range can't be written to any more");
	check_unmapped(thp, middle);
	check_outside(thp);
}

const struct split_case mremap_case = { "mremap", reserve_new_place, move_middle, verify_moved };
