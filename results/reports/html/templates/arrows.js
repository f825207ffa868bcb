/* SPDX-License-Identifier: GPL-2.0-only */
// The links of a row are one stop of the keyboard; the arrow keys go from one to the next.
addEventListener("keydown", event => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const row = step && event.target.closest?.("[data-arrows]");
  if (!row) return;
  const links = [...row.querySelectorAll("a")];
  const next = links[links.indexOf(event.target) + step];
  if (next) { event.preventDefault(); next.focus(); }
});
