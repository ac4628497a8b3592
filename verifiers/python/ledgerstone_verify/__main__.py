"""`python3 -m ledgerstone_verify FILE`."""

import sys

from .cli import main

sys.exit(main())
