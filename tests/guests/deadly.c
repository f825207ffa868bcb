// SPDX-License-Identifier: GPL-2.0-only
/*
 * A test that panics or hangs the kernel, as selected by its argument; or a
 * harmless one, which may take a minute.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Documentation/fault-injection/provoke-crashes.rst */
#define LKDTM "/sys/kernel/debug/provoke-crash/DIRECT"

static int tell(const char *path, const char *words)
{
	int fd = open(path, O_WRONLY);

	return write(fd, words, strlen(words)) != (ssize_t)strlen(words);
}

static int panic_kernel(void)
{
	return tell("/proc/sysrq-trigger", "c");
}

/* Every CPU spins with interrupts off. */
static int hang_kernel(void)
{
	for (long cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1; cpu >= 0; cpu--) {
		cpu_set_t only;

		if (cpu && fork())
			continue;
		CPU_ZERO(&only);
		CPU_SET(cpu, &only);
		sched_setaffinity(0, sizeof(only), &only);
		if (!cpu)
			sleep(1);
		return tell(LKDTM, "HARDLOCKUP");
	}
	return 1;
}

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc > 1 && !strcmp(argv[1], "slow"))
		sleep(60);
	else if (argc > 1 && !strcmp(argv[1], "panic"))
		failed = panic_kernel();
	else if (argc > 1 && !strcmp(argv[1], "hang"))
		failed = hang_kernel();
	printf("TAP version 13\n1..1\n%s 1 %s\n", failed ? "not ok" : "ok", argv[argc - 1]);
	return failed;
}
