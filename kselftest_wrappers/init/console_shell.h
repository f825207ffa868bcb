/* SPDX-License-Identifier: GPL-2.0-only */
/* Giving the console to a person. */
#ifndef CONSOLE_SHELL_H
#define CONSOLE_SHELL_H

/* Run @program on the console and wait until it ends. Return NULL, or why it could not be run. */
const char *console_shell(const char *program);

#endif
