"""Displays of scores, training, maps, reconstructions and reasons."""
