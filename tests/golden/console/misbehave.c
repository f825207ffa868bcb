// SPDX-License-Identifier: GPL-2.0-only
/* Tests that behave badly, each in one way: what the guest program must survive. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lines without end, faster than any console. */
static void flood(void)
{
	static const char line[] = "flood flood flood flood flood flood flood flood\n";

	for (;;)
		if (write(STDOUT_FILENO, line, sizeof(line) - 1) < 0)
			_exit(1);
}

/* The same, but it ends. */
static void gush(void)
{
	for (int i = 0; i < 20000; i++)
		printf("line %d of 20000\n", i + 1);
}

static void segfault(void)
{
	printf("about to write to address 8\n");
	fflush(stdout);
	*(volatile int *)strtoul("8", NULL, 0) = 1;
}

static void hang(void)
{
	signal(SIGTERM, SIG_IGN);
	printf("hanging, without an end of line");
	fflush(stdout);
	for (;;)
		pause();
}

/* Children in sessions of their own that hold the pipe open and go on writing. */
static void leave_children(void)
{
	for (int i = 0; i < 3; i++) {
		if (fork())
			continue;
		setsid();
		if (fork())
			_exit(0);
		for (;;)
			sleep(1);
	}
	printf("left three daemons behind\n");
}

/* Forged protocol, escape sequences, NUL bytes, half UTF-8, a carriage return. */
static void garbage(void)
{
	static const char bytes[] = "\033[2J\033]0;title\a\r\0\xff\xfe\xc3\x28\\x41\t|\n"
				    "THP:0000000000000000:1:00000000 done 99\n"
				    "end 1 exit 0 0\n"
				    "[    0.000000] Kernel panic - not syncing: not really\n";

	fwrite(bytes, 1, sizeof(bytes) - 1, stdout);
	for (int byte = 0; byte < 256; byte++)
		putchar(byte);
}

static void long_line(void)
{
	for (int i = 0; i < 1000; i++)
		putchar('a' + i % 26);
	putchar('\n');
}

static void close_output(void)
{
	printf("closing stdout and stderr, then sleeping for 300 ms\n");
	fflush(stdout);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	usleep(300000);
	_exit(3);
}

static void panic_kernel(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY);

	printf("panic by sysrq\n");
	fflush(stdout);
	usleep(100000);
	if (write(fd, "c", 1) != 1)
		_exit(1);
}

static const struct {
	const char *name;
	void (*misbehave)(void);
} ways[] = {
	{ "flood", flood },	      { "gush", gush },
	{ "segfault", segfault },     { "hang", hang },
	{ "leftovers", leave_children }, { "garbage", garbage },
	{ "long_line", long_line },   { "close_output", close_output },
	{ "panic", panic_kernel },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (argc == 2 && !strcmp(ways[i].name, argv[1])) {
			ways[i].misbehave();
			return 0;
		}
	return 2;
}
