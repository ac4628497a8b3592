"""An independent verifier of Ledgerstone's artefacts, written from docs/ alone."""
