// SPDX-License-Identifier: GPL-2.0-only
/*
 * A minimal shell for the console of a test machine: starts programs, shows
 * files. It has no pipes, variables or patterns.
 */
#include "shell_builtin.h"
#include "shell_line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROMPT "thp# "

/* Ignored by the shell: without job control, programs can't be stopped. */
static const int ignored[] = { SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU };
/* Reset in programs, for Ctrl-C and Ctrl-\. */
static const int meant_for_programs[] = { SIGINT, SIGQUIT };

static bool redirect(const char *path, int flags, int fd)
{
	int file;

	if (!path)
		return true;
	file = open(path, flags, 0666);
	if (file < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	dup2(file, fd);
	if (file != fd)
		close(file);
	return true;
}

static bool redirect_all(const struct shell_line *line)
{
	int writing = O_WRONLY | O_CREAT | (line->append ? O_APPEND : O_TRUNC);

	return redirect(line->input, O_RDONLY, STDIN_FILENO) &&
	       redirect(line->output, writing, STDOUT_FILENO);
}

/* Search PATH for a name, and /bin for FOLDER/NAME. */
static __attribute__((noreturn)) void become_program(char **words)
{
	char below[PATH_MAX];
	int error;

	execvp(words[0], words);
	error = errno;
	if (error == ENOENT && *words[0] != '/') {
		snprintf(below, sizeof(below), BIN "/%s", words[0]);
		execv(below, words);
	}
	fprintf(stderr, "%s: %s%s\n", words[0], strerror(error),
		error == ENOENT ? "; try `help`" : "");
	_exit(127);
}

static __attribute__((noreturn)) void run_in_child(struct shell_line *line,
						   const struct shell_builtin *builtin)
{
	setpgid(0, 0);
	tcsetpgrp(STDIN_FILENO, getpgrp());
	for (size_t i = 0; i < sizeof(meant_for_programs) / sizeof(int); i++)
		signal(meant_for_programs[i], SIG_DFL);
	if (!redirect_all(line))
		_exit(1);
	if (builtin)
		exit(builtin->run(line->words));
	become_program(line->words);
}

static void report_end(const char *name, int status)
{
	if (WIFSIGNALED(status))
		printf("%s: killed by signal %d (%s)\n", name, WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status))
		printf("%s: exit status %d\n", name, WEXITSTATUS(status));
}

static void run_apart(struct shell_line *line, const struct shell_builtin *builtin)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_in_child(line, builtin);
	if (pid < 0) {
		perror("fork");
		return;
	}
	/* In parent and child, whichever runs first. */
	setpgid(pid, pid);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	tcsetpgrp(STDIN_FILENO, getpgrp());
	report_end(line->words[0], status);
}

static void run_line(const char *typed)
{
	static struct shell_line line;
	const char *wrong = shell_line_parse(&line, typed);
	const struct shell_builtin *builtin;

	if (wrong || !line.count) {
		if (wrong)
			fprintf(stderr, "%s\n", wrong);
		return;
	}
	builtin = shell_builtin_find(line.words[0]);
	if (builtin && builtin->in_shell)
		builtin->run(line.words);
	else
		run_apart(&line, builtin);
}

int main(void)
{
	static char typed[LINE_SIZE];

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	setpgid(0, 0);
	tcsetpgrp(STDIN_FILENO, getpgrp());
	puts("`help` says what there is; `exit` stops the machine.");
	for (;;) {
		fputs(PROMPT, stdout);
		fflush(stdout);
		if (!fgets(typed, sizeof(typed), stdin))
			break;
		run_line(typed);
	}
	putchar('\n');
	return 0;
}
