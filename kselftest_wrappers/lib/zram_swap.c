// SPDX-License-Identifier: GPL-2.0-only
#include "zram_swap.h"
#include "kfile.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#define DEVICE "/dev/zram0"
#define SYSFS "/sys/block/zram0/"

/* Layout of the first page: union swap_header of include/linux/swap.h. */
#define HEADER_OFFSET 1024
#define SIGNATURE "SWAPSPACE2"

struct header {
	uint32_t version;
	uint32_t last_page;
};

static bool write_header(size_t bytes)
{
	size_t page_size = sysconf(_SC_PAGESIZE);
	struct header header = { .version = 1, .last_page = bytes / page_size - 1 };
	size_t length = strlen(SIGNATURE);
	char *page = calloc(1, page_size);
	int fd = open(DEVICE, O_WRONLY | O_CLOEXEC);
	bool written = false;

	if (page && fd >= 0) {
		memcpy(page + HEADER_OFFSET, &header, sizeof(header));
		memcpy(page + page_size - length, SIGNATURE, length);
		written = write(fd, page, page_size) == (ssize_t)page_size && !fsync(fd);
	}
	if (fd >= 0)
		close(fd);
	free(page);
	return written;
}

const char *zram_swap_on(size_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", bytes);
	if (kfile_write(SYSFS "disksize", text))
		return "can't set " SYSFS "disksize";
	if (!write_header(bytes))
		return "the swap header can't be written to " DEVICE;
	if (swapon(DEVICE, 0))
		return "swapon " DEVICE " failed";
	return NULL;
}

void zram_swap_off(void)
{
	swapoff(DEVICE);
	kfile_write(SYSFS "reset", "1");
}
