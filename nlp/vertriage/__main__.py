"""``python -m vertriage``."""

from vertriage.cli import main

if __name__ == "__main__":
    main()
