/* SPDX-License-Identifier: GPL-2.0-only */
/* Builtins of the shell; the guest has no programs but the tests. */
#ifndef SHELL_BUILTIN_H
#define SHELL_BUILTIN_H

#include <stdbool.h>

#define BIN "/bin"

struct shell_builtin {
	const char *name;
	const char *usage;
	/* @words is NULL-terminated; returns an exit status. */
	int (*run)(char **words);
	/* Runs in the shell's process, because it changes the shell itself. */
	bool in_shell;
};

/* Return the builtin @name, or NULL. */
const struct shell_builtin *shell_builtin_find(const char *name);

#endif
