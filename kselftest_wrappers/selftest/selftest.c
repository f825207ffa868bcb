// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a selftest of the kernel tree in the environment that it expects: its own
 * folder, some swap, and overcommit of memory. Ends with the selftest's status.
 */
#include "lib/kfile.h"
#include "lib/zram_swap.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define USAGE_ERROR 2
#define CANNOT_RUN 127

#define OVERCOMMIT "/proc/sys/vm/overcommit_memory"

static size_t half_of_memory(void)
{
	return (size_t)sysconf(_SC_PHYS_PAGES) / 2 * sysconf(_SC_PAGESIZE);
}

static __attribute__((noreturn)) void become(char **argv)
{
	char *folder = strdup(argv[0]);

	if (folder && !chdir(dirname(folder)))
		execv(argv[0], argv);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	_exit(CANNOT_RUN);
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int end_like(int status)
{
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const char *no_swap;
	int status;
	pid_t pid;

	if (argc < 2 || *argv[1] != '/') {
		fputs("usage: selftest /PATH/OF/PROGRAM [ARG ...]\n", stderr);
		return USAGE_ERROR;
	}
	no_swap = zram_swap_on(half_of_memory());
	if (no_swap)
		printf("# there is no swap: %s\n", no_swap);
	fflush(stdout);
	kfile_write(OVERCOMMIT, "1");
	pid = fork();
	if (pid == 0)
		become(argv + 1);
	if (pid < 0) {
		perror("fork");
		return CANNOT_RUN;
	}
	status = wait_for(pid);
	kfile_write(OVERCOMMIT, "0");
	zram_swap_off();
	return end_like(status);
}
