"""Train the reference model from nothing: `python -m tools.reference_model --out DIR [--steps N]`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.reference_model.ship import ship
from tools.reference_model.train import STEPS, train


def main() -> None:
    """Train, evaluate and write everything that the package ships."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write, made if absent")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"optimizer steps (default {STEPS})")
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of torch (default 1; they change the last digits)"
    )
    given = parser.parse_args()
    import torch

    torch.set_num_threads(given.threads)

    trained = train(given.steps, announce=True)
    ship(trained, given.out)


if __name__ == "__main__":
    main()
