"""Records of configs/ and of the user: architectures, suites, trees, series, hosts and labs."""
