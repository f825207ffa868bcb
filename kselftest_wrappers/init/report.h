/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's side of docs/guest-protocol.md: numbered, checked lines through /dev/kmsg. */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define PROTOCOL_VERSION 1
#define NONCE_DIGITS 16

/* Room for an escaped payload; with everything before it a line stays below 900 bytes. */
#define PAYLOAD_SIZE 840

/* Start reporting; lines carry @nonce. Return false where /dev/kmsg can't be opened. */
bool report_open(const char *nonce);

/*
 * Keep what should outlive a crash in the file @path, too: each line is on the
 * disk before anything else is done. Return whether it could be opened.
 */
bool report_keep(const char *path);

/* Report one payload; what does not fit in a line is cut off. */
__attribute__((format(printf, 1, 2)))
void report(const char *format, ...);

/*
 * The same for a line that should outlive a crash, even if the console loses
 * it: where the kernel has /dev/pmsg0 it is kept in memory that a restart
 * leaves alone, and in the file of report_keep().
 */
__attribute__((format(printf, 1, 2)))
void report_milestone(const char *format, ...);

/* A payload that grows piece by piece. */
struct payload {
	char text[PAYLOAD_SIZE];
	size_t length;
};

/* Append escaped bytes if all of them still fit; return whether they did. */
bool payload_append(struct payload *payload, const char *bytes, size_t count);

void report_payload(const struct payload *payload);

#endif
