"""`python -m advlab` is the command `advlab`."""

from advlab.cli import main

raise SystemExit(main())
