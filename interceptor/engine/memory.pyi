"""Where the memory of the kernels' tables comes from."""

def take_at_once() -> None:
    """From now on this process takes the memory of a table when the table is made, not when a call first touches it.

    A fresh huge page costs a call some hundred microseconds, and the first calls of a service would each meet several.
    """
