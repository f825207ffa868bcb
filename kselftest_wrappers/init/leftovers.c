// SPDX-License-Identifier: GPL-2.0-only
#include "leftovers.h"
#include "lib/kfile.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define OOM_SCORE "/proc/self/oom_score_adj"

/* Whether this is pid 1; set before the first fork, because a test never is. */
static bool is_pid1;

void leftovers_adopt(void)
{
	is_pid1 = getpid() == 1;
	if (is_pid1)
		return;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	kfile_write(OOM_SCORE, "-1000");
}

void leftovers_release(void)
{
	if (!is_pid1)
		kfile_write(OOM_SCORE, "0");
}

/* proc_pid_stat(5); the name in front of it may contain any byte, also a parenthesis. */
static pid_t parent_of(pid_t pid)
{
	char path[32], text[1024];
	const char *name_end;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (kfile_read(path, text, sizeof(text)) < 0)
		return -1;
	name_end = strrchr(text, ')');
	return name_end && sscanf(name_end, ") %*c %d", &parent) == 1 ? parent : -1;
}

static void kill_children(void)
{
	DIR *processes = opendir("/proc");
	struct dirent *entry;

	while (processes && (entry = readdir(processes)))
		if (isdigit((unsigned char)*entry->d_name) &&
		    parent_of(atoi(entry->d_name)) == getpid())
			kill(atoi(entry->d_name), SIGKILL);
	if (processes)
		closedir(processes);
}

void leftovers_kill(void)
{
	if (is_pid1)
		kill(-1, SIGKILL);
	else
		kill_children();
}
