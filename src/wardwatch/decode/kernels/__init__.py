"""Compiled loops over packet blocks: columns in, columns out."""
