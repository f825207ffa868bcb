// SPDX-License-Identifier: GPL-2.0-only
/*
 * The copier is a thread, not a process: neither a test that kills processes nor
 * pid 1, which kills the leftovers of a test, can end it. Tests don't inherit
 * threads, and fault injection is per thread.
 */
#include "channel.h"
#include "console_text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_LOG "/dev/kmsg"

/* The kernel probes disks asynchronously while it boots. */
#define DEVICE_LIMIT_MS 10000
#define DEVICE_PAUSE_MS 10
#define FINISH_LIMIT_S 10
#define FLUSH_LIMIT_MS 10000
#define FLUSH_PAUSE_MS 2

/* Larger than any record of /dev/kmsg. */
#define RECORD_SIZE 16384
#define BATCH_SIZE (256 << 10)
/* The largest formatted record: one that consists of newlines, each with a prefix. */
#define RECORD_ROOM (96 << 10)
#define STACK_SIZE (256 << 10)

/* Batches lines into one write, which leaves the CPU to the tests. */
#define BATCH_PAUSE_MS 20

#define WRITE_ATTEMPTS 50

#define FULL_MARK "channel: the device is full, the log ends here\n"

static int kernel_log = -1;
static int device = -1;
static int wake_up = -1;
static off_t device_size;
static off_t written;
static pthread_t copier;
static bool copying;
static atomic_bool finishing;

/* Number of the last flush requested, and of the last one completed. */
static atomic_uint asked, reached;

static char batch[BATCH_SIZE];
static size_t batch_length;
static unsigned long long next_sequence;

static void sleep_ms(long milliseconds)
{
	struct timespec pause = { .tv_sec = milliseconds / 1000,
				  .tv_nsec = milliseconds % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

static void add_mark_of_lost_records(unsigned long long lost)
{
	batch_length += sprintf(batch + batch_length,
				"channel: %llu records of the kernel log were overwritten "
				"before they could be copied\n",
				lost);
}

static void add_record(const char *text)
{
	struct console_record record;

	if (!console_parse(&record, text))
		return;
	if (record.sequence > next_sequence)
		add_mark_of_lost_records(record.sequence - next_sequence);
	next_sequence = record.sequence + 1;
	batch_length += console_format(&record, batch + batch_length, BATCH_SIZE - batch_length);
}

/* Read as many records as fit. Return whether more may be available. */
static bool fill_batch(void)
{
	static char record[RECORD_SIZE + 1];
	ssize_t length;

	batch_length = 0;
	while (batch_length + RECORD_ROOM < BATCH_SIZE) {
		length = read(kernel_log, record, RECORD_SIZE);
		if (length > 0) {
			record[length] = '\0';
			add_record(record);
		} else if (length == 0 || (errno != EPIPE && errno != EINTR)) {
			return false;
		}
	}
	return true;
}

/* Cut the batch to the room left on the device. Return whether it fitted as a whole. */
static bool fit_batch(void)
{
	size_t room = device_size - written - strlen(FULL_MARK);

	if (batch_length <= room)
		return true;
	while (room && batch[room - 1] != '\n')
		room--;
	strcpy(batch + room, FULL_MARK);
	batch_length = room + strlen(FULL_MARK);
	return false;
}

static bool write_batch(void)
{
	size_t done = 0;
	int attempts = 0;

	while (done < batch_length) {
		ssize_t count = pwrite(device, batch + done, batch_length - done, written + done);

		if (count > 0)
			done += count;
		else if (++attempts == WRITE_ATTEMPTS)
			return false;
		else
			sleep_ms(DEVICE_PAUSE_MS);
	}
	written += done;
	return !done || !fdatasync(device);
}

/* Shown by the consoles, and found in a memory dump of a guest that hangs. */
static void complain(int error)
{
	int fd = open(KERNEL_LOG, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	dprintf(fd, "channel: the log is not copied any more: %s\n", strerror(error));
	close(fd);
}

static void wait_for_records(void)
{
	struct pollfd events[] = { { .fd = kernel_log, .events = POLLIN },
				   { .fd = wake_up, .events = POLLIN } };

	eventfd_t wakes;

	poll(events, 2, -1);
	eventfd_read(wake_up, &wakes);
	if (!finishing && asked == reached)
		sleep_ms(BATCH_PAUSE_MS);
}

static void *copy(void *unused)
{
	for (;;) {
		/* Read both before the log, so that all records up to now are copied. */
		bool last = finishing;
		unsigned int wanted = asked;
		bool more = fill_batch();
		bool all_fits = fit_batch();

		if (!write_batch()) {
			complain(errno);
			break;
		}
		if (!all_fits || (last && !more))
			break;
		if (!more) {
			reached = wanted;
			wait_for_records();
		}
	}
	reached = UINT_MAX;
	return unused;
}

/* While a disk is being set up, its node may exist with a size of 0. */
static bool open_device(const char *path)
{
	for (int waited = 0;; waited += DEVICE_PAUSE_MS) {
		device = open(path, O_WRONLY | O_CLOEXEC);
		device_size = device < 0 ? 0 : lseek(device, 0, SEEK_END);
		if (device_size > (off_t)sizeof(FULL_MARK))
			return true;
		if (device >= 0) {
			close(device);
			errno = ENOSPC;
		}
		if (waited >= DEVICE_LIMIT_MS)
			return false;
		sleep_ms(DEVICE_PAUSE_MS);
	}
}

/* Block all signals here; the thread that waits for the tests handles them. */
static int start_thread(void)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&copier, &attributes, copy, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

const char *channel_start(const char *path)
{
	static char trouble[256];
	const char *what = path;

	if (open_device(path)) {
		what = KERNEL_LOG;
		kernel_log = open(KERNEL_LOG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		wake_up = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (kernel_log >= 0 && wake_up >= 0) {
			what = "thread";
			errno = start_thread();
			copying = !errno;
		}
	}
	if (copying)
		return NULL;
	snprintf(trouble, sizeof(trouble), "%s: %s", what, strerror(errno));
	return trouble;
}

void channel_flush(void)
{
	unsigned int wanted;

	if (!copying)
		return;
	wanted = ++asked;
	eventfd_write(wake_up, 1);
	for (int waited = 0; reached < wanted && waited < FLUSH_LIMIT_MS; waited += FLUSH_PAUSE_MS)
		sleep_ms(FLUSH_PAUSE_MS);
}

void channel_finish(void)
{
	struct timespec limit;

	if (!copying)
		return;
	finishing = true;
	eventfd_write(wake_up, 1);
	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += FINISH_LIMIT_S;
	pthread_timedjoin_np(copier, NULL, &limit);
}
