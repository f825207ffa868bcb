/* SPDX-License-Identifier: GPL-2.0-only */
/* A program with a single test: KTAP on stdout, exit codes of kselftest. */
#ifndef KTAP_H
#define KTAP_H

#include <stdbool.h>

#define KSFT_PASS 0
#define KSFT_FAIL 1
#define KSFT_SKIP 4

/* Print the header; @name is `suite.case` and must outlive the test. */
void ktap_begin(const char *name);

/* Print a diagnostic line. */
__attribute__((format(printf, 1, 2)))
void ktap_note(const char *format, ...);

/* End the test with one of three results; none of them returns. */
__attribute__((noreturn))
void ktap_pass(void);

__attribute__((noreturn, format(printf, 1, 2)))
void ktap_fail(const char *format, ...);

__attribute__((noreturn, format(printf, 1, 2)))
void ktap_skip(const char *format, ...);

/* Fail with @what and strerror(errno) unless @succeeded. */
void ktap_need(bool succeeded, const char *what);

#endif
