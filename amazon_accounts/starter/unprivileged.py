"""How root runs PostgreSQL, which refuses to run as root: under a user id that owns nothing else.

The project and DATA_DIR may be under root's private home, which that user id cannot enter. Instead of opening
folders to others, the process keeps one capability: to pass through folders and to read.
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


def _check(result: int, call: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{call}: {os.strerror(error)}")


def _read_capabilities() -> tuple[_CapabilityHeader, ctypes.Array[_CapabilityData]]:
    header, data = _CapabilityHeader(_CAPABILITY_VERSION_3, 0), (_CapabilityData * 2)()
    _check(_libc.capget(ctypes.byref(header), data), "capget")
    return header, data


def _find_folder_capability() -> int | None:
    _, data = _read_capabilities()
    # Docker's default set contains only the second capability.
    for capability in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE):
        if data[0].permitted & (1 << capability):
            return capability
    return None


def _keep_only(capability: int) -> None:
    # An inheritable and ambient capability survives the exec of a program that has none of its own.
    header, data = _read_capabilities()
    for half in data:
        half.effective = half.permitted = half.inheritable = 0
    data[0].effective = data[0].permitted = data[0].inheritable = 1 << capability
    _check(_libc.capset(ctypes.byref(header), data), "capset")
    _check(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0), "prctl(PR_CAP_AMBIENT)")


def give_up_root() -> None:
    """Become UNPRIVILEGED_ID for good, but keep the way through folders. Call it in a child before its exec."""
    capability = _find_folder_capability()
    if capability is not None:
        # Without this flag the kernel drops the capabilities when the user id changes, and access(2), by which initdb
        # checks its folders, ignores them.
        _check(_libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0), "prctl(PR_SET_SECUREBITS)")
    os.setgroups([])
    os.setresgid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    os.setresuid(UNPRIVILEGED_ID, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    if capability is not None:
        _keep_only(capability)


def take_named_user_id() -> None:
    """Appear as a user id that has a name, in a user namespace of this process. Call it in a child before its exec.

    initdb needs a user name, and containers often run under a user id without one.
    """
    named = next(entry for entry in pwd.getpwall() if entry.pw_uid != 0)
    user, group = os.geteuid(), os.getegid()
    try:
        _check(_libc.unshare(_CLONE_NEWUSER), "unshare(CLONE_NEWUSER)")
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
    """Have the kernel send this signal when the parent dies. Call it in a child before its exec."""
    # The kernel clears this setting when the user id changes, so `give_up_root` must come first.
    if sys.platform != "linux":
        return
    _check(_libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        raise OSError("the parent died before its child began")
