// SPDX-License-Identifier: GPL-2.0-only
#include "ktap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *test_name;

static __attribute__((noreturn)) void end(int code)
{
	fflush(stdout);
	exit(code);
}

void ktap_begin(const char *name)
{
	test_name = name;
	/* A forked child must not inherit buffered lines. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("TAP version 13\n1..1");
}

static void print_note(const char *format, va_list arguments)
{
	fputs("# ", stdout);
	vprintf(format, arguments);
	putchar('\n');
}

void ktap_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_note(format, arguments);
	va_end(arguments);
}

void ktap_pass(void)
{
	printf("ok 1 %s\n", test_name);
	end(KSFT_PASS);
}

void ktap_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_note(format, arguments);
	va_end(arguments);
	printf("not ok 1 %s\n", test_name);
	end(KSFT_FAIL);
}

void ktap_skip(const char *format, ...)
{
	va_list arguments;

	printf("ok 1 %s # SKIP ", test_name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	end(KSFT_SKIP);
}

void ktap_need(bool succeeded, const char *what)
{
	if (!succeeded)
		ktap_fail("%s: %s", what, strerror(errno));
}
