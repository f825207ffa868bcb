// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a fork storm in a bad environment: `storm_trouble WHAT COMMAND…`
 *
 *	no_zram		no device to swap to
 *	small_swap	swap exists already, but too little
 *	killer		the OOM killer kills three processes once pages are swapped out
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#define ZRAM "/dev/zram0"
#define SMALL_BYTES "1048576"
#define KILLS 3

static void put(const char *path, const char *text, off_t offset)
{
	int fd = open(path, O_WRONLY);

	if (pwrite(fd, text, strlen(text), offset) < 0)
		perror(path);
	close(fd);
}

/* The header of a swap area: union swap_header of include/linux/swap.h. */
static void small_swap(void)
{
	uint32_t numbers[] = { 1, atoi(SMALL_BYTES) / getpagesize() - 1 };
	int fd;

	put("/sys/block/zram0/disksize", SMALL_BYTES, 0);
	put(ZRAM, "SWAPSPACE2", getpagesize() - 10);
	fd = open(ZRAM, O_WRONLY);
	if (pwrite(fd, numbers, sizeof(numbers), 1024) < 0 || fsync(fd) || close(fd) ||
	    swapon(ZRAM, 0))
		perror(ZRAM);
}

static long swapped_out(void)
{
	static char text[65536];
	int fd = open("/proc/vmstat", O_RDONLY);
	ssize_t got = read(fd, text, sizeof(text) - 1);
	char *line;

	close(fd);
	text[got < 0 ? 0 : got] = '\0';
	line = strstr(text, "\npswpout ");
	return line ? atol(line + strlen("\npswpout ")) : 0;
}

static void kill_when_it_storms(void)
{
	long before = swapped_out();

	if (fork())
		return;
	put("/proc/self/oom_score_adj", "-1000", 0);
	while (swapped_out() == before)
		usleep(500);
	for (int i = 0; i < KILLS; i++) {
		put("/proc/sysrq-trigger", "f", 0);
		usleep(100000);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "no_zram"))
		unlink(ZRAM);
	else if (!strcmp(argv[1], "small_swap"))
		small_swap();
	else if (!strcmp(argv[1], "killer"))
		kill_when_it_storms();
	execv(argv[2], argv + 2);
	return 2;
}
