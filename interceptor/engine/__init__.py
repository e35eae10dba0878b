"""Compiled kernels: no I/O, no clock (`now` is an argument). Start reading at `engine.pyx`."""
