"""Reports as mails to a list."""
