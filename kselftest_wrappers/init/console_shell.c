// SPDX-License-Identifier: GPL-2.0-only
#include "console_shell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONSOLE "/dev/console"
#define NOT_RUN 127

/* Ctrl-C only reaches processes whose controlling terminal is the console. */
static bool take_console(void)
{
	int fd = open(CONSOLE, O_RDWR);

	if (fd < 0)
		return false;
	setsid();
	ioctl(fd, TIOCSCTTY, 0);
	for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
		if (dup2(fd, i) < 0)
			return false;
	if (fd > STDERR_FILENO)
		close(fd);
	return true;
}

static __attribute__((noreturn)) void become_shell(const char *program)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (take_console())
		execl(program, program, (char *)NULL);
	_exit(NOT_RUN);
}

/* Also reaps orphans that programs of the shell leave behind. */
static int wait_for(pid_t pid)
{
	int status = 0;
	pid_t ended;

	do {
		ended = waitpid(-1, &status, 0);
	} while (ended != pid && (ended > 0 || errno == EINTR));
	return status;
}

const char *console_shell(const char *program)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		become_shell(program);
	if (pid < 0)
		return strerror(errno);
	status = wait_for(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_RUN)
		return "it can't be run on " CONSOLE;
	return NULL;
}
