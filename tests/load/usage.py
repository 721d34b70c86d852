"""What processes use: CPU and memory of a program with its children, from /proc."""

import os
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Usage:
    """Samples of one program: CPU seconds since its start, and MB of memory."""

    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def add(self, pids: set[int]) -> None:
        self.cpu.append(sum(_read_cpu(pid) for pid in pids))
        self.memory.append(sum(_read_memory(pid) for pid in pids))

    @property
    def cpu_seconds(self) -> float:
        return self.cpu[-1] - self.cpu[0]

    @property
    def growth(self) -> float:
        """The growth of memory in the second half, as a share."""
        half = self.memory[len(self.memory) // 2 :]
        fifth = max(1, len(half) // 5)
        before, after = sum(half[:fifth]) / fifth, sum(half[-fifth:]) / fifth
        return after / before - 1


def find_family(pid: int) -> set[int]:
    """Return the process and its children, and theirs."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
    family, waiting = {pid}, [pid]
    while waiting:
        found = children.get(waiting.pop(), [])
        family.update(found)
        waiting.extend(found)
    return family


def _read_cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    # With the children that have ended: PostgreSQL ends sessions all the time.
    return sum(int(field) for field in fields[11:15]) / TICKS


def _read_memory(pid: int) -> float:
    # The share of a process of what it uses together with others.
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
