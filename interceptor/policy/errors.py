"""What is wrong with a policy: problems with file, line, column and caret, and the exception that carries them all."""

import bisect
import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

#: line breaks as YAML 1.1 (and PyYAML's marks) count them
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

#: widest part of a source line shown above a caret
EXCERPT = 120

#: problems spelled out in a PolicyError's text; all of them are in `.problems`
SHOWN = 100


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong, where it is (line and column from 1, in characters) and what to do about it."""

    file: str
    line: int
    column: int
    message: str
    source_line: str = ""

    def __str__(self) -> str:
        head = f"{self.file}:{self.line}:{self.column}: {self.message}"
        if not self.source_line.strip():
            return head
        before, shown = _excerpt(self.source_line, self.column)
        return f"{head}\n    {shown}\n    {_blank(before)}^"


class PolicyError(ValueError):
    """A policy that cannot be loaded: every problem found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = sorted(set(problems))
        super().__init__(self.problems)

    def __str__(self) -> str:
        shown = [str(problem) for problem in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            shown.append(f"... and {len(self.problems) - SHOWN} more problems")
        return "\n".join(shown)


class Source:
    """A policy file's text; turns offsets into lines and columns."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        breaks = list(LINE_BREAK.finditer(text))
        self._starts = [0, *(match.end() for match in breaks)]
        self._ends = [*(match.start() for match in breaks), len(text)]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1, of the character at `offset`."""
        line = bisect.bisect_right(self._starts, max(offset, 0)) - 1
        return line + 1, max(offset, 0) - self._starts[line] + 1

    def line(self, number: int) -> str:
        return self.text[self._starts[number - 1] : self._ends[number - 1]]

    def problem(self, offset: int, message: str) -> Problem:
        line, column = self.position(min(offset, len(self.text)))
        return Problem(self.file, line, column, message, self.line(line))


def _excerpt(line: str, column: int) -> tuple[str, str]:
    """The part of a source line around a column -> what stands before the column, and the whole part."""
    start = 0 if len(line) <= EXCERPT else max(0, min(column - 1 - EXCERPT // 2, len(line) - EXCERPT))
    shown = "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in line[start:])
    return shown[: column - 1 - start], shown[:EXCERPT]


def _blank(text: str) -> str:
    """Blanks as wide as `text` on a terminal."""
    return "".join(
        "\t" if char == "\t" else "  " if unicodedata.east_asian_width(char) in "WF" else " " for char in text
    )


def near(name: str, known: Iterable[str], prefix: str = "") -> str:
    """ "; did you mean ...?" when one of the known names is like `name`, else nothing."""
    found = difflib.get_close_matches(name[:80], list(known), 1)
    return f"; did you mean `{prefix}{found[0]}`?" if found else ""
