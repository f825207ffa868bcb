"""The cache folder as a whole: what is in it, who uses it, how room is made, whether it is whole."""
