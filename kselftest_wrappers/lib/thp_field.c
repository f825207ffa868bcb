// SPDX-License-Identifier: GPL-2.0-only
#include "thp_field.h"
#include "kfile.h"
#include "thp.h"

#include <sys/mman.h>
#include <unistd.h>

const char *thp_field_map(struct thp_field *field, size_t count)
{
	const char *reason = thp_missing();
	size_t bytes;

	if (reason)
		return reason;
	field->thp_size = thp_pmd_size();
	field->page_size = sysconf(_SC_PAGESIZE);
	field->count = count;
	bytes = count * field->thp_size;
	field->base = thp_reserve(bytes, field->thp_size);
	if (!field->base)
		return "no address space for the THPs";
	if (!madvise(field->base, bytes, MADV_HUGEPAGE))
		return NULL;
	thp_field_unmap(field);
	return "madvise(MADV_HUGEPAGE) failed";
}

size_t thp_field_count(unsigned int percent, size_t most)
{
	long long kilobytes = kfile_field("/proc/meminfo", "MemTotal");
	size_t size = thp_pmd_size(), fit;

	if (kilobytes == ABSENT || !size)
		return 0;
	fit = (size_t)kilobytes * 1024 / 100 * percent / size;
	return fit < most ? fit : most;
}

unsigned char *thp_field_at(const struct thp_field *field, size_t i)
{
	return field->base + i * field->thp_size;
}

void thp_field_touch(const struct thp_field *field)
{
	for (size_t i = 0; i < field->count; i++)
		*(volatile unsigned char *)thp_field_at(field, i) = 1;
}

/* After MADV_DONTNEED the page table of a split PMD stays, and the next fault gets a small page. */
int thp_field_renew(const struct thp_field *field)
{
	size_t bytes = field->count * field->thp_size;
	void *same = mmap(field->base, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	return same == MAP_FAILED ? -1 : madvise(same, bytes, MADV_HUGEPAGE);
}

int thp_field_split(const struct thp_field *field, size_t i)
{
	return madvise(thp_field_at(field, i), field->page_size, MADV_DONTNEED);
}

void thp_field_unmap(struct thp_field *field)
{
	munmap(field->base, field->count * field->thp_size);
	field->base = NULL;
}
