// SPDX-License-Identifier: GPL-2.0-only
/* A THP of shared memory in the fault sweep. */
#include "lib/kfile.h"
#include "lib/proc_self.h"
#include "sweep_ops.h"
#include "sweep_range.h"
#include "sweep_record.h"

#include <sys/mman.h>
#include <unistd.h>

#define SHMEM_ENABLED THP_SYSFS "shmem_enabled"

static const char *allow_shmem_thp(void)
{
	return kfile_write(SHMEM_ENABLED, "advise") ? "can't write to " SHMEM_ENABLED : NULL;
}

/* Reserve aligned space first: trimming a shared mapping would misalign its file offset. */
static unsigned char *map_shared(const struct thp *thp)
{
	int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED;
	unsigned char *place = thp_reserve(thp->size, thp->size);

	sweep_need(place, "mmap of address space");
	place = mmap(place, thp->size, PROT_READ | PROT_WRITE, flags, -1, 0);
	sweep_need(place != MAP_FAILED, "mmap of shared memory");
	return place;
}

static void map_shmem_thp(struct attempt *attempt)
{
	struct thp *thp = &attempt->thp;

	thp->page_size = sysconf(_SC_PAGESIZE);
	thp->size = thp_pmd_size();
	thp->base = map_shared(thp);
	sweep_need(!madvise(thp->base, thp->size, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	pattern_fill(thp->base, (struct range){ 0, thp->size }, OLD_PATTERN);
	if (smaps_bytes(thp->base, "ShmemPmdMapped") == ABSENT)
		sweep_skip("cannot be seen here: smaps shows no shared memory");
	if (smaps_bytes(thp->base, "ShmemPmdMapped") != (long long)thp->size)
		sweep_skip("shared memory gets no THP here");
}

static struct returned remove_range(const struct attempt *attempt)
{
	return returned_from(madvise(at(attempt, attempt->range.start),
				     length_of(attempt->range), MADV_REMOVE));
}

const struct sweep_op sweep_madv_remove = {
	.name = "madv_remove",
	.set_up = allow_shmem_thp,
	.map = map_shmem_thp,
	.operate = remove_range,
	.look = look_zeroed,
};

static struct returned unmap_range(const struct attempt *attempt)
{
	return returned_from(munmap(at(attempt, attempt->range.start), length_of(attempt->range)));
}

const struct sweep_op sweep_shmem_munmap = {
	.name = "shmem_munmap",
	.set_up = allow_shmem_thp,
	.map = map_shmem_thp,
	.operate = unmap_range,
	.look = look_unmapped,
};
