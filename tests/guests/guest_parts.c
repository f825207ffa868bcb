// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs parts of the guest program on the host, for their tests:
 *
 *	guest_parts text < RECORDS	prints each record as a console would
 *	guest_parts channel DEVICE < RECORDS	copies them as the kernel log
 *	guest_parts manifest FILE	prints the parsed manifest
 *	guest_parts milestones KMSG PMSG	reports into these files
 *	guest_parts run MANIFEST KMSG	runs tests as on an installed system
 *
 * RECORDS are what read() of /dev/kmsg gives, with a NUL behind each; the
 * record `EPIPE` stands for that error. Linked with --wrap=open,--wrap=read.
 */
#include "init/channel.h"
#include "init/console_text.h"
#include "init/leftovers.h"
#include "init/manifest.h"
#include "init/report.h"
#include "init/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A packet socket, which keeps records apart as /dev/kmsg does. */
static int kernel_log[2];

static const char *instead_of_kmsg, *instead_of_pmsg;

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);

int __wrap_open(const char *path, int flags, mode_t mode)
{
	if (instead_of_kmsg && !strcmp(path, "/dev/kmsg"))
		path = instead_of_kmsg;
	else if (instead_of_kmsg && !strcmp(path, "/dev/pmsg0"))
		path = instead_of_pmsg;
	if (strcmp(path, "/dev/kmsg"))
		return __real_open(path, flags, mode);
	fcntl(kernel_log[1], F_SETFL, O_NONBLOCK);
	return kernel_log[1];
}

ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
	ssize_t length = __real_read(fd, bytes, size);

	if (length == 5 && !memcmp(bytes, "EPIPE", 5)) {
		errno = EPIPE;
		return -1;
	}
	return length;
}

static size_t next_record(char **record)
{
	static size_t size;
	ssize_t length = getdelim(record, &size, '\0', stdin);

	return length > 1 ? length - 1 : 0;
}

static int print_text(void)
{
	static char lines[65536];
	struct console_record parsed;
	char *record = NULL;

	while (next_record(&record)) {
		if (console_parse(&parsed, record))
			fwrite(lines, 1, console_format(&parsed, lines, sizeof(lines)), stdout);
		else
			puts("not a record");
	}
	return 0;
}

/* Ignore write errors: a stopped copier accepts no more records. */
static int copy_to(const char *device)
{
	struct timeval patience = { .tv_sec = 1 };
	const char *trouble;
	char *record = NULL;
	size_t length;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, kernel_log))
		return 1;
	setsockopt(kernel_log[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	trouble = channel_start(device);
	if (trouble)
		puts(trouble);
	while ((length = next_record(&record)))
		if (send(kernel_log[0], record, length, 0) < 0)
			break;
	channel_finish();
	return 0;
}

static int print_manifest(const char *path)
{
	struct manifest manifest;

	manifest_load(&manifest, path);
	puts(*manifest.error ? manifest.error : manifest.channel ? manifest.channel : "none");
	return 0;
}

static int report_milestones(const char *kmsg, const char *pmsg)
{
	instead_of_kmsg = kmsg;
	instead_of_pmsg = pmsg;
	if (!report_open("0123456789abcdef"))
		return 1;
	report_milestone("start %d %s", 1, "one");
	report("out 1 words");
	report_milestone("end 1 exit 0 5");
	return 0;
}

static int run_tests(const char *manifest_path, const char *kmsg)
{
	struct manifest manifest;

	instead_of_kmsg = kmsg;
	instead_of_pmsg = "/nonexistent";
	manifest_load(&manifest, manifest_path);
	if (*manifest.error || !report_open(manifest.nonce) || !report_keep(manifest.attempted))
		return 1;
	leftovers_adopt();
	run_prepare();
	for (size_t i = 0; i < manifest.test_count; i++)
		run_test(&manifest.tests[i], i + 1, &manifest);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "text"))
		return print_text();
	if (argc == 3 && !strcmp(argv[1], "channel"))
		return copy_to(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "manifest"))
		return print_manifest(argv[2]);
	if (argc == 4 && !strcmp(argv[1], "milestones"))
		return report_milestones(argv[2], argv[3]);
	if (argc == 4 && !strcmp(argv[1], "run"))
		return run_tests(argv[2], argv[3]);
	return 2;
}
