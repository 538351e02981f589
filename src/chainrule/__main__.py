"""`python -m chainrule` is the command line."""

import sys

from chainrule.cli.app import main

sys.exit(main())
