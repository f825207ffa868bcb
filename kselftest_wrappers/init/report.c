// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 900

/* Retry a line for up to a second; a lost line leaves a gap in the sequence numbers. */
#define WRITE_ATTEMPTS 100
#define RETRY_NANOSECONDS 10000000

/* Printed on the console even if the kernel was booted with `quiet`. */
#define KMSG_LEVEL "<1>"

static int kmsg = -1;

/* Documentation/admin-guide/ramoops.rst; -1 on most kernels. */
static int pmsg = -1;

/* The file of report_keep(). */
static int kept_file = -1;
static unsigned int sequence;
static char nonce[NONCE_DIGITS + 1];

bool report_open(const char *new_nonce)
{
	snprintf(nonce, sizeof(nonce), "%s", new_nonce);
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	pmsg = open("/dev/pmsg0", O_WRONLY | O_CLOEXEC);
	return kmsg >= 0;
}

bool report_keep(const char *path)
{
	kept_file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return kept_file >= 0;
}

static uint32_t crc32(const char *text)
{
	uint32_t crc = ~0u;

	while (*text) {
		crc ^= (unsigned char)*text++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

static bool may_be_retried(int error)
{
	return error == EINTR || error == EAGAIN || error == ENOSPC || error == ENOMEM;
}

static void write_line(const char *line)
{
	struct timespec pause = { .tv_nsec = RETRY_NANOSECONDS };

	for (int attempt = 0; attempt < WRITE_ATTEMPTS; attempt++) {
		if (write(kmsg, line, strlen(line)) >= 0 || !may_be_retried(errno))
			return;
		nanosleep(&pause, NULL);
	}
}

static void give_up(int *fd)
{
	close(*fd);
	*fd = -1;
}

static void keep_line(const char *line)
{
	if (pmsg >= 0 && write(pmsg, line, strlen(line)) < 0)
		give_up(&pmsg);
	if (kept_file >= 0 && (write(kept_file, line, strlen(line)) < 0 || fsync(kept_file)))
		give_up(&kept_file);
}

static void send_payload(const struct payload *payload, bool milestone)
{
	char line[LINE_SIZE + sizeof(KMSG_LEVEL)], checked[LINE_SIZE];

	snprintf(checked, sizeof(checked), "%u %.*s", ++sequence, (int)payload->length,
		 payload->text);
	snprintf(line, sizeof(line), KMSG_LEVEL "THP:%s:%u:%08x %.*s\n", nonce, sequence,
		 crc32(checked), (int)payload->length, payload->text);
	if (milestone)
		keep_line(line + strlen(KMSG_LEVEL));
	write_line(line);
}

void report_payload(const struct payload *payload)
{
	send_payload(payload, false);
}

static size_t escape(char escaped[5], unsigned char byte)
{
	if (byte < 0x20 || byte > 0x7e || byte == '\\')
		return sprintf(escaped, "\\x%02x", byte);
	*escaped = byte;
	return 1;
}

bool payload_append(struct payload *payload, const char *bytes, size_t count)
{
	size_t length = payload->length;
	char escaped[5];

	for (size_t i = 0; i < count; i++) {
		size_t added = escape(escaped, bytes[i]);

		if (length + added > sizeof(payload->text))
			return false;
		memcpy(payload->text + length, escaped, added);
		length += added;
	}
	payload->length = length;
	return true;
}

__attribute__((format(printf, 1, 0)))
static void send_text(const char *format, va_list arguments, bool milestone)
{
	struct payload payload = { .length = 0 };
	char text[PAYLOAD_SIZE + 1];

	vsnprintf(text, sizeof(text), format, arguments);
	for (const char *byte = text; *byte && payload_append(&payload, byte, 1); byte++)
		;
	send_payload(&payload, milestone);
}

void report(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_text(format, arguments, false);
	va_end(arguments);
}

void report_milestone(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	send_text(format, arguments, true);
	va_end(arguments);
}
