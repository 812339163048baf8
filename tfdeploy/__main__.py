"""``python -m tfdeploy``: the command, by the interpreter that is to run it."""

import sys

from .cli import main

sys.exit(main())
