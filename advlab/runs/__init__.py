"""A run on disk and in the queue: settings, folder, standing, scheduler; no torch."""
