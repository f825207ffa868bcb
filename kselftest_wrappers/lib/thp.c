// SPDX-License-Identifier: GPL-2.0-only
#include "thp.h"
#include "kfile.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Attempts to fault in a huge page, as memory may be fragmented temporarily. */
#define ATTEMPTS 3

/* Size to use where the kernel reports no PMD size. */
#define SIZE_WITHOUT_THP (2UL << 20)

size_t thp_pmd_size(void)
{
	long long size = kfile_number(THP_SYSFS "hpage_pmd_size");

	return size > 0 ? size : 0;
}

static bool thp_is_switched_off(void)
{
	char text[128];

	return kfile_read(THP_SYSFS "enabled", text, sizeof(text)) >= 0 &&
	       strstr(text, "[never]");
}

/* Maps more than requested and unmaps the parts outside of the aligned one. */
unsigned char *thp_reserve(size_t size, size_t alignment)
{
	unsigned char *raw, *base;

	raw = mmap(NULL, size + alignment, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return NULL;
	base = (unsigned char *)(((uintptr_t)raw + alignment - 1) & ~(uintptr_t)(alignment - 1));
	if (base > raw)
		munmap(raw, base - raw);
	munmap(base + size, raw + alignment - base);
	return base;
}

static unsigned char *map_aligned(size_t size)
{
	return thp_reserve(size, size);
}

/* Return whether a touch of the first byte made all pages resident. */
static bool all_resident(const struct thp *thp)
{
	size_t pages = thp->size / thp->page_size;
	unsigned char *resident = calloc(pages, 1);
	size_t i = 0;

	if (resident && !mincore(thp->base, thp->size, resident))
		while (i < pages && (resident[i] & 1))
			i++;
	free(resident);
	return i == pages;
}

static const char *fault_in(struct thp *thp)
{
	long long before = vmstat_counter("thp_fault_alloc");

	if (before == ABSENT)
		return "no counter thp_fault_alloc in /proc/vmstat";
	if (madvise(thp->base, thp->size, MADV_HUGEPAGE))
		return "madvise(MADV_HUGEPAGE) failed";
	*(volatile unsigned char *)thp->base = 1;
	if (vmstat_counter("thp_fault_alloc") <= before)
		return "a fault in a MADV_HUGEPAGE mapping did not raise thp_fault_alloc";
	if (!all_resident(thp))
		return "thp_fault_alloc rose, but the fault did not make a whole PMD resident";
	return NULL;
}

static const char *try_map(struct thp *thp)
{
	const char *reason;

	thp->base = map_aligned(thp->size);
	if (!thp->base)
		return "no address space for an aligned PMD";
	reason = fault_in(thp);
	if (reason)
		thp_unmap(thp);
	return reason;
}

const char *thp_missing(void)
{
	if (!thp_pmd_size())
		return "the kernel has no " THP_SYSFS "hpage_pmd_size";
	return thp_is_switched_off() ? THP_SYSFS "enabled is never" : NULL;
}

const char *thp_map(struct thp *thp)
{
	const char *reason;

	thp->page_size = sysconf(_SC_PAGESIZE);
	thp->size = thp_pmd_size();
	reason = thp_missing();
	if (reason)
		return reason;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		reason = try_map(thp);
		if (!reason)
			break;
	}
	return reason;
}

const char *small_pages_map(struct thp *thp)
{
	thp->page_size = sysconf(_SC_PAGESIZE);
	thp->size = thp_pmd_size();
	if (!thp->size)
		thp->size = SIZE_WITHOUT_THP;
	thp->base = map_aligned(thp->size);
	if (!thp->base)
		return "no address space for an aligned PMD";
	/* Failure is fine: it means that the kernel has no THP. */
	madvise(thp->base, thp->size, MADV_NOHUGEPAGE);
	return NULL;
}

void thp_unmap(struct thp *thp)
{
	munmap(thp->base, thp->size);
	thp->base = NULL;
}

struct range thp_middle(const struct thp *thp)
{
	size_t start = thp->size / 4 + thp->page_size;

	return (struct range){ start, start + thp->size / 4 };
}

bool page_is_mapped(const void *page, size_t page_size)
{
	unsigned char resident;

	return !mincore((void *)page, page_size, &resident);
}

static sigjmp_buf after_fault;

static void jump_out_of_fault(int number)
{
	siglongjmp(after_fault, number);
}

bool write_faults(volatile unsigned char *address)
{
	struct sigaction catch = { .sa_handler = jump_out_of_fault };
	struct sigaction old_segv, old_bus;
	volatile bool faulted = true;

	sigaction(SIGSEGV, &catch, &old_segv);
	sigaction(SIGBUS, &catch, &old_bus);
	if (!sigsetjmp(after_fault, 1)) {
		*address = *address;
		faulted = false;
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return faulted;
}

static uint64_t pattern_word(size_t offset, uint64_t seed)
{
	return (offset + seed) * UINT64_C(0x9e3779b97f4a7c15) | 1;
}

void pattern_fill(unsigned char *base, struct range range, uint64_t seed)
{
	for (size_t offset = range.start; offset < range.end; offset += sizeof(uint64_t))
		*(uint64_t *)(base + offset) = pattern_word(offset, seed);
}

size_t pattern_mismatch(const unsigned char *base, struct range range, uint64_t seed)
{
	size_t offset = range.start;

	while (offset < range.end &&
	       *(const uint64_t *)(base + offset) == pattern_word(offset, seed))
		offset += sizeof(uint64_t);
	return offset;
}

size_t zero_mismatch(const unsigned char *base, struct range range)
{
	size_t offset = range.start;

	while (offset < range.end && !*(const uint64_t *)(base + offset))
		offset += sizeof(uint64_t);
	return offset;
}
