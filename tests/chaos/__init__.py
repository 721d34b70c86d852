"""Storms of real faults on the real processes, and checks of what they leave behind: `python -m tests.chaos`.

plan.py      how long, how many logins and processes, which faults in which order
programs.py  worker, scheduler and web, which are killed, frozen and started again
database.py  PostgreSQL behind a proxy that can lose packets (proxy.py), on a disk that can be full (disk.py)
amazon.py    the sandbox Amazon and its world, which changes all the time
people.py    requests of people over the API, in a known order
old_code.py  the code before the newest migration
faults.py    what is done
samples.py   what is looked at all the time
checks.py    what must be true at the end
report.py    the report, docs/chaos.md
storm.py     all together
"""
