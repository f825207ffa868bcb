// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel with bugs, as the fault sweep sees one: linked with --wrap, these
 * take the place of system calls. Each allocates a page first, and when that
 * fails it does something else than it should.
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

/* mincore() takes a page for its answer, and says EAGAIN if there is none. */
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

/* Says that it is done. */
int __wrap_madvise(void *start, size_t length, int advice)
{
	if (advice == MADV_DONTNEED && page_fails(start))
		return 0;
	return __real_madvise(start, length, advice);
}

/* Does it, and says that it is not done. */
int __wrap_munmap(void *start, size_t length)
{
	if (!page_fails(start))
		return __real_munmap(start, length);
	__real_munmap(start, length);
	return failed(ENOMEM);
}

/* Loses a byte next to the range. */
int __wrap_mprotect(void *start, size_t length, int protection)
{
	if (!page_fails(start))
		return __real_mprotect(start, length, protection);
	((volatile char *)start)[-1] ^= 1;
	return failed(ENOMEM);
}

/* Gives a wrong reason. */
int __wrap_mlock(const void *start, size_t length)
{
	return page_fails(start) ? failed(EINVAL) : __real_mlock(start, length);
}

/* Never works again. */
int __wrap_munlock(const void *start, size_t length)
{
	static bool broken;

	broken |= page_fails(start);
	return broken ? failed(ENOMEM) : __real_munlock(start, length);
}

/* Kills. */
void *__wrap_mremap(void *start, size_t old_length, size_t length, int flags, ...)
{
	va_list arguments;
	void *place;

	va_start(arguments, flags);
	place = va_arg(arguments, void *);
	va_end(arguments);
	if (page_fails(start))
		raise(SIGBUS);
	return __real_mremap(start, old_length, length, flags, place);
}
