"""`python -m advlab` is the command `advlab`."""

from advlab.cli.main import main

raise SystemExit(main())
