"""A console log as test results."""
