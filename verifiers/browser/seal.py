#!/usr/bin/env python3
"""Writes the hashes of its script and style into the page's Content-Security-Policy, so that nothing else in it can run.

    python3 verifiers/browser/seal.py           writes them
    python3 verifiers/browser/seal.py --check   exits with 1 if they are not those
"""

import base64
import hashlib
import pathlib
import re
import sys

PAGE = pathlib.Path(__file__).with_name("verify.html")


def sealed(page: str) -> str:
    """The page with the hashes that it should have."""
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        page = re.sub(rf"{directive} 'sha256-[^']*'", f"{directive} 'sha256-{digest}'", page)
    return page


def main() -> int:
    page = PAGE.read_text(encoding="utf-8")
    if sealed(page) == page:
        return 0
    if "--check" in sys.argv[1:]:
        print("verify.html: the policy has other hashes: run verifiers/browser/seal.py", file=sys.stderr)
        return 1
    PAGE.write_text(sealed(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
