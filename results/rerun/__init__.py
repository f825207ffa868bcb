"""Failure rates over many boots."""
