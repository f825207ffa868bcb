// SPDX-License-Identifier: GPL-2.0-only
#include "lasting.h"
#include "lib/kfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SWITCH "/proc/self/make-it-fail"
#define DEBUGFS "/sys/kernel/debug/"

struct setting {
	const char *name;
	const char *value;
};

/* The last one switches injection on; a loop without end must not flood the log. */
static const struct setting settings[] = {
	{ "verbose", "0" },  { "task-filter", "Y" }, { "interval", "1" },
	{ "space", "0" },    { "times", "-1" },      { "probability", "100" },
};

static bool is_on;

static bool apply(const char *injector)
{
	char path[128];

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		snprintf(path, sizeof(path), DEBUGFS "%s/%s", injector, settings[i].name);
		if (kfile_write(path, settings[i].value))
			return false;
	}
	return true;
}

const char *lasting_set_up(void)
{
	if (access(SWITCH, W_OK))
		return "no " SWITCH;
	if (!apply("fail_page_alloc"))
		return "can't configure " DEBUGFS "fail_page_alloc";
	apply("failslab");
	is_on = true;
	return NULL;
}

bool lasting_is_on(void)
{
	return is_on;
}

void lasting_tear_down(void)
{
	kfile_write(DEBUGFS "fail_page_alloc/probability", "0");
	kfile_write(DEBUGFS "failslab/probability", "0");
}

int lasting_open(void)
{
	return open(SWITCH, O_RDWR | O_CLOEXEC);
}

static void set(int fd, const char *value)
{
	if (pwrite(fd, value, 1, 0) != 1)
		abort();
}

void lasting_arm(int fd)
{
	set(fd, "1");
}

void lasting_disarm(int fd)
{
	set(fd, "0");
}

void lasting_end_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/make-it-fail", (int)pid);
	kfile_write(path, "0");
}
