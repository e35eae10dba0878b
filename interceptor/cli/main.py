"""The command `interceptor`: its commands, and what it exits with."""

import os
import sys

import typer

from interceptor.cli import (
    ask,
    caretaking,
    clue,
    dashboards,
    entity,
    lists,
    loadtest,
    oversight,
    policies,
    replay,
    serve,
    simulate,
    top,
)
from interceptor.cli.failing import EXIT_FAILED, Failure

EPILOG = (
    "Exit codes: 0 done; 1 what was asked for failed (a policy with problems, a malformed call, a port in use); "
    "2 the command line is wrong; 3 the service cannot be reached."
)

app = typer.Typer(
    name="interceptor",
    help="Answers a telephone switch's one question per call setup: pass, warn or block?",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
serve.register(app)
ask.register(app)
lists.register(app)
policies.register(app)
oversight.register(app)
top.register(app)
caretaking.register(app)
clue.register(app)
entity.register(app)
replay.register(app)
loadtest.register(app)
simulate.register(app)
dashboards.register(app)


def main() -> None:
    """Runs the command line and exits. An error is one line that says what to do."""
    # The C core of gRPC writes to stderr by itself otherwise; what goes wrong is said in one line.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        app()
    except Failure as failure:
        print(f"interceptor: {failure}", file=sys.stderr)
        sys.exit(failure.code)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"interceptor: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
