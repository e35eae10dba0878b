"""The command line: `interceptor ...`. Each command imports what it needs when it runs."""
