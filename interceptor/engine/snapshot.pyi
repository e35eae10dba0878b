"""What a snapshot takes along for the threads that decide with it."""

class Companion:
    """What is published together with a policy, `Engine.publish(..., companion=...)`, and lives as long as that.

    The engine looks at none of it. Subclassed by who has something to take along.
    """
