"""Bytes to columns and messages: no sockets, no files, no clock."""
