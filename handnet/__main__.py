"""`python -m handnet` is `handnet`."""

from handnet.cli.main import main

main()
