"""A worker of a newer version, which knows one more task: `python -m tests.tokens.processes.newer_worker`."""

import os

NEW_TASK = "tokens.of_the_next_version"

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "amazon_accounts.settings"
    import django

    django.setup()
    from procrastinate.contrib.django import app

    from tokens.processes.worker import run_worker
    from tokens.queues import TOKENS

    @app.task(queue=TOKENS, name=NEW_TASK)
    def do_something_new() -> None:
        print("Something new is done.", flush=True)

    run_worker()
