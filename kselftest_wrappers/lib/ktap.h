/* SPDX-License-Identifier: GPL-2.0-only */
/* A program that is one test: KTAP on stdout, the exit codes of kselftest. */
#ifndef KTAP_H
#define KTAP_H

#include <stdbool.h>

#define KSFT_PASS 0
#define KSFT_FAIL 1
#define KSFT_SKIP 4

/* Print the header; @name is `suite.case` and must outlive the test. */
void ktap_begin(const char *name);

/* A line for people. */
__attribute__((format(printf, 1, 2)))
void ktap_note(const char *format, ...);

/* The three ends of a test; none of them returns. */
__attribute__((noreturn))
void ktap_pass(void);

__attribute__((noreturn, format(printf, 1, 2)))
void ktap_fail(const char *format, ...);

__attribute__((noreturn, format(printf, 1, 2)))
void ktap_skip(const char *format, ...);

/* End as failed, with errno in words, unless @succeeded. */
void ktap_need(bool succeeded, const char *what);

#endif
