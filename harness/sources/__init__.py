"""Where kernel source comes from: trees, and series on top of them."""
