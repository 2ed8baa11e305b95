"""One model: load, save, embed, forward, its vocabulary; tiny ones from scratch."""
