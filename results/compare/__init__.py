"""Base against series: the rules of the verdict."""
