"""Lossless coding: integer weights, range coder, container, and the walk that both sides share."""
