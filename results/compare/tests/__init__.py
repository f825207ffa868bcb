"""The runs of one test, added up."""
