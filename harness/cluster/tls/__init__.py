"""Certificates and connections of a cluster."""
