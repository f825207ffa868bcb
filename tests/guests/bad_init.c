// SPDX-License-Identifier: GPL-2.0-only
/*
 * A pid 1 that misbehaves, as selected by the kernel parameter after "--", which
 * the kernel passes to pid 1 as its argument.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static void panic_kernel(void)
{
	int fd;

	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	fd = open("/proc/sysrq-trigger", O_WRONLY);
	if (write(fd, "c", 1) != 1)
		_exit(1);
}

static void hang(void)
{
	for (;;)
		pause();
}

static void segfault(void)
{
	*(volatile int *)8 = 1;
}

static void restart(void)
{
	reboot(RB_AUTOBOOT);
}

/* Prints 1 GiB, unless stopped. */
static void flood(void)
{
	static char lines[1 << 16];

	memset(lines, 'x', sizeof(lines));
	for (size_t end = 63; end < sizeof(lines); end += 64)
		lines[end] = '\n';
	for (int i = 0; i < (1 << 30) / (int)sizeof(lines); i++)
		if (write(STDOUT_FILENO, lines, sizeof(lines)) < 0)
			_exit(1);
}

static const struct {
	const char *name;
	void (*misbehave)(void);
} ways[] = {
	{ "panic", panic_kernel }, { "hang", hang },   { "segfault", segfault },
	{ "restart", restart },	   { "flood", flood },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (argc > 1 && !strcmp(ways[i].name, argv[argc - 1]))
			ways[i].misbehave();
	return 0;
}
