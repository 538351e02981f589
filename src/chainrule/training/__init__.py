"""Training: the loop and its parts, one file each."""
