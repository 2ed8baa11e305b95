"""A class in the browser: the door, who a session belongs to, what stands above every page."""
