"""Delimited text: how a file is written, and its columns of text."""
