// SPDX-License-Identifier: GPL-2.0-only
#include "fail_nth.h"
#include "lib/kfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWITCH "/proc/self/fail-nth"
#define DEBUGFS "/sys/kernel/debug/"

struct setting {
	const char *path;
	const char *value;
};

/*
 * By default only atomic allocations of several pages can fail, which are rare.
 * GFP flags of user pages contain "highmem" on 64-bit kernels, too.
 */
static const struct setting page_settings[] = {
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUGFS "fail_page_alloc/min-order", "0" },
	/* 1 logs two lines per failure, 2 also a backtrace. */
	{ DEBUGFS "fail_page_alloc/verbose", "1" },
};

static const struct setting slab_settings[] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "N" },
	{ DEBUGFS "failslab/cache-filter", "N" },
	{ DEBUGFS "failslab/verbose", "1" },
};

static bool apply(const struct setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (kfile_write(settings[i].path, settings[i].value))
			return false;
	return true;
}

const char *fail_nth_set_up(void)
{
	if (access(SWITCH, W_OK))
		return "no " SWITCH;
	if (!apply(page_settings, sizeof(page_settings) / sizeof(page_settings[0])))
		return "no " DEBUGFS "fail_page_alloc, so that fail-nth would reach no page";
	apply(slab_settings, sizeof(slab_settings) / sizeof(slab_settings[0]));
	return NULL;
}

/* Returns the errno of a call that allocates one page, or 0. */
static int read_own_memory(int memory)
{
	static char source;
	char target;

	return pread(memory, &target, 1, (uintptr_t)&source) == 1 ? 0 : errno;
}

bool fail_nth_works(void)
{
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC), fd = fail_nth_open();
	bool fired = false, works = memory >= 0 && fd >= 0 && !read_own_memory(memory);

	if (works) {
		fail_nth_arm(fd, 1);
		works = read_own_memory(memory) == ENOMEM;
		fired = fail_nth_disarm(fd);
	}
	close(memory);
	close(fd);
	return works && fired;
}

int fail_nth_open(void)
{
	return open(SWITCH, O_RDWR | O_CLOEXEC);
}

void fail_nth_arm(int fd, unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fd, text, length, 0) != length)
		abort();
}

/* Return whether the kernel counts down, i.e. the failure is still to come. */
static bool is_counted_down(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		abort();
	return !strtoul(text, NULL, 10);
}

bool fail_nth_disarm(int fd)
{
	bool fired = is_counted_down(fd);

	fail_nth_arm(fd, 0);
	return fired;
}

bool fail_nth_has_fired_in(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", (int)pid);
	return kfile_number(path) == 0;
}
