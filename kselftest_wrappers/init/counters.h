/* SPDX-License-Identifier: GPL-2.0-only */
/* Snapshots of the counters that the manifest watches. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "manifest.h"

#include <stddef.h>

/* Report the current counters as lines `KIND INDEX NAME=VALUE …`. */
void counters_report(const char *kind, size_t index, const struct manifest *manifest);

#endif
