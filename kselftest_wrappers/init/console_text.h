/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of /dev/kmsg in the text form of a serial console. */
#ifndef CONSOLE_TEXT_H
#define CONSOLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* One record; the pointers belong to the text that it was parsed from. */
struct console_record {
	unsigned long long sequence;
	unsigned long long microseconds;
	/* Which thread or CPU printed it, as in `T1`; only kernels with PRINTK_CALLER say so. */
	const char *caller;
	size_t caller_length;
	const char *message;
	size_t message_length;
};

/*
 * Parse what one read() of /dev/kmsg gave, ended with a NUL. The format is that of
 * Documentation/ABI/testing/dev-kmsg. Return whether it is a record.
 */
bool console_parse(struct console_record *record, const char *text);

/*
 * Write the record's lines, each with the time in front and a newline at its end. What does not
 * fit in @size is cut off, but the last line is always ended. Return the number of bytes.
 */
size_t console_format(const struct console_record *record, char *lines, size_t size);

#endif
