/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of /dev/kmsg in the text form of a serial console. */
#ifndef CONSOLE_TEXT_H
#define CONSOLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* One record; its pointers point into the parsed text. */
struct console_record {
	unsigned long long sequence;
	unsigned long long microseconds;
	/* The thread or CPU that printed it, as in `T1`; NULL without CONFIG_PRINTK_CALLER. */
	const char *caller;
	size_t caller_length;
	const char *message;
	size_t message_length;
};

/*
 * Parse one NUL-terminated record of /dev/kmsg, in the format of
 * Documentation/ABI/testing/dev-kmsg. Return whether it is valid.
 */
bool console_parse(struct console_record *record, const char *text);

/*
 * Format the record as lines with a printk prefix and a newline each. Text that exceeds @size is
 * cut off; the last line always gets its newline. Return the number of bytes written.
 */
size_t console_format(const struct console_record *record, char *lines, size_t size);

#endif
