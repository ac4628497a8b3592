"""What a verification has found, check by check, and the verdict that follows."""

from __future__ import annotations

import unicodedata
from typing import Any

PROVEN, DISPROVEN, UNDECIDABLE = "proven", "disproven", "undecidable"
EXIT_CODES = {PROVEN: 0, DISPROVEN: 1, UNDECIDABLE: 2}

# How one check may end. `said` is something the reader must know that changes no verdict.
GOOD, BAD, UNKNOWN, SAID = "good", "bad", "unknown", "said"

# Findings kept of one check: a file of a million bad rows shall not become a report of a million lines.
MOST_FINDINGS = 20


class Damaged(Exception):
    """The artefact is not what the documentation says it must be."""


class Undecidable(Exception):
    """Something that this verifier does not know, or was not given."""


class Check:
    """One row of the list of checks."""

    def __init__(self, name: str, about: str):
        self.name = name
        self.about = about
        self.findings: list[tuple[str, str]] = []
        self.beyond = 0
        self.outcome = GOOD

    def add(self, outcome: str, finding: str) -> None:
        order = [GOOD, SAID, UNKNOWN, BAD]
        self.outcome = max(self.outcome, outcome, key=order.index)
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append((outcome, finding))
        else:
            self.beyond += 1

    def bad(self, finding: object) -> None:
        self.add(BAD, str(finding))

    def unknown(self, finding: object) -> None:
        self.add(UNKNOWN, str(finding))

    def say(self, finding: object) -> None:
        self.add(SAID, str(finding))

    def passed(self) -> bool:
        return self.outcome in (GOOD, SAID)

    def __enter__(self) -> "Check":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        """Turns what was raised inside into a finding."""
        if isinstance(error, Damaged):
            self.bad(error)
        elif isinstance(error, Undecidable):
            self.unknown(error)
        return isinstance(error, (Damaged, Undecidable))


class Report:
    """All checks of one artefact."""

    def __init__(self, artefact: str, name: str):
        self.artefact = artefact
        self.name = name
        # What the verdict must not be read without.
        self.label = ""
        self.facts: dict[str, str] = {}
        self.checks: list[Check] = []

    def check(self, name: str, about: str) -> Check:
        """The check of that name, begun if it is not there yet."""
        for check in self.checks:
            if check.name == name:
                return check
        self.checks.append(Check(name, about))
        return self.checks[-1]

    def passed(self) -> bool:
        return all(check.passed() for check in self.checks)

    @property
    def verdict(self) -> str:
        outcomes = {check.outcome for check in self.checks}
        if BAD in outcomes:
            return DISPROVEN
        return UNDECIDABLE if UNKNOWN in outcomes or not outcomes else PROVEN

    def as_json(self) -> dict[str, Any]:
        return {
            "artefact": self.artefact,
            "file": self.name,
            "verdict": self.verdict,
            "label": self.label,
            "facts": self.facts,
            "checks": [
                {
                    "check": check.name,
                    "about": check.about,
                    "outcome": check.outcome,
                    "findings": [{"outcome": outcome, "text": text} for outcome, text in check.findings],
                    "more_findings": check.beyond,
                }
                for check in self.checks
            ],
        }

    def as_text(self) -> str:
        label = ": " + self.label if self.label else ""
        lines = ["%s: %s %s%s" % (self.verdict.upper(), self.artefact, self.name, label)]
        lines += ["  %-12s %s" % (name, value) for name, value in self.facts.items()]
        for check in self.checks:
            lines.append("%-8s %-4s %s" % (check.outcome, check.name, check.about))
            lines += ["              %s%s" % ("" if outcome == BAD else outcome + ": ", text) for outcome, text in check.findings]
            if check.beyond:
                lines.append("              and %d more" % check.beyond)
        return "\n".join(printable(line) for line in lines)


def printable(text: str) -> str:
    """Text from an artefact must not steer the terminal, nor turn the line around."""
    hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return "".join("\\u{%x}" % ord(char) if unicodedata.category(char) in hidden else char for char in text)
