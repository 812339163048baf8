"""What holds for the whole test run."""

import os

# Python processes started by tests import the package under test, not the tree they stand in.
os.environ["PYTHONSAFEPATH"] = "1"
