"""`python -m leaflab`."""

import sys

from leaflab.app import main

if __name__ == "__main__":
    sys.exit(main())
