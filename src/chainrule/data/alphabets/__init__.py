"""Alphabets."""
