"""`python -m lostfound`: the command line where its script is not on the path."""

from lostfound.cli import main

if __name__ == "__main__":
    main()
