/* SPDX-License-Identifier: GPL-2.0-only */
/* An interactive program on the console. */
#ifndef CONSOLE_SHELL_H
#define CONSOLE_SHELL_H

/* Run @program on the console and wait for its end. Return NULL, or why it can't be run. */
const char *console_shell(const char *program);

#endif
