"""Serve the sandbox Amazon: `python -m amazon_accounts.sandbox --port 8001`."""

import argparse
import os

import uvicorn

from amazon_accounts.sandbox.app import served_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m amazon_accounts.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    options = parser.parse_args()
    uvicorn.run(
        served_app(dict(os.environ)),
        host=options.host,
        port=options.port,
        server_header=False,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
