"""Weights of other networks and stages."""
