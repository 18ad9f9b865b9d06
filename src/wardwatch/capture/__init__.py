"""The only packet I/O: files in, packet blocks out; receive-only towards the network."""
