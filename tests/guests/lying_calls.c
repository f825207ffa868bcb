// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulates a kernel with bugs for the fault sweep: linked with --wrap, these
 * functions replace system calls. Each allocates a page first, and misbehaves if
 * the allocation fails.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

int __real_madvise(void *start, size_t length, int advice);
int __real_munmap(void *start, size_t length);
int __real_mprotect(void *start, size_t length, int protection);
int __real_mlock(const void *start, size_t length);
int __real_munlock(const void *start, size_t length);
void *__real_mremap(void *start, size_t old_length, size_t length, int flags, ...);

/* mincore() allocates a page for its result, and fails with EAGAIN without one. */
static bool page_fails(const void *start)
{
	unsigned char resident;

	return mincore((void *)start, 1, &resident) && errno == EAGAIN;
}

static int failed(int error)
{
	errno = error;
	return -1;
}

/* MADV_DONTNEED reports success without an effect; MADV_COLD retries for as long as it fails. */
int __wrap_madvise(void *start, size_t length, int advice)
{
	while (advice == MADV_COLD && length && page_fails(start))
		;
	if (advice == MADV_DONTNEED && page_fails(start))
		return 0;
	return __real_madvise(start, length, advice);
}

/* Has its effect, but reports failure. */
int __wrap_munmap(void *start, size_t length)
{
	if (!page_fails(start))
		return __real_munmap(start, length);
	__real_munmap(start, length);
	return failed(ENOMEM);
}

/* Changes a byte next to the range. */
int __wrap_mprotect(void *start, size_t length, int protection)
{
	if (!page_fails(start))
		return __real_mprotect(start, length, protection);
	((volatile char *)start)[-1] ^= 1;
	return failed(ENOMEM);
}

/* Fails with a wrong errno. */
int __wrap_mlock(const void *start, size_t length)
{
	return page_fails(start) ? failed(EINVAL) : __real_mlock(start, length);
}

/* Fails in the retry, too. */
int __wrap_munlock(const void *start, size_t length)
{
	static bool broken;

	broken |= page_fails(start);
	return broken ? failed(ENOMEM) : __real_munlock(start, length);
}

/* Kills the process, or leaves a mapping in the old place if it grows. */
void *__wrap_mremap(void *start, size_t old_length, size_t length, int flags, ...)
{
	va_list arguments;
	void *place;
	bool fails;

	va_start(arguments, flags);
	place = va_arg(arguments, void *);
	va_end(arguments);
	fails = page_fails(start);
	if (fails && length == old_length)
		raise(SIGBUS);
	place = __real_mremap(start, old_length, length, flags, place);
	if (fails)
		mmap(start, old_length, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return place;
}
