"""PostgreSQL refuses to run as root, so root runs it under an id that owns nothing else.

The clone, its virtual environment and DATA_DIR may stand under root's private home, where that id could not
even enter. Instead of opening anybody's folders it keeps one capability: to pass through folders and to read.
"""

import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path

UNPRIVILEGED_ID = 65534

_PR_SET_PDEATHSIG = 1
_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP = 28, 1 << 2
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CLONE_NEWUSER = 0x10000000
_CAPABILITY_VERSION_3 = 0x20080522


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilityData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, deed: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{deed}: {os.strerror(error)}")


def _capabilities() -> tuple[_CapabilityHeader, ctypes.Array[_CapabilityData]]:
    header, data = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), (_CapabilityData * 2)()
    _checked(_libc.capget(ctypes.byref(header), data), "capget")
    return header, data


def _way_through_folders() -> int | None:
    """The weakest capability we hold that passes through private folders. Docker's default set has only the second."""
    _, data = _capabilities()
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if data[0].permitted & (1 << capability):
            return capability
    return None


def _keep_only(capability: int) -> None:
    header, data = _capabilities()
    for half in data:
        half.effective = half.permitted = half.inheritable = 0
    data[0].effective = data[0].permitted = data[0].inheritable = 1 << capability
    _checked(_libc.capset(ctypes.byref(header), data), "capset")
    _checked(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0), "prctl(PR_CAP_AMBIENT)")


def give_up_root() -> None:
    """Become UNPRIVILEGED_ID for good, but for the way through folders. For a child, before its exec."""
    capability = _way_through_folders()
    if capability is not None:
        # Keeps capabilities when the user changes, and lets access(2) respect them, which initdb asks about itself.
        _checked(
            _libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "prctl(PR_SET_SECUREBITS)"
        )
    os.setgroups([])
    os.setresgid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    os.setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    if capability is not None:
        _keep_only(capability)


def borrow_a_name() -> None:
    """For a user id without a name: look like one that has a name, in a user namespace of our own.

    initdb insists on one, while containers often run under a bare number. For a child, before its exec.
    """
    named = next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)
    user, group = os.geteuid(), os.getegid()
    try:
        _checked(_libc.unshare(_CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{named.pw_uid} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{named.pw_gid} {group} 1")
    except OSError as error:
        raise OSError(
            f"user id {user} has no name in /etc/passwd, which making a database needs ({error})"
        ) from error


def has_name(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def end_with_parent(parent: int, number: signal.Signals) -> None:
    """Have the kernel send us this signal when the parent dies. For a child, before its exec, after `give_up_root`."""
    if sys.platform != "linux":
        return
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        raise OSError("the parent died before its child began")
