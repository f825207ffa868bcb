// SPDX-License-Identifier: GPL-2.0-only
/* Measures the time of a PMD split, of a fork with THPs, and of faults and unmaps of THPs. */
#include "lib/kfile.h"
#include "lib/ktap.h"
#include "lib/thp_field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USAGE_ERROR 2

#define CLOCK_LOOKS 10

/* A tick-based clock advances in milliseconds, and loses ticks under emulation. */
#define FEWEST_STEPS 200

#define WARM_UP 5
#define SAMPLES 31

/* THPs of one sample, and their largest share of memory. */
#define MEMORY_PERCENT 12
#define MOST_THPS 32
#define FEWEST_THPS 2

struct timing {
	const char *what;
	/* Before each sample, not timed. */
	void (*prepare)(const struct thp_field *field);
	void (*operate)(const struct thp_field *field);
	/* After each sample, not timed. */
	void (*finish)(const struct thp_field *field);
	/* Counter that must rise by one for each THP, or NULL. */
	const char *counter;
	/* Whether a sample is divided by the number of THPs. */
	bool per_thp;
};

static void renew(const struct thp_field *field)
{
	ktap_need(!thp_field_renew(field), "new memory for the THPs");
}

static void split_all(const struct thp_field *field)
{
	for (size_t i = 0; i < field->count; i++)
		ktap_need(!thp_field_split(field, i), "MADV_DONTNEED of one page");
}

static void touch_and_split(const struct thp_field *field)
{
	thp_field_touch(field);
	split_all(field);
}

static void nothing(const struct thp_field *field)
{
	(void)field;
}

static pid_t child;

static void fork_once(const struct thp_field *field)
{
	(void)field;
	child = fork();
	if (!child)
		_exit(0);
	ktap_need(child > 0, "fork");
}

static void wait_for_child(const struct thp_field *field)
{
	(void)field;
	waitpid(child, NULL, 0);
}

static const struct timing timings[] = {
	{ "split", thp_field_touch, split_all, renew, "thp_split_pmd", true },
	{ "fork", thp_field_touch, fork_once, wait_for_child, NULL, false },
	{ "fault", renew, thp_field_touch, renew, "thp_fault_alloc", true },
	{ "unmap", thp_field_touch, renew, nothing, NULL, true },
	{ "unmap_split", touch_and_split, renew, nothing, NULL, true },
};

#define TIMINGS (sizeof(timings) / sizeof(timings[0]))

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Return the smallest observed step of the clock; bad clock sources step by milliseconds. */
static long long clock_step_ns(void)
{
	long long least = 0;

	for (int i = 0; i < CLOCK_LOOKS; i++) {
		long long start = now_ns(), now;

		do {
			now = now_ns();
		} while (now == start);
		if (!least || now - start < least)
			least = now - start;
	}
	return least;
}

static long long counter_of(const struct timing *timing)
{
	return timing->counter ? vmstat_counter(timing->counter) : 0;
}

static void check_counter(const struct timing *timing, const struct thp_field *field,
			  long long rose)
{
	if (timing->counter && rose != (long long)field->count)
		ktap_fail("%s rose by %lld with %zu THPs: something else was timed",
			  timing->counter, rose, field->count);
}

static long long take_sample(const struct timing *timing, const struct thp_field *field)
{
	long long before, start, end;

	timing->prepare(field);
	before = counter_of(timing);
	start = now_ns();
	timing->operate(field);
	end = now_ns();
	check_counter(timing, field, counter_of(timing) - before);
	timing->finish(field);
	return (end - start) / (timing->per_thp ? (long long)field->count : 1);
}

static void need_fine_clock(const struct timing *timing, const struct thp_field *field)
{
	long long step = clock_step_ns(), sample = take_sample(timing, field);

	if (timing->per_thp)
		sample *= field->count;
	if (sample < FEWEST_STEPS * step)
		ktap_skip("the clock is too coarse: it steps by %lld ns, a sample takes %lld ns",
			  step, sample);
}

static void print_samples(const struct timing *timing, const long long *samples)
{
	printf("data timing what=%s unit=ns samples=%d values=", timing->what, SAMPLES);
	for (int i = 0; i < SAMPLES; i++)
		printf("%s%lld", i ? "," : "", samples[i]);
	putchar('\n');
}

static int compare(const void *left, const void *right)
{
	long long a = *(const long long *)left, b = *(const long long *)right;

	return (a > b) - (a < b);
}

static void note_median(const struct timing *timing, long long *samples, size_t count)
{
	qsort(samples, SAMPLES, sizeof(*samples), compare);
	ktap_note("%s with %zu THPs: median %lld ns, half of the samples in %lld .. %lld ns",
		  timing->what, count, samples[SAMPLES / 2], samples[SAMPLES / 4],
		  samples[SAMPLES - 1 - SAMPLES / 4]);
}

/* Skips on a machine without THPs, before any sample fails. */
static void need_thps(const struct thp_field *field)
{
	long long before = vmstat_counter("thp_fault_alloc"), rose;

	if (before == ABSENT)
		ktap_skip("no counter thp_fault_alloc in /proc/vmstat");
	thp_field_touch(field);
	rose = vmstat_counter("thp_fault_alloc") - before;
	if (rose != (long long)field->count)
		ktap_skip("%zu faults gave %lld THPs", field->count, rose);
	renew(field);
}

static void run(const struct timing *timing)
{
	long long samples[SAMPLES];
	struct thp_field field;
	size_t count = thp_field_count(MEMORY_PERCENT, MOST_THPS);
	const char *reason = thp_field_map(&field, count ? count : 1);

	if (reason)
		ktap_skip("no THPs: %s", reason);
	if (count < FEWEST_THPS)
		ktap_skip("%u %% of memory hold %zu THPs", MEMORY_PERCENT, count);
	need_thps(&field);
	for (int i = 0; i < WARM_UP; i++)
		take_sample(timing, &field);
	need_fine_clock(timing, &field);
	for (int i = 0; i < SAMPLES; i++)
		samples[i] = take_sample(timing, &field);
	print_samples(timing, samples);
	note_median(timing, samples, count);
}

static const struct timing *find_timing(const char *what)
{
	for (size_t i = 0; i < TIMINGS; i++)
		if (!strcmp(timings[i].what, what))
			return &timings[i];
	return NULL;
}

static void print_usage(FILE *stream)
{
	fputs("usage: timing split|fork|fault|unmap|unmap_split    measure, print KTAP and data\n"
	      "       timing -h                                    show this\n"
	      "exit codes: 0 pass, 1 fail, 2 usage, 4 skip\n", stream);
}

int main(int argc, char **argv)
{
	const struct timing *timing;
	static char name[64];

	if (argc == 2 && !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return 0;
	}
	timing = argc == 2 ? find_timing(argv[1]) : NULL;
	if (!timing) {
		print_usage(stderr);
		return USAGE_ERROR;
	}
	snprintf(name, sizeof(name), "timing.%s", timing->what);
	ktap_begin(name);
	run(timing);
	ktap_pass();
}
