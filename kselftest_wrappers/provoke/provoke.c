// SPDX-License-Identifier: GPL-2.0-only
/*
 * Provokes a kernel error by LKDTM (Documentation/fault-injection/
 * provoke-crashes.rst), whose report the harness must find in the log. The test
 * passes if the kernel survives.
 */
#include "lib/kfile.h"
#include "lib/ktap.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIRECT "/sys/kernel/debug/provoke-crash/DIRECT"
#define PATIENCE 40

/* Wait for @child, which may hang in the kernel; return whether it ended. */
static bool wait_a_while(pid_t child, int *status)
{
	int seconds;

	for (seconds = 0; seconds < PATIENCE; seconds++) {
		if (waitpid(child, status, WNOHANG) == child)
			return true;
		sleep(1);
	}
	return false;
}

int main(int argc, char **argv)
{
	int status;
	pid_t child;

	ktap_begin(argc > 1 ? argv[1] : "provoke");
	if (argc != 2)
		ktap_fail("usage: provoke CRASH_TYPE");
	if (access(DIRECT, W_OK))
		ktap_skip("the kernel is built without CONFIG_LKDTM");

	child = fork();
	ktap_need(child >= 0, "fork");
	if (!child)
		_exit(kfile_write(DIRECT, argv[1]) ? errno : 0);

	if (!wait_a_while(child, &status))
		ktap_note("the process is still in the kernel after %d s", PATIENCE);
	else if (WIFSIGNALED(status))
		ktap_note("the kernel ended the process: %s", strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == EINVAL)
		ktap_skip("this kernel does not know %s", argv[1]);
	ktap_pass();
}
