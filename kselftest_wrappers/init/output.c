// SPDX-License-Identifier: GPL-2.0-only
#include "output.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

void output_start(struct output *output, size_t test, size_t limit)
{
	*output = (struct output){ .test = test, .allowance = limit };
}

static void report_piece(struct output *output, const char *kind)
{
	struct payload payload = { .length = 0 };
	char head[32];

	snprintf(head, sizeof(head), "%s %zu ", kind, output->test);
	payload_append(&payload, head, strlen(head));
	payload_append(&payload, output->piece, output->length);
	report_payload(&payload);
	output->length = 0;
}

/* A full piece is kept until the next byte shows whether its line ends there. */
static void add_byte(struct output *output, char byte)
{
	if (byte == '\n') {
		report_piece(output, "out");
		return;
	}
	if (output->length == sizeof(output->piece))
		report_piece(output, "out+");
	output->piece[output->length++] = byte;
}

void output_feed(struct output *output, const char *bytes, size_t count)
{
	size_t kept = count < output->allowance ? count : output->allowance;

	for (size_t i = 0; i < kept; i++)
		add_byte(output, bytes[i]);
	output->allowance -= kept;
	output->dropped += count - kept;
}

void output_finish(struct output *output)
{
	if (output->length)
		report_piece(output, "out");
	if (output->dropped)
		report("cut %zu %zu", output->test, output->dropped);
}
