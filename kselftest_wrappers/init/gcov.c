// SPDX-License-Identifier: GPL-2.0-only
#include "gcov.h"
#include "channel.h"
#include "lib/kfile.h"
#include "report.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROOT "/sys/kernel/debug/gcov"
#define SUFFIX ".gcda"
/* mm/memory.gcda, a large one, has about 20 KiB. */
#define LARGEST_FILE (1 << 20)
#define MOST_OBJECTS 1024
#define OPEN_FOLDERS 16
/* Bytes of one line before base64. */
#define PIECE 450

struct object {
	char *path;
	/* The file without counts. */
	uint32_t *idle;
	size_t words;
};

/* Lines `gcov KIND …` with the bytes of one object; all but the last end their kind with a plus. */
struct pieces {
	const char *kind;
	size_t test;
	size_t object;
	unsigned char bytes[PIECE];
	size_t count;
};

static struct object objects[MOST_OBJECTS];
static size_t object_count;
/* Objects beyond the limits. */
static size_t too_many;
/* Bytes that may be reported of one test; 0 reports nothing. */
static size_t most_bytes;
static size_t reported_bytes;

static void encode_base64(const unsigned char *bytes, size_t count, char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < count; i += 3) {
		uint32_t group = bytes[i] << 16;

		group |= i + 1 < count ? bytes[i + 1] << 8 : 0;
		group |= i + 2 < count ? bytes[i + 2] : 0;
		*text++ = digits[group >> 18 & 63];
		*text++ = digits[group >> 12 & 63];
		*text++ = i + 1 < count ? digits[group >> 6 & 63] : '=';
		*text++ = i + 2 < count ? digits[group & 63] : '=';
	}
	*text = '\0';
}

static void flush_piece(struct pieces *pieces, bool goes_on)
{
	char text[(PIECE + 2) / 3 * 4 + 1];

	encode_base64(pieces->bytes, pieces->count, text);
	report("gcov %s%s %zu %zu %s", pieces->kind, goes_on ? "+" : "", pieces->test,
	       pieces->object, text);
	reported_bytes += pieces->count;
	pieces->count = 0;
}

/* Seven bits per byte, the lowest first; all but the last byte have the highest bit. */
static void add_number(struct pieces *pieces, uint32_t number)
{
	do {
		if (pieces->count == PIECE)
			flush_piece(pieces, true);
		pieces->bytes[pieces->count++] = (number & 0x7f) | (number > 0x7f ? 0x80 : 0);
		number >>= 7;
	} while (number);
}

/* Pairs: how many words are as in @idle (zeros without one), then the word that is not. */
static void report_words(struct pieces *pieces, const uint32_t *words, const uint32_t *idle,
			 size_t count)
{
	size_t next = 0;

	for (size_t i = 0; i < count; i++) {
		if (words[i] == (idle ? idle[i] : 0))
			continue;
		add_number(pieces, i - next);
		add_number(pieces, words[i]);
		next = i + 1;
	}
	if (next || !idle)
		flush_piece(pieces, false);
}

/* Return the words of a file, which the next call overwrites, or NULL. */
static uint32_t *read_words(const char *path, size_t *count)
{
	static uint32_t words[LARGEST_FILE / sizeof(uint32_t)];
	ssize_t length = kfile_read(path, (char *)words, sizeof(words));

	if (length <= 0 || length == sizeof(words) - 1 || length % sizeof(uint32_t))
		return NULL;
	*count = length / sizeof(uint32_t);
	return words;
}

static int find_object(const char *path, const struct stat *status, int type, struct FTW *place)
{
	size_t length = strlen(path);

	(void)status;
	(void)place;
	if (type != FTW_F || length < strlen(SUFFIX) ||
	    strcmp(path + length - strlen(SUFFIX), SUFFIX))
		return 0;
	if (object_count == MOST_OBJECTS) {
		too_many++;
		return 0;
	}
	objects[object_count].path = strdup(path);
	if (!objects[object_count].path)
		abort();
	object_count++;
	return 0;
}

/* The file with its counts stays in @counted, of which the caller is the owner. */
static bool read_both(struct object *object, uint32_t **counted)
{
	uint32_t *words = read_words(object->path, &object->words);
	size_t bytes = object->words * sizeof(uint32_t);

	if (!words)
		return false;
	*counted = malloc(bytes);
	object->idle = malloc(bytes);
	if (!*counted || !object->idle)
		abort();
	memcpy(*counted, words, bytes);
	return true;
}

static void report_object(size_t index, const uint32_t *counted)
{
	struct pieces idle = { .kind = "idle", .object = index };
	struct pieces boot = { .kind = "ran", .object = index };
	struct object *object = &objects[index];

	report("gcov object %zu %zu %s", index, object->words, object->path + strlen(ROOT));
	report_words(&idle, object->idle, NULL, object->words);
	report_words(&boot, counted, object->idle, object->words);
	channel_flush();
}

/* Read an object without counts, which is what it is right after a reset. */
static bool take_idle(struct object *object)
{
	size_t count;
	const uint32_t *words = read_words(object->path, &count);

	if (!words || count != object->words)
		return false;
	memcpy(object->idle, words, count * sizeof(uint32_t));
	return true;
}

void gcov_prepare(const struct manifest *manifest)
{
	static uint32_t *counted[MOST_OBJECTS];

	if (!manifest->gcov_limit)
		return;
	if (nftw(ROOT, find_object, OPEN_FOLDERS, FTW_PHYS)) {
		report("gcov none %s: %s", ROOT, strerror(errno));
		return;
	}
	most_bytes = manifest->gcov_limit;
	for (size_t i = 0; i < object_count; i++)
		if (!read_both(&objects[i], &counted[i]))
			objects[i].words = 0;
	gcov_reset();
	for (size_t i = 0; i < object_count; i++) {
		if (!objects[i].words || !take_idle(&objects[i])) {
			objects[i].words = 0;
			too_many++;
			continue;
		}
		report_object(i, counted[i]);
		free(counted[i]);
	}
	if (too_many)
		report("gcov cut 0 %zu", too_many);
}

void gcov_reset(void)
{
	if (object_count)
		kfile_write(ROOT "/reset", "0\n");
}

void gcov_report(size_t index)
{
	size_t count, cut = 0;

	reported_bytes = 0;
	for (size_t i = 0; i < object_count; i++) {
		struct pieces ran = { .kind = "ran", .test = index, .object = i };
		const uint32_t *words;

		if (!objects[i].words)
			continue;
		words = reported_bytes < most_bytes ? read_words(objects[i].path, &count) : NULL;
		if (words && count == objects[i].words)
			report_words(&ran, words, objects[i].idle, count);
		else
			cut++;
	}
	if (cut)
		report("gcov cut %zu %zu", index, cut);
	if (object_count)
		report("gcov all %zu", index);
}
