// SPDX-License-Identifier: GPL-2.0-only
#include "shell_builtin.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static int trouble(const char *command, const char *object)
{
	fprintf(stderr, "%s: %s: %s\n", command, object, strerror(errno));
	return 1;
}

static int wrong_usage(const char *command)
{
	fprintf(stderr, "usage: %s\n", shell_builtin_find(command)->usage);
	return 2;
}

static int run_cd(char **words)
{
	const char *folder = words[1] ? words[1] : "/";

	return chdir(folder) ? trouble("cd", folder) : 0;
}

static int run_pwd(char **words)
{
	char folder[PATH_MAX];

	if (!getcwd(folder, sizeof(folder)))
		return trouble(words[0], ".");
	puts(folder);
	return 0;
}

static void print_entry(const char *name, const struct stat *what)
{
	static const char kinds[16] = {
		[S_IFIFO >> 12] = 'p', [S_IFCHR >> 12] = 'c', [S_IFDIR >> 12] = 'd',
		[S_IFBLK >> 12] = 'b', [S_IFREG >> 12] = '-', [S_IFLNK >> 12] = 'l',
		[S_IFSOCK >> 12] = 's',
	};

	printf("%c %04o %10lld %s\n", kinds[(what->st_mode & S_IFMT) >> 12],
	       (unsigned int)(what->st_mode & 07777), (long long)what->st_size, name);
}

static int list_folder(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);

	if (count < 0)
		return trouble("ls", path);
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		char whole[PATH_MAX];
		struct stat what;

		snprintf(whole, sizeof(whole), "%s/%s", path, name);
		if (strcmp(name, ".") && strcmp(name, "..") && !lstat(whole, &what))
			print_entry(name, &what);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static int list(const char *path)
{
	struct stat what;

	if (lstat(path, &what))
		return trouble("ls", path);
	if (S_ISDIR(what.st_mode))
		return list_folder(path);
	print_entry(path, &what);
	return 0;
}

static int run_ls(char **words)
{
	int status = 0;

	if (!words[1])
		return list(".");
	for (words++; *words; words++)
		status |= list(*words);
	return status;
}

static int copy_to_output(int fd, const char *name)
{
	char bytes[4096];
	ssize_t count;

	while ((count = read(fd, bytes, sizeof(bytes))) > 0)
		if (write(STDOUT_FILENO, bytes, count) != count)
			return trouble("cat", "output");
	return count < 0 ? trouble("cat", name) : 0;
}

static int run_cat(char **words)
{
	int status = 0;

	if (!words[1])
		return copy_to_output(STDIN_FILENO, "input");
	for (words++; *words; words++) {
		int fd = open(*words, O_RDONLY);

		if (fd < 0) {
			status = trouble("cat", *words);
			continue;
		}
		status |= copy_to_output(fd, *words);
		close(fd);
	}
	return status;
}

static int run_echo(char **words)
{
	for (words++; *words; words++)
		printf("%s%s", *words, words[1] ? " " : "");
	putchar('\n');
	/* Files of the kernel report errors at the write, which the flush causes. */
	return fflush(stdout) ? trouble("echo", "output") : 0;
}

static int run_mount(char **words)
{
	static char *mounts[] = { "cat", "/proc/mounts", NULL };

	if (!words[1])
		return run_cat(mounts);
	if (strcmp(words[1], "-t") || !words[2] || !words[3] || !words[4] || words[5])
		return wrong_usage(words[0]);
	if (mkdir(words[4], 0755) && errno != EEXIST)
		return trouble(words[0], words[4]);
	return mount(words[3], words[4], words[2], 0, NULL) ? trouble(words[0], words[4]) : 0;
}

static int print_variables(void)
{
	for (char **variable = environ; *variable; variable++)
		puts(*variable);
	return 0;
}

static int run_env(char **words)
{
	const char *value;

	if (!words[1])
		return print_variables();
	value = getenv(words[1]);
	if (value)
		puts(value);
	return !value;
}

static int run_export(char **words)
{
	char *sign = words[1] ? strchr(words[1], '=') : NULL;

	if (!sign || sign == words[1] || words[2])
		return wrong_usage(words[0]);
	*sign = '\0';
	return setenv(words[1], sign + 1, 1) ? trouble(words[0], words[1]) : 0;
}

/* "PID (NAME) STATE …"; a name may have blanks and parentheses. */
static void print_process(const char *id)
{
	char path[PATH_MAX];
	char text[512];
	ssize_t length;
	char *name, *end;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/stat", id);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[length > 0 ? length : 0] = '\0';
	name = strchr(text, '(');
	end = strrchr(text, ')');
	if (name && end && end[1])
		printf("%6s %c %.*s\n", id, end[2], (int)(end - name - 1), name + 1);
}

static int run_ps(char **words)
{
	struct dirent *entry;
	DIR *processes = opendir("/proc");

	if (!processes)
		return trouble(words[0], "/proc");
	while ((entry = readdir(processes)))
		if (isdigit((unsigned char)*entry->d_name))
			print_process(entry->d_name);
	closedir(processes);
	return 0;
}

static int run_exit(char **words)
{
	(void)words;
	exit(0);
}

static int run_help(char **words);

static const struct shell_builtin builtins[] = {
	{ "cat", "cat [FILE ...]", run_cat, false },
	{ "cd", "cd [FOLDER]", run_cd, true },
	{ "echo", "echo [WORD ...]", run_echo, false },
	{ "env", "env [NAME]", run_env, false },
	{ "exit", "exit (stops the machine)", run_exit, true },
	{ "export", "export NAME=VALUE", run_export, true },
	{ "help", "help", run_help, false },
	{ "ls", "ls [FILE ...]", run_ls, false },
	{ "mount", "mount [-t TYPE SOURCE FOLDER]", run_mount, false },
	{ "poweroff", "poweroff (the same)", run_exit, true },
	{ "ps", "ps", run_ps, false },
	{ "pwd", "pwd", run_pwd, false },
};

static int run_help(char **words)
{
	(void)words;
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		printf("  %s\n", builtins[i].usage);
	puts("  PROGRAM [WORD ...] [< FILE] [> FILE] [>> FILE]\n\nPrograms in " BIN ":");
	return list_folder(BIN);
}

const struct shell_builtin *shell_builtin_find(const char *name)
{
	for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
		if (!strcmp(builtins[i].name, name))
			return &builtins[i];
	return NULL;
}
