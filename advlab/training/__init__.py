"""min over max: the loop, its methods, checkpoints, epochs."""
