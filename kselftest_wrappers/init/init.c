// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pid 1 of a test machine: runs the tests of the manifest one by one, reports
 * their output and results (docs/guest-protocol.md), and stops the machine. On
 * an installed system, which has its own pid 1, it takes the path of a manifest
 * as argument and does not stop the machine.
 */
#include "channel.h"
#include "console_shell.h"
#include "gcov.h"
#include "leftovers.h"
#include "lib/kfile.h"
#include "manifest.h"
#include "probe.h"
#include "report.h"
#include "run.h"
#include "taint.h"
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MANIFEST "/thp/manifest"

struct mount_point {
	const char *path;
	const char *type;
	bool required;
};

/* devtmpfs is mounted earlier: reporting a failure needs /dev/kmsg. */
static const struct mount_point mount_points[] = {
	{ "/proc", "proc", true },
	{ "/sys", "sysfs", true },
	{ "/tmp", "tmpfs", false },
	{ "/dev/shm", "tmpfs", false },
	{ "/sys/kernel/debug", "debugfs", false },
	{ "/sys/fs/cgroup", "cgroup2", false },
};

static bool mount_at(const char *path, const char *type)
{
	mkdir(path, 0755);
	return !mount(type, path, type, 0, NULL) || errno == EBUSY;
}

/* Without devtmpfs, these two nodes suffice. */
static void provide_devices(void)
{
	mount_at("/dev", "devtmpfs");
	mknod("/dev/kmsg", S_IFCHR | 0600, makedev(1, 11));
	mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3));
}

/* Without /dev/console in the initramfs, pid 1 starts with no open descriptor. */
static void occupy_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static void mount_the_rest(void)
{
	for (size_t i = 0; i < sizeof(mount_points) / sizeof(mount_points[0]); i++) {
		const struct mount_point *point = &mount_points[i];

		if (!mount_at(point->path, point->type) && point->required)
			report("error mount %s on %s: %s", point->type, point->path,
			       strerror(errno));
	}
}

static void set_up_for_tests(void)
{
	/*
	 * The default rate limit lets ten lines pass in five seconds. The
	 * kernel requires the newline.
	 */
	kfile_write("/proc/sys/kernel/printk_devkmsg", "on\n");
	setenv("PATH", "/bin:/sbin:/usr/bin:/usr/sbin", 1);
	setenv("HOME", "/tmp", 1);
	setenv("TMPDIR", "/tmp", 1);
	setenv("LC_ALL", "C", 1);
	run_prepare();
}

static size_t run_all(const struct manifest *manifest)
{
	report("plan %zu", manifest->test_count);
	taint_report(0);
	gcov_prepare(manifest);
	for (size_t i = 0; i < manifest->test_count; i++) {
		/* A test that kills the kernel must not lose lines of the tests before it. */
		if (manifest->attempted)
			channel_flush();
		run_test(&manifest->tests[i], i + 1, manifest);
	}
	return manifest->test_count;
}

static void run_shell(const char *program)
{
	const char *trouble;

	if (chdir("/"))
		report("error shell: /: %s", strerror(errno));
	trouble = console_shell(program);
	if (trouble)
		report("error shell %s: %s", program, trouble);
}

/* Without a way to power off, reboot() returns or the kernel only halts. */
static __attribute__((noreturn)) void stop_machine(bool power_off)
{
	sync();
	if (power_off)
		reboot(RB_POWER_OFF);
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static bool begin(struct manifest *manifest, const char *path)
{
	const char *trouble;

	manifest_load(manifest, path);
	trouble = manifest->channel ? channel_start(manifest->channel) : NULL;
	if (!report_open(manifest->nonce))
		return false;
	if (manifest->attempted && !report_keep(manifest->attempted))
		report("error attempted %s: %s", manifest->attempted, strerror(errno));
	report_milestone("hello %d", PROTOCOL_VERSION);
	if (trouble)
		report("error channel %s", trouble);
	return true;
}

/* Return the number of tests that ran. */
static size_t work(const struct manifest *manifest)
{
	size_t tests_run;

	if (*manifest->error) {
		report("error %s", manifest->error);
		return 0;
	}
	leftovers_adopt();
	set_up_for_tests();
	if (manifest->watchdog_seconds)
		watchdog_arm(manifest->watchdog_seconds);
	probe_report();
	tests_run = run_all(manifest);
	watchdog_disarm();
	if (manifest->shell)
		run_shell(manifest->shell);
	return tests_run;
}

static void end(size_t tests_run)
{
	report_milestone("done %zu", tests_run);
	channel_finish();
}

static __attribute__((noreturn)) void run_as_pid1(void)
{
	struct manifest manifest;

	provide_devices();
	occupy_standard_descriptors();
	if (begin(&manifest, MANIFEST)) {
		mount_the_rest();
		end(work(&manifest));
	}
	stop_machine(manifest.power_off);
}

static int run_as_program(const char *path)
{
	struct manifest manifest;

	occupy_standard_descriptors();
	if (chdir("/") || !begin(&manifest, path)) {
		perror("/dev/kmsg");
		return 1;
	}
	end(work(&manifest));
	return 0;
}

int main(int argc, char **argv)
{
	if (getpid() == 1)
		run_as_pid1();
	if (argc == 2 && *argv[1] == '/')
		return run_as_program(argv[1]);
	fputs("usage: init /PATH/OF/MANIFEST\n", stderr);
	return 2;
}
