/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's side of docs/guest-protocol.md: numbered lines with a CRC, in /dev/kmsg. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define PROTOCOL_VERSION 1
#define NONCE_DIGITS 16

/* Size of an escaped payload; with nonce, number and CRC a line is below 900 bytes. */
#define PAYLOAD_SIZE 840

/* Open the report; each line has @nonce. Return false if /dev/kmsg can't be opened. */
bool report_open(const char *nonce);

/*
 * Also append milestones to the file @path, and sync each to the disk before
 * report_milestone() returns. Return whether the file could be opened.
 */
bool report_keep(const char *path);

/* Report one payload; text that exceeds a line is cut off. */
__attribute__((format(printf, 1, 2)))
void report(const char *format, ...);

/*
 * Report a line that must survive a crash even if the console loses it: it also
 * goes to /dev/pmsg0, whose memory survives a restart, and to the file of
 * report_keep(), where they exist.
 */
__attribute__((format(printf, 1, 2)))
void report_milestone(const char *format, ...);

/* A payload under construction. */
struct payload {
	char text[PAYLOAD_SIZE];
	size_t length;
};

/* Append escaped bytes if all of them still fit; return whether they did. */
bool payload_append(struct payload *payload, const char *bytes, size_t count);

void report_payload(const struct payload *payload);

#endif
