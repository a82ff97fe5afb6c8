"""`python -m handnet` is `handnet`."""

from handnet.cli import main

main()
