"""Totals of what the processes count, and the requests that queued jobs.

A job is deleted when it is done, and takes its row along. Neither table has a model: the queue reads one in the statement
that fetches a job, and the other is added to by one statement.
"""

from django.db import migrations

CREATE_MEASURES = """
CREATE TABLE measures (
    name text NOT NULL,
    labels text NOT NULL,
    part text NOT NULL,
    value double precision NOT NULL,
    CONSTRAINT one_total_per_part PRIMARY KEY (name, labels, part),
    CONSTRAINT total_never_falls_below_nothing CHECK (value >= 0)
) WITH (fillfactor = 50)
"""
CREATE_JOB_REQUESTS = """
CREATE TABLE job_requests (
    job_id bigint CONSTRAINT one_request_per_job PRIMARY KEY,
    request_id varchar(64) NOT NULL,
    CONSTRAINT request_ends_with_its_job FOREIGN KEY (job_id) REFERENCES procrastinate_jobs (id) ON DELETE CASCADE
)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("procrastinate", "0001_initial"),
        ("tokens", "0048_activity"),
    ]

    operations = [
        migrations.RunSQL(CREATE_MEASURES, "DROP TABLE measures"),
        migrations.RunSQL(CREATE_JOB_REQUESTS, "DROP TABLE job_requests"),
    ]
