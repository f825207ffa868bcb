// SPDX-License-Identifier: GPL-2.0-only
#include "proc_self.h"
#include "kfile.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 65536

/* Documentation/admin-guide/mm/pagemap.rst */
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define UFFD_PROTECTED (UINT64_C(1) << 57)

long long mapped_bytes(void)
{
	return kfile_field("/proc/self/status", "VmSize") * 1024;
}

/* A mapping starts with `start-end ` in hexadecimal; names of fields are capitalised. */
static bool is_mapping_of(const char *line, uintptr_t address)
{
	unsigned long start, end;

	return sscanf(line, "%lx-%lx ", &start, &end) == 2 && start <= address && address < end;
}

static bool is_mapping(const char *line)
{
	unsigned long start, end;

	return sscanf(line, "%lx-%lx ", &start, &end) == 2;
}

long long smaps_bytes(const void *address, const char *field)
{
	static char text[TEXT_SIZE];
	size_t length = strlen(field);
	char *line, *rest = text;
	bool found = false;

	if (kfile_read("/proc/self/smaps", text, sizeof(text)) < 0)
		return ABSENT;
	while ((line = strsep(&rest, "\n"))) {
		if (is_mapping(line))
			found = is_mapping_of(line, (uintptr_t)address);
		else if (found && !strncmp(line, field, length) && line[length] == ':')
			return strtoll(line + length + 1, NULL, 10) * 1024;
	}
	return ABSENT;
}

static uint64_t pagemap_entry(const void *address)
{
	uint64_t entry = 0;
	off_t offset = (uintptr_t)address / sysconf(_SC_PAGESIZE) * sizeof(entry);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), offset) != sizeof(entry))
		entry = 0;
	close(fd);
	return entry;
}

bool page_is_present(const void *address)
{
	return pagemap_entry(address) & PRESENT;
}

bool page_is_swapped(const void *address)
{
	return pagemap_entry(address) & SWAPPED;
}

bool page_is_uffd_protected(const void *address)
{
	return pagemap_entry(address) & UFFD_PROTECTED;
}
