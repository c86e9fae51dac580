"""`python -m stashplex` is the same as the command `stashplex`."""

from stashplex.cli.main import main

if __name__ == "__main__":
    main()
