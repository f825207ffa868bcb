# SPDX-License-Identifier: GPL-2.0-only
"""Mails with patches of one line, for files of sixty numbered lines."""

from __future__ import annotations

ANN = "Ann Author <ann@kernel.example>"
REV = "Rev Reviewer <rev@kernel.example>"
DATE = "Thu, 26 Mar 2026 19:08:12 +0100"


def diff(line: int = 15, new: str = "", file: str = "mm/memory.c", old: str = "") -> str:
    """A change of one line with three lines of context."""
    context = [f" line {number}" for number in range(line - 3, line)]
    after = [f" line {number}" for number in range(line + 1, line + 4)]
    change = [f"-{old or f'line {line}'}", f"+{new or f'line {line} changed'}"]
    lines = "\n".join([*context, *change, *after])
    place = f"@@ -{line - 3},7 +{line - 3},7 @@"
    return f"diff --git a/{file} b/{file}\n--- a/{file}\n+++ b/{file}\n{place}\n{lines}\n"


def mail(
    subject: str,
    line: int | None = 15,
    *,
    new: str = "",
    old: str = "",
    number: str = "",
    answers: str = "",
    sender: str = ANN,
    date: str = DATE,
    headers: str = "",
    message: str = "Why it is done.",
    body: str | None = None,
) -> str:
    """A mail of an mbox, with a patch unless `line` is None; `number` becomes its Message-ID."""
    heads = [f"From: {sender}", f"Date: {date}", f"Subject: {subject}"]
    if number:
        heads.append(f"Message-ID: <{number}@kernel.example>")
    if answers:
        heads.append(f"In-Reply-To: <{answers}@kernel.example>")
    stat = " mm/memory.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n"
    patch = f"---\n{stat}\n{diff(line, new, old=old)}" if line else ""
    text = f"{message}\n\nSigned-off-by: {ANN}\n{patch}-- \n2.47.0\n" if body is None else body
    head = "\n".join(heads) + "\n" + headers
    return f"From mboxrd@z Thu Jan  1 00:00:00 1970\n{head}\n{text}\n"
