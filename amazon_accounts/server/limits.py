"""The limits of one web process."""

from dataclasses import dataclass, field

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE


@dataclass(frozen=True)
class LaneSize:
    threads: int
    max_waiting: int


@dataclass(frozen=True)
class Limits:
    body_seconds: float = 10.0
    # A client that takes nothing for this time is dropped.
    send_seconds: float = 30.0
    max_url_bytes: int = 16 * KIBIBYTE
    max_header_bytes: int = 32 * KIBIBYTE
    # More than the largest form needs.
    max_body_bytes: int = 2_621_440
    # What accounts.api.parsing reads for a list of ids.
    max_ids_body_bytes: int = 8 * MEBIBYTE
    # What the kernel holds for a client that reads slowly; it takes double the number.
    max_send_buffer_bytes: int = 256 * KIBIBYTE
    # The bodies of all requests that are being read or answered.
    max_bodies_bytes: int = 64 * MEBIBYTE
    # A body of at most this size is read even if others fill the memory for bodies, so that forms go on.
    small_body_bytes: int = 64 * KIBIBYTE
    # A body of more bytes is answered in the bulk lane.
    bulk_body_bytes: int = MEBIBYTE
    # Together the lanes need no more database connections than the default DB_POOL_MAX_SIZE.
    pages: LaneSize = field(default=LaneSize(threads=4, max_waiting=256))
    liveness: LaneSize = field(default=LaneSize(threads=1, max_waiting=256))
    monitoring: LaneSize = field(default=LaneSize(threads=1, max_waiting=16))
    sign_in: LaneSize = field(default=LaneSize(threads=1, max_waiting=256))
    outside: LaneSize = field(default=LaneSize(threads=1, max_waiting=64))
    # Twice: for strangers and for people who are known. Hashing a password takes a third of a second of one core.
    hashing: LaneSize = field(default=LaneSize(threads=1, max_waiting=64))
    bulk: LaneSize = field(default=LaneSize(threads=1, max_waiting=64))
