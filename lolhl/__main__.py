import sys

from lolhl.cli import main

sys.exit(main())
