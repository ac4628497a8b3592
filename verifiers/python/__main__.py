"""`python3 verifiers/python FILE`: the verifier from a checkout, without installing it."""

import sys

from ledgerstone_verify.cli import main

sys.exit(main())
