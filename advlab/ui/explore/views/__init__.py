"""The views of one sentence: a tab of the Explore page each, a function of the results at it."""
