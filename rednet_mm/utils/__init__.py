"""Checkpoints, files, errors, command lines."""
