-- Remembers which request has queued a job.
INSERT INTO job_requests (job_id, request_id) VALUES (%(job)s, %(request)s)
