// SPDX-License-Identifier: GPL-2.0-only
#include "run.h"
#include "counters.h"
#include "gcov.h"
#include "leftovers.h"
#include "output.h"
#include "report.h"
#include "taint.h"
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Limit for killed processes to end; some are in uninterruptible sleep. */
#define REAP_LIMIT_MS 10000
#define REAP_PAUSE_MS 5

struct pipes {
	int output[2];
	int exec_error[2];
};

struct running_test {
	pid_t pid;
	long long started_ms;
	long long ended_ms;
	int output_fd;
	int wait_status;
	bool ended;
	bool timed_out;
	struct output output;
};

/* The signal mask before SIGCHLD was blocked, for ppoll() and the tests. */
static sigset_t outer_signals;

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void sleep_ms(long milliseconds)
{
	struct timespec pause = { .tv_nsec = milliseconds * 1000000 };

	nanosleep(&pause, NULL);
}

static void interrupt_poll(int number)
{
	(void)number;
}

void run_prepare(void)
{
	struct sigaction wake = { .sa_handler = interrupt_poll };
	sigset_t blocked;

	sigaction(SIGCHLD, &wake, NULL);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &outer_signals);
}

/* In the child; returns only on failure. */
static void become_test(const struct test *test, int output)
{
	int input = open("/dev/null", O_RDONLY);

	setsid();
	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	if (input > STDERR_FILENO)
		close(input);
	sigprocmask(SIG_SETMASK, &outer_signals, NULL);
	leftovers_release();
	execv(test->argv[0], test->argv);
}

/* Return errno of a failed execv, which the child sends, or 0. */
static int read_exec_error(int fd)
{
	int error = 0;

	if (read(fd, &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(fd);
	return error;
}

static bool open_pipes(struct pipes *pipes)
{
	if (pipe2(pipes->output, O_CLOEXEC))
		return false;
	if (!pipe2(pipes->exec_error, O_CLOEXEC))
		return true;
	close(pipes->output[0]);
	close(pipes->output[1]);
	return false;
}

static pid_t fork_test(const struct test *test, const struct pipes *pipes)
{
	pid_t pid = fork();

	if (pid == 0) {
		become_test(test, pipes->output[1]);
		if (write(pipes->exec_error[1], &errno, sizeof(errno)) < 0)
			_exit(126);
		_exit(127);
	}
	close(pipes->output[1]);
	close(pipes->exec_error[1]);
	return pid;
}

static bool start_test(struct running_test *run, const struct test *test, size_t index)
{
	struct pipes pipes;
	int error;

	if (!open_pipes(&pipes)) {
		report("error test %zu: pipe: %s", index, strerror(errno));
		return false;
	}
	run->output_fd = pipes.output[0];
	fcntl(run->output_fd, F_SETFL, O_NONBLOCK);
	run->started_ms = now_ms();
	run->pid = fork_test(test, &pipes);
	if (run->pid < 0)
		report("error test %zu: fork: %s", index, strerror(errno));
	error = read_exec_error(pipes.exec_error[0]);
	if (error)
		report("error test %zu: can't run %s: %s", index, test->argv[0], strerror(error));
	return run->pid >= 0;
}

/* Reap ended children, orphans of the test included. Return whether any child is left. */
static bool reap(struct running_test *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == run->pid) {
			run->wait_status = status;
			run->ended = true;
		}
	return pid == 0;
}

/* A single read, so that a test that floods its output can't delay the time-out. */
static ssize_t take_output(struct running_test *run)
{
	static char bytes[65536];
	ssize_t count = read(run->output_fd, bytes, sizeof(bytes));

	if (count > 0)
		output_feed(&run->output, bytes, count);
	return count;
}

/* Wait for output, the test's end or the time-out; a test may close its output and run on. */
static void wait_for_output(struct running_test *run, long long timeout_ms)
{
	struct pollfd output = { .fd = run->output_fd, .events = POLLIN };
	struct timespec timeout = { .tv_sec = timeout_ms / 1000,
				    .tv_nsec = timeout_ms % 1000 * 1000000 };

	if (ppoll(&output, 1, &timeout, &outer_signals) > 0 && take_output(run) == 0) {
		close(run->output_fd);
		run->output_fd = -1;
	}
}

static void watch_until_end(struct running_test *run, int timeout_ms)
{
	long long deadline = run->started_ms + timeout_ms;

	for (;;) {
		long long left = deadline - now_ms();

		reap(run);
		if (run->ended)
			break;
		if (left <= 0) {
			run->timed_out = true;
			break;
		}
		watchdog_feed();
		wait_for_output(run, watchdog_patience(left));
	}
	run->ended_ms = now_ms();
}

/* Children of a test may be in any session; once no child is left, none survives. */
static void kill_leftovers(struct running_test *run, size_t index)
{
	long long give_up = now_ms() + REAP_LIMIT_MS;

	leftovers_kill();
	while (reap(run)) {
		leftovers_kill();
		watchdog_feed();
		if (now_ms() > give_up) {
			report("error test %zu left a process that does not die", index);
			return;
		}
		sleep_ms(REAP_PAUSE_MS);
	}
}

static void drain_output(struct running_test *run)
{
	if (run->output_fd < 0)
		return;
	while (take_output(run) > 0)
		;
	close(run->output_fd);
}

static void report_end(const struct running_test *run, const struct test *test, size_t index)
{
	long long took = run->ended_ms - run->started_ms;

	if (run->timed_out)
		report_milestone("end %zu timeout %d %lld", index, test->timeout_ms, took);
	else if (WIFSIGNALED(run->wait_status))
		report_milestone("end %zu signal %d %lld", index, WTERMSIG(run->wait_status), took);
	else
		report_milestone("end %zu exit %d %lld", index, WEXITSTATUS(run->wait_status), took);
}

void run_test(const struct test *test, size_t index, const struct manifest *manifest)
{
	struct running_test run = { .pid = -1, .output_fd = -1 };

	output_start(&run.output, index, manifest->output_limit);
	watchdog_feed();
	report_milestone("start %zu %s", index, test->name);
	counters_report("before", index, manifest);
	gcov_reset();
	if (start_test(&run, test, index))
		watch_until_end(&run, test->timeout_ms);
	kill_leftovers(&run, index);
	drain_output(&run);
	output_finish(&run.output);
	gcov_report(index);
	counters_report("after", index, manifest);
	taint_report(index);
	if (run.pid >= 0)
		report_end(&run, test, index);
}
