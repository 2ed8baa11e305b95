"""An attacked example as one file that another machine can open and verify."""
