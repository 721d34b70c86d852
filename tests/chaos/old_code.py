"""The code of an older commit, to run beside today's code: of the last tag, or of before the newest migration."""

import io
import subprocess
import tarfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def find_old_commit() -> tuple[str, str]:
    """Return a commit whose database today's code migrates, or an empty string and why there is none."""
    if not (PROJECT / ".git").exists():
        return "", "this is no git checkout"
    if tag := _git("describe", "--tags", "--abbrev=0").strip():
        return tag, ""
    added = _git("log", "-1", "--format=%H", "--diff-filter=A", "--", "*/migrations/0*.py").strip()
    commit = _git("rev-parse", "--verify", "--quiet", f"{added}~1").strip() if added else ""
    return commit, "" if commit else "the history has no commit before the newest migration"


def unpack(commit: str, folder: Path) -> Path:
    """Write the project as of this commit into a new folder."""
    packed = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=PROJECT, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""
