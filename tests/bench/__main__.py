"""`python -m tests.bench [NAME ...]`: run all benchmarks, or the named ones, one after another."""

import subprocess
import sys

BENCHMARKS = (
    "pacing",
    "refresh",
    "sync",
    "api",
    "pages",
    "connections",
    "hand_out",
    "teams",
    "audit",
    "webhooks",
    "slow_sockets",
)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}.\n")
        return 2
    missed = []
    for name in names or BENCHMARKS:
        sys.stdout.write(f"\n=== {name} ===\n")
        sys.stdout.flush()
        if subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=False).returncode:
            missed.append(name)
    if missed:
        sys.stderr.write(f"Failed, or below the required figures: {', '.join(missed)}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
