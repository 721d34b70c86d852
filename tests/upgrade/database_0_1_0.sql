
CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);

CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);

CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);

CREATE FUNCTION public.account_trigrams(content text) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT array(SELECT DISTINCT substr(content, i, 3) FROM generate_series(1, length(content) - 2) i)
$$;

CREATE FUNCTION public.accounts_current_person() RETURNS integer
    LANGUAGE sql STABLE
    AS $$
    SELECT nullif(current_setting('amazon_accounts.changed_by', true), '')::integer
$$;

CREATE FUNCTION public.accounts_current_run() RETURNS uuid
    LANGUAGE sql STABLE
    AS $$
    SELECT nullif(current_setting('amazon_accounts.sync_run', true), '')::uuid
$$;

CREATE FUNCTION public.accounts_note_account_changes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO accounts_accountchange (account_id, run_id, changed_at, kind, profile_id, old, new)
    SELECT new_row.id, accounts_current_run(), clock_timestamp(), change.kind, '', change.old, change.new
      FROM new_rows new_row
      JOIN old_rows old_row ON old_row.id = new_row.id
     CROSS JOIN LATERAL (
        SELECT 'name' AS kind, to_jsonb(old_row.name) AS old, to_jsonb(new_row.name) AS new
         WHERE old_row.name <> new_row.name
        UNION ALL
        SELECT CASE WHEN new_row.inactive_reason = 'not_visible' THEN 'vanished'
                    WHEN old_row.inactive_reason = 'not_visible' AND new_row.inactive_reason IS NULL THEN 'appeared'
                    ELSE 'status' END,
               to_jsonb(old_row.status), to_jsonb(new_row.status)
         WHERE (old_row.status, old_row.inactive_reason) IS DISTINCT FROM (new_row.status, new_row.inactive_reason)
        UNION ALL
        SELECT 'countries', to_jsonb(old_row.countries), to_jsonb(new_row.countries)
         WHERE old_row.countries <> new_row.countries
        UNION ALL
        SELECT 'errors', old_row.errors, new_row.errors
         WHERE old_row.errors <> new_row.errors
     ) change;
    RETURN NULL;
END $$;

CREATE FUNCTION public.accounts_note_profile_changes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO accounts_accountchange (account_id, run_id, changed_at, kind, profile_id, old, new)
    SELECT new_row.account_id, accounts_current_run(), clock_timestamp(), 'payment', new_row.profile_id,
           coalesce(to_jsonb(old_row.valid_payment_method), 'null'),
           coalesce(to_jsonb(new_row.valid_payment_method), 'null')
      FROM new_rows new_row
      JOIN old_rows old_row ON old_row.id = new_row.id
     WHERE old_row.valid_payment_method IS DISTINCT FROM new_row.valid_payment_method;
    RETURN NULL;
END $$;

CREATE FUNCTION public.accounts_search_changed() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE accounts_accountsearch search
       SET text = lower(new_row.name || chr(10) || new_row.amazon_account_id), is_indexed = false
      FROM new_rows new_row
      JOIN old_rows old_row ON old_row.id = new_row.id
     WHERE search.account_id = new_row.id
       AND (old_row.name <> new_row.name OR old_row.amazon_account_id <> new_row.amazon_account_id);
    RETURN NULL;
END $$;

CREATE FUNCTION public.accounts_search_new() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO accounts_accountsearch (account_id, text, is_indexed)
    SELECT id, lower(name || chr(10) || amazon_account_id), false FROM new_rows;
    RETURN NULL;
END $$;

CREATE UNLOGGED TABLE public.accounts_staged_account (
    run_id uuid NOT NULL,
    walk smallint NOT NULL,
    "position" bigint NOT NULL,
    amazon_account_id text NOT NULL,
    new_id uuid NOT NULL,
    source text NOT NULL,
    seen_in text[] NOT NULL,
    name text NOT NULL,
    account_type text,
    status text NOT NULL,
    amazon_status text,
    countries text[] NOT NULL,
    errors jsonb NOT NULL,
    metadata jsonb NOT NULL,
    profile_ids text[] NOT NULL,
    profile_countries text[] NOT NULL,
    profile_regions text[] NOT NULL,
    profile_entities text[] NOT NULL,
    links jsonb,
    cut_regions text[]
);

CREATE FUNCTION public.accounts_staged_chunk(run uuid, of_walk integer, behind bigint, upto bigint) RETURNS SETOF public.accounts_staged_account
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    RETURN QUERY
    SELECT DISTINCT ON (staged.amazon_account_id) staged.*
      FROM accounts_staged_account staged
     WHERE staged.run_id = run AND staged.walk = of_walk
       AND staged.position > behind AND staged.position <= upto
     ORDER BY staged.amazon_account_id, staged.position DESC;
END $$;

CREATE FUNCTION public.accounts_staged_of(run uuid) RETURNS TABLE(walk smallint, "position" bigint, amazon_account_id text, source text, seen_in text[], profile_ids text[])
    LANGUAGE plpgsql STABLE ROWS 10000
    AS $$
BEGIN
    RETURN QUERY
    SELECT staged.walk, staged.position, staged.amazon_account_id, staged.source, staged.seen_in, staged.profile_ids
      FROM accounts_staged_account staged
     WHERE staged.run_id = run;
END $$;

CREATE FUNCTION public.accounts_staged_profiles_of(run uuid) RETURNS TABLE(walk smallint, profile_id text, new_account_id uuid, region text, country_code text, name text, entity_id text)
    LANGUAGE plpgsql STABLE ROWS 5000
    AS $$
BEGIN
    RETURN QUERY
    SELECT staged.walk, staged.profile_id, staged.new_account_id, staged.region, staged.country_code, staged.name,
           staged.entity_id
      FROM accounts_staged_profile staged
     WHERE staged.run_id = run;
END $$;

CREATE FUNCTION public.amazon_ads_reserve(its_region text, its_family text, its_subject text, wait_seconds double precision, ceiling double precision, growth double precision, probe_every interval, is_probe boolean) RETURNS TABLE(seconds double precision, until timestamp with time zone, slot_interval double precision, is_ailing boolean, slowed_at timestamp with time zone)
    LANGUAGE plpgsql
    AS $$
BEGIN
    -- A crash of the database may lose the latest slots; a flush to disk for each request would cost more.
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    UPDATE amazon_ads_ratelimit AS row
    SET slot_at = greatest(
            row.slot_at + make_interval(secs => 1 / row.pace),
            clock_timestamp() - make_interval(secs => (row.burst - 1) / row.pace),
            row.blocked_until
        ),
        -- While no limit was met, each caller that has to wait makes the pace grow.
        pace = CASE
            WHEN row.growing AND row.slot_at + make_interval(secs => 1 / row.pace) > clock_timestamp()
                THEN least(row.pace + growth, ceiling)
            ELSE row.pace END,
        used_at = clock_timestamp(),
        requests_since_slowed = row.requests_since_slowed + 1,
        -- Of each pause, what is longer than a second and than the time between two slots.
        idle_since_slowed = row.idle_since_slowed + greatest(0, extract(epoch FROM
            greatest(
                row.slot_at + make_interval(secs => 1 / row.pace), row.blocked_until, clock_timestamp()
            ) - greatest(row.slot_at, row.used_at)
        ) - greatest(1, 1 / row.pace)),
        requests_since_probed = row.requests_since_probed + 1,
        other_login_at = CASE
            WHEN row.last_subject NOT IN ('', its_subject) THEN clock_timestamp()
            ELSE row.other_login_at END,
        last_subject = its_subject,
        requests = row.requests + 1,
        waited_seconds = row.waited_seconds + extract(epoch FROM greatest(
            row.slot_at + make_interval(secs => 1 / row.pace) - clock_timestamp(),
            row.blocked_until - clock_timestamp(),
            interval '0'
        ))
    WHERE row.region = its_region AND row.family = its_family
        AND greatest(row.slot_at + make_interval(secs => 1 / row.pace), row.blocked_until)
            <= clock_timestamp() + make_interval(secs => wait_seconds)
        AND (row.circuit_open_until IS NULL OR is_probe)
        AND row.hour = date_trunc('hour', clock_timestamp(), 'UTC')
        AND row.used_at > clock_timestamp() - interval '1 day'
        AND (row.growing OR row.probed_at > clock_timestamp() - probe_every)
        AND row.pace <= ceiling
        AND NOT EXISTS (
            SELECT FROM amazon_ads_parkedlogin AS parked
            WHERE parked.rate_limit_id = row.id AND parked.subject = its_subject
                AND parked.until > clock_timestamp()
        )
    RETURNING
        greatest(0, extract(epoch FROM row.slot_at - clock_timestamp()))::float8,
        row.slot_at,
        1 / row.pace,
        row.failures_in_a_row > 0 OR row.circuit_open_until IS NOT NULL,
        row.slowed_at;
END
$$;

CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;

CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;

    RETURN job_ids;
END;
$$;

CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;

    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;

    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;

    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;

    RETURN _job_id;
END;
$$;

CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    queueing_lock text,
    priority integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
);

CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;

 RETURN found_jobs;
END;
$$;

CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;

CREATE FUNCTION public.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;

CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;

CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;

CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;

    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;

END;
$$;

CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);

	RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;

CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;

CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;

CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;

CREATE TABLE public.accounts_accountaccess (
    id bigint NOT NULL,
    seen_in text[] NOT NULL,
    since timestamp with time zone NOT NULL,
    missing_since timestamp with time zone,
    account_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    CONSTRAINT access_is_seen_somewhere CHECK ((
CASE
    WHEN (seen_in IS NULL) THEN NULL::integer
    ELSE COALESCE(array_length(seen_in, 1), 0)
END > 0))
);

ALTER TABLE public.accounts_accountaccess ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.accounts_accountaccess_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.accounts_accountchange (
    id bigint NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    kind character varying(12) NOT NULL,
    profile_id text NOT NULL,
    old jsonb,
    new jsonb,
    account_id uuid NOT NULL,
    run_id uuid,
    changed_by_id integer DEFAULT public.accounts_current_person(),
    CONSTRAINT change_kind_is_known CHECK (((kind)::text = ANY ((ARRAY['name'::character varying, 'status'::character varying, 'countries'::character varying, 'errors'::character varying, 'payment'::character varying, 'appeared'::character varying, 'vanished'::character varying])::text[])))
);

ALTER TABLE public.accounts_accountchange ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.accounts_accountchange_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.accounts_accountmanager (
    id bigint NOT NULL,
    regions character varying(2)[] NOT NULL,
    account_id uuid NOT NULL,
    manager_id uuid NOT NULL,
    CONSTRAINT no_account_manages_itself CHECK ((NOT (manager_id = account_id)))
);

ALTER TABLE public.accounts_accountmanager ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.accounts_accountmanager_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.accounts_accountsearch (
    account_id uuid NOT NULL,
    text text NOT NULL,
    is_indexed boolean NOT NULL
);

CREATE TABLE public.accounts_batchitem (
    state character varying(12) NOT NULL,
    message text NOT NULL,
    account_id uuid NOT NULL,
    run_id uuid,
    batch_id uuid NOT NULL,
    CONSTRAINT batch_item_state_is_known CHECK (((state)::text = ANY ((ARRAY['waiting'::character varying, 'running'::character varying, 'succeeded'::character varying, 'failed'::character varying, 'skipped'::character varying])::text[])))
);

CREATE TABLE public.accounts_batchoperation (
    id uuid NOT NULL,
    operation character varying(12) NOT NULL,
    state character varying(12) NOT NULL,
    options jsonb NOT NULL,
    filter jsonb,
    total integer NOT NULL,
    succeeded integer NOT NULL,
    failed integer NOT NULL,
    skipped integer NOT NULL,
    "position" uuid,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    finished_at timestamp with time zone,
    idempotency_key character varying(200),
    request_digest character varying(64) NOT NULL,
    user_id integer,
    CONSTRAINT accounts_batchoperation_failed_check CHECK ((failed >= 0)),
    CONSTRAINT accounts_batchoperation_skipped_check CHECK ((skipped >= 0)),
    CONSTRAINT accounts_batchoperation_succeeded_check CHECK ((succeeded >= 0)),
    CONSTRAINT accounts_batchoperation_total_check CHECK ((total >= 0)),
    CONSTRAINT batch_counts_add_up CHECK ((total >= ((succeeded + failed) + skipped))),
    CONSTRAINT batch_ends_after_it_began CHECK (((finished_at IS NULL) OR (finished_at >= created_at))),
    CONSTRAINT batch_operation_is_known CHECK (((operation)::text = ANY ((ARRAY['sync'::character varying, 'disconnect'::character varying, 'reconnect'::character varying, 'update'::character varying])::text[]))),
    CONSTRAINT ended_batch_has_an_end CHECK ((((finished_at IS NULL) AND ((state)::text = ANY ((ARRAY['waiting'::character varying, 'running'::character varying])::text[]))) OR ((finished_at IS NOT NULL) AND ((state)::text = ANY ((ARRAY['succeeded'::character varying, 'partial'::character varying, 'failed'::character varying, 'cancelled'::character varying])::text[])))))
);

CREATE TABLE public.accounts_profile (
    id bigint NOT NULL,
    profile_id text NOT NULL,
    region character varying(2) NOT NULL,
    country_code text NOT NULL,
    marketplace_id text NOT NULL,
    currency_code text NOT NULL,
    timezone text NOT NULL,
    type text NOT NULL,
    subtype text NOT NULL,
    name text NOT NULL,
    entity_id text NOT NULL,
    ads_entity_id text NOT NULL,
    access_level character varying(4) NOT NULL,
    valid_payment_method boolean,
    daily_budget numeric(20,2),
    account_id uuid NOT NULL,
    CONSTRAINT profile_has_an_amazon_id CHECK ((NOT (profile_id = ''::text)))
);

ALTER TABLE public.accounts_profile ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.accounts_profile_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE UNLOGGED TABLE public.accounts_staged_profile (
    run_id uuid NOT NULL,
    walk smallint NOT NULL,
    profile_id text NOT NULL,
    new_account_id uuid NOT NULL,
    region text NOT NULL,
    country_code text NOT NULL,
    marketplace_id text NOT NULL,
    currency_code text NOT NULL,
    timezone text NOT NULL,
    type text NOT NULL,
    subtype text NOT NULL,
    name text NOT NULL,
    entity_id text NOT NULL,
    access_level text,
    valid_payment_method boolean,
    daily_budget numeric(20,2),
    raw jsonb
);

CREATE TABLE public.accounts_syncrun (
    id uuid NOT NULL,
    trigger character varying(12) NOT NULL,
    state character varying(12) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    heartbeat_at timestamp with time zone,
    finished_at timestamp with time zone,
    sources jsonb NOT NULL,
    seen integer NOT NULL,
    created integer NOT NULL,
    changed integer NOT NULL,
    unchanged integer NOT NULL,
    gone integer NOT NULL,
    rejected integer NOT NULL,
    requests integer NOT NULL,
    throttled integer NOT NULL,
    postponed smallint NOT NULL,
    error text NOT NULL,
    connection_id uuid NOT NULL,
    requested_by_id integer,
    CONSTRAINT accounts_syncrun_changed_check CHECK ((changed >= 0)),
    CONSTRAINT accounts_syncrun_created_check CHECK ((created >= 0)),
    CONSTRAINT accounts_syncrun_gone_check CHECK ((gone >= 0)),
    CONSTRAINT accounts_syncrun_postponed_check CHECK ((postponed >= 0)),
    CONSTRAINT accounts_syncrun_rejected_check CHECK ((rejected >= 0)),
    CONSTRAINT accounts_syncrun_requests_check CHECK ((requests >= 0)),
    CONSTRAINT accounts_syncrun_seen_check CHECK ((seen >= 0)),
    CONSTRAINT accounts_syncrun_throttled_check CHECK ((throttled >= 0)),
    CONSTRAINT accounts_syncrun_unchanged_check CHECK ((unchanged >= 0)),
    CONSTRAINT begun_sync_has_a_start CHECK ((((state)::text = 'waiting'::text) OR (started_at IS NOT NULL) OR ((state)::text = 'failed'::text))),
    CONSTRAINT sync_ends_after_it_began CHECK (((finished_at IS NULL) OR (finished_at >= created_at))),
    CONSTRAINT sync_state_is_known CHECK (((state)::text = ANY ((ARRAY['waiting'::character varying, 'running'::character varying, 'succeeded'::character varying, 'partial'::character varying, 'failed'::character varying])::text[])))
);

CREATE TABLE public.amazon_ads_applicationrefusal (
    id bigint NOT NULL,
    client_id character varying(150) NOT NULL,
    secret_digest character varying(64) NOT NULL,
    code character varying(100) NOT NULL,
    message text NOT NULL,
    request_id character varying(100) NOT NULL,
    refusals integer NOT NULL,
    refused_since timestamp with time zone NOT NULL,
    last_refused_at timestamp with time zone NOT NULL,
    probed_at timestamp with time zone NOT NULL,
    CONSTRAINT amazon_ads_applicationrefusal_refusals_check CHECK ((refusals >= 0)),
    CONSTRAINT refusal_times_in_order CHECK ((last_refused_at >= refused_since))
);

ALTER TABLE public.amazon_ads_applicationrefusal ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.amazon_ads_applicationrefusal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.amazon_ads_parkedlogin (
    id bigint NOT NULL,
    subject character varying(100) NOT NULL,
    until timestamp with time zone NOT NULL,
    rate_limit_id bigint NOT NULL
);

ALTER TABLE public.amazon_ads_parkedlogin ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.amazon_ads_parkedlogin_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.amazon_ads_ratelimit (
    id bigint NOT NULL,
    region character varying(2) NOT NULL,
    family character varying(10) NOT NULL,
    pace double precision NOT NULL,
    burst smallint NOT NULL,
    slot_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone NOT NULL,
    growing boolean NOT NULL,
    slowed_at timestamp with time zone,
    requests_since_slowed integer NOT NULL,
    idle_since_slowed double precision NOT NULL,
    probed_at timestamp with time zone NOT NULL,
    requests_since_probed integer NOT NULL,
    probes smallint NOT NULL,
    blocked_until timestamp with time zone,
    last_subject character varying(100) NOT NULL,
    other_login_at timestamp with time zone,
    refused_subject character varying(100) NOT NULL,
    refused_at timestamp with time zone,
    failures_in_a_row integer NOT NULL,
    failing_subject character varying(100) NOT NULL,
    several_failing boolean NOT NULL,
    circuit_open_until timestamp with time zone,
    circuit_seconds integer NOT NULL,
    probe_until timestamp with time zone,
    hour timestamp with time zone NOT NULL,
    requests integer NOT NULL,
    throttled integer NOT NULL,
    failures integer NOT NULL,
    waited_seconds double precision NOT NULL,
    CONSTRAINT amazon_ads_ratelimit_burst_check CHECK ((burst >= 0)),
    CONSTRAINT amazon_ads_ratelimit_circuit_seconds_check CHECK ((circuit_seconds >= 0)),
    CONSTRAINT amazon_ads_ratelimit_failures_check CHECK ((failures >= 0)),
    CONSTRAINT amazon_ads_ratelimit_failures_in_a_row_check CHECK ((failures_in_a_row >= 0)),
    CONSTRAINT amazon_ads_ratelimit_probes_check CHECK ((probes >= 0)),
    CONSTRAINT amazon_ads_ratelimit_requests_check CHECK ((requests >= 0)),
    CONSTRAINT amazon_ads_ratelimit_requests_since_probed_check CHECK ((requests_since_probed >= 0)),
    CONSTRAINT amazon_ads_ratelimit_requests_since_slowed_check CHECK ((requests_since_slowed >= 0)),
    CONSTRAINT amazon_ads_ratelimit_throttled_check CHECK ((throttled >= 0)),
    CONSTRAINT burst_is_at_least_one CHECK ((burst >= 1)),
    CONSTRAINT family_is_known CHECK (((family)::text = ANY ((ARRAY['accounts'::character varying, 'dsp'::character varying, 'lwa'::character varying])::text[]))),
    CONSTRAINT pace_is_positive CHECK ((pace > (0.0)::double precision))
)
WITH (fillfactor='50');

ALTER TABLE public.amazon_ads_ratelimit ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.amazon_ads_ratelimit_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.amazon_ads_ratelimithour (
    id bigint NOT NULL,
    hour timestamp with time zone NOT NULL,
    requests integer NOT NULL,
    throttled integer NOT NULL,
    failures integer NOT NULL,
    waited_seconds double precision NOT NULL,
    pace double precision NOT NULL,
    rate_limit_id bigint NOT NULL,
    CONSTRAINT amazon_ads_ratelimithour_failures_check CHECK ((failures >= 0)),
    CONSTRAINT amazon_ads_ratelimithour_requests_check CHECK ((requests >= 0)),
    CONSTRAINT amazon_ads_ratelimithour_throttled_check CHECK ((throttled >= 0))
);

ALTER TABLE public.amazon_ads_ratelimithour ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.amazon_ads_ratelimithour_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.auth_group (
    id integer NOT NULL,
    name character varying(150) NOT NULL
);

ALTER TABLE public.auth_group ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.auth_group_permissions (
    id bigint NOT NULL,
    group_id integer NOT NULL,
    permission_id integer NOT NULL
);

ALTER TABLE public.auth_group_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.auth_permission (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    content_type_id integer NOT NULL,
    codename character varying(100) NOT NULL
);

ALTER TABLE public.auth_permission ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_permission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.auth_user (
    id integer NOT NULL,
    password character varying(128) NOT NULL,
    last_login timestamp with time zone,
    is_superuser boolean NOT NULL,
    username character varying(150) NOT NULL,
    first_name character varying(150) NOT NULL,
    last_name character varying(150) NOT NULL,
    email character varying(254) NOT NULL,
    is_staff boolean NOT NULL,
    is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL
);

CREATE TABLE public.auth_user_groups (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    group_id integer NOT NULL
);

ALTER TABLE public.auth_user_groups ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_groups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE public.auth_user ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.auth_user_user_permissions (
    id bigint NOT NULL,
    user_id integer NOT NULL,
    permission_id integer NOT NULL
);

ALTER TABLE public.auth_user_user_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_user_user_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.django_admin_log (
    id integer NOT NULL,
    action_time timestamp with time zone NOT NULL,
    object_id text,
    object_repr character varying(200) NOT NULL,
    action_flag smallint NOT NULL,
    change_message text NOT NULL,
    content_type_id integer,
    user_id integer NOT NULL,
    CONSTRAINT django_admin_log_action_flag_check CHECK ((action_flag >= 0))
);

ALTER TABLE public.django_admin_log ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_admin_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.django_apscheduler_djangojob (
    id character varying(255) NOT NULL,
    next_run_time timestamp with time zone,
    job_state bytea NOT NULL
);

CREATE TABLE public.django_apscheduler_djangojobexecution (
    id bigint NOT NULL,
    status character varying(50) NOT NULL,
    run_time timestamp with time zone NOT NULL,
    duration numeric(15,2),
    finished numeric(15,2),
    exception character varying(1000),
    traceback text,
    job_id character varying(255) NOT NULL
);

ALTER TABLE public.django_apscheduler_djangojobexecution ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_apscheduler_djangojobexecution_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.django_content_type (
    id integer NOT NULL,
    app_label character varying(100) NOT NULL,
    model character varying(100) NOT NULL
);

ALTER TABLE public.django_content_type ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_content_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.django_migrations (
    id bigint NOT NULL,
    app character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp with time zone NOT NULL
);

ALTER TABLE public.django_migrations ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_migrations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.django_session (
    session_key character varying(40) NOT NULL,
    session_data text NOT NULL,
    expire_date timestamp with time zone NOT NULL
);

CREATE TABLE public.knox_authtoken (
    digest character varying(128) NOT NULL,
    created timestamp with time zone NOT NULL,
    user_id integer NOT NULL,
    expiry timestamp with time zone,
    token_key character varying(25) NOT NULL
);

CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);

CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;

CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;

CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);

CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;

CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.tokens_accesstokenrequest (
    id uuid NOT NULL,
    remote_addr inet,
    outcome character varying(16) NOT NULL,
    requested_at timestamp with time zone NOT NULL,
    user_id integer NOT NULL,
    connection_id uuid NOT NULL
);

CREATE TABLE public.tokens_alert (
    id uuid NOT NULL,
    kind character varying(32) NOT NULL,
    key character varying(200) NOT NULL,
    text text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    message_id uuid,
    next_try_at timestamp with time zone,
    tries integer NOT NULL,
    sent_at timestamp with time zone,
    error text NOT NULL,
    connection_id uuid,
    taken_by character varying(64)[] DEFAULT '{}'::character varying(64)[] NOT NULL,
    told_at timestamp with time zone,
    CONSTRAINT sent_alert_is_not_due CHECK (((sent_at IS NULL) OR (next_try_at IS NULL))),
    CONSTRAINT tokens_alert_tries_check CHECK ((tries >= 0))
);

CREATE TABLE public.tokens_authorizationattempt (
    state_digest character varying(64) NOT NULL,
    session_digest character varying(64) NOT NULL,
    region character varying(2) NOT NULL,
    regions character varying(2)[] NOT NULL,
    label character varying(200) NOT NULL,
    created_at timestamp with time zone NOT NULL,
    user_id integer NOT NULL,
    connection_id uuid
);

CREATE TABLE public.tokens_connection (
    id uuid NOT NULL,
    label character varying(200) NOT NULL,
    client_id character varying(100) NOT NULL,
    regions character varying(2)[] NOT NULL,
    state character varying(32) NOT NULL,
    amazon_user_id text,
    amazon_user_name text NOT NULL,
    amazon_user_email text NOT NULL,
    access_token text,
    refresh_token text,
    expires_at timestamp with time zone,
    consented_at timestamp with time zone,
    grant_version integer NOT NULL,
    grant_refusals smallint NOT NULL,
    next_refresh_at timestamp with time zone,
    lease_id uuid,
    refresh_count bigint NOT NULL,
    last_refreshed_at timestamp with time zone,
    last_error text NOT NULL,
    last_error_at timestamp with time zone,
    last_synced_at timestamp with time zone,
    next_sync_at timestamp with time zone,
    sync_failures integer NOT NULL,
    sync_error text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    disconnected_at timestamp with time zone,
    owner_id integer NOT NULL,
    disconnected_by_id integer,
    unread_lists text[] DEFAULT '{}'::text[] NOT NULL,
    CONSTRAINT access_token_has_an_expiry CHECK (((access_token IS NULL) OR (expires_at IS NOT NULL))),
    CONSTRAINT active_connection_has_refresh_token CHECK (((NOT ((state)::text = 'active'::text)) OR (refresh_token IS NOT NULL))),
    CONSTRAINT connection_counts_are_not_negative CHECK (((grant_version >= 1) AND (refresh_count >= 0) AND (sync_failures >= 0))),
    CONSTRAINT connection_ends_after_it_began CHECK (((disconnected_at IS NULL) OR (disconnected_at >= created_at))),
    CONSTRAINT connection_regions_are_known CHECK (((
CASE
    WHEN (regions IS NULL) THEN NULL::integer
    ELSE COALESCE(array_length(regions, 1), 0)
END > 0) AND (regions <@ ARRAY['NA'::character varying(2), 'EU'::character varying(2), 'FE'::character varying(2)]))),
    CONSTRAINT connection_state_is_known CHECK (((state)::text = ANY ((ARRAY['active'::character varying, 'reauthorization_required'::character varying, 'disconnected'::character varying])::text[]))),
    CONSTRAINT disconnected_connection_has_no_tokens CHECK (((NOT ((state)::text = 'disconnected'::text)) OR ((access_token IS NULL) AND (disconnected_at IS NOT NULL) AND (refresh_token IS NULL)))),
    CONSTRAINT only_active_connections_are_due CHECK ((((lease_id IS NULL) AND (next_refresh_at IS NULL)) OR ((state)::text = 'active'::text))),
    CONSTRAINT tokens_connection_grant_refusals_check CHECK ((grant_refusals >= 0)),
    CONSTRAINT tokens_connection_grant_version_check CHECK ((grant_version >= 0)),
    CONSTRAINT tokens_connection_refresh_count_check CHECK ((refresh_count >= 0)),
    CONSTRAINT tokens_connection_sync_failures_check CHECK ((sync_failures >= 0))
);

CREATE TABLE public.tokens_heartbeat (
    id uuid NOT NULL,
    kind character varying(16) NOT NULL,
    host character varying(255) NOT NULL,
    pid integer NOT NULL,
    leads boolean NOT NULL,
    started_at timestamp with time zone NOT NULL,
    beat_at timestamp with time zone NOT NULL,
    CONSTRAINT tokens_heartbeat_pid_check CHECK ((pid >= 0))
);

CREATE TABLE public.tokens_tokenrefresh (
    id uuid NOT NULL,
    grant_version integer NOT NULL,
    trigger character varying(16) NOT NULL,
    tries smallint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    outcome character varying(16),
    error_code text NOT NULL,
    error text NOT NULL,
    request_id text NOT NULL,
    new_expires_at timestamp with time zone,
    connection_id uuid NOT NULL,
    left_fresh boolean,
    CONSTRAINT closed_refresh_has_an_outcome CHECK ((((finished_at IS NULL) AND (outcome IS NULL)) OR ((finished_at IS NOT NULL) AND (outcome IS NOT NULL)))),
    CONSTRAINT refresh_ends_after_it_began CHECK (((finished_at IS NULL) OR (finished_at >= started_at))),
    CONSTRAINT refresh_trigger_is_known CHECK (((trigger)::text = ANY ((ARRAY['scheduled'::character varying, 'on_use'::character varying, 'manual'::character varying, 'connect'::character varying])::text[]))),
    CONSTRAINT tokens_tokenrefresh_grant_version_check CHECK ((grant_version >= 0)),
    CONSTRAINT tokens_tokenrefresh_tries_check CHECK ((tries >= 0))
);

CREATE TABLE public.user_accounts (
    id uuid NOT NULL,
    amazon_account_id text NOT NULL,
    source character varying(16) NOT NULL,
    name text NOT NULL,
    account_type character varying(12) NOT NULL,
    status character varying(12) NOT NULL,
    inactive_reason character varying(12),
    amazon_status text,
    countries text[] NOT NULL,
    errors jsonb NOT NULL,
    metadata jsonb NOT NULL,
    labels jsonb NOT NULL,
    is_default boolean NOT NULL,
    sync_enabled boolean NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    connected_at timestamp with time zone NOT NULL,
    disconnected_at timestamp with time zone,
    updated_at timestamp with time zone NOT NULL,
    connection_id uuid NOT NULL,
    parent_id uuid,
    user_id integer NOT NULL,
    CONSTRAINT account_ends_after_it_began CHECK (((disconnected_at IS NULL) OR (disconnected_at >= connected_at))),
    CONSTRAINT account_has_an_amazon_id CHECK ((NOT (amazon_account_id = ''::text))),
    CONSTRAINT account_source_is_known CHECK (((source)::text = ANY ((ARRAY['ads_accounts'::character varying, 'profiles'::character varying, 'manager_accounts'::character varying, 'dsp_advertisers'::character varying])::text[]))),
    CONSTRAINT account_status_is_known CHECK (((status)::text = ANY ((ARRAY['active'::character varying, 'suspended'::character varying, 'pending'::character varying, 'inactive'::character varying])::text[]))),
    CONSTRAINT account_type_is_known CHECK (((account_type)::text = ANY ((ARRAY['seller'::character varying, 'vendor'::character varying, 'agency'::character varying, 'manager'::character varying, 'advertiser'::character varying, 'unknown'::character varying])::text[]))),
    CONSTRAINT inactive_account_has_a_reason CHECK (((((status)::text = 'inactive'::text) AND ((inactive_reason)::text = ANY ((ARRAY['disconnected'::character varying, 'not_visible'::character varying])::text[]))) OR ((NOT ((status)::text = 'inactive'::text)) AND (inactive_reason IS NULL))))
);

ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);

ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);

ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);

INSERT INTO public.accounts_accountaccess VALUES (1, '{ads_accounts}', '2026-11-28 15:59:23.325954+00', NULL, '01a222e1-f042-7719-8539-7ca94f775571', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (2, '{ads_accounts}', '2026-11-28 15:59:23.325954+00', NULL, '01a222e1-f042-7719-8539-7cab95b1d980', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (3, '{ads_accounts}', '2026-11-28 15:59:23.325954+00', NULL, '01a222e1-f042-7719-8539-7ca76565aa2a', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (4, '{ads_accounts}', '2026-11-28 15:59:23.325954+00', NULL, '01a222e1-f042-7719-8539-7ca808db3435', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (5, '{ads_accounts}', '2026-11-28 15:59:23.325954+00', NULL, '01a222e1-f042-7719-8539-7caa0b44844b', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (6, '{profiles:NA}', '2026-11-28 15:59:23.430034+00', NULL, '01a222e1-f438-7133-8ee7-45efcfeda1c1', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (7, '{profiles:EU}', '2026-11-28 15:59:23.496036+00', NULL, '01a222e1-f462-70a9-a991-957cc841917e', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (9, '{dsp_advertisers:NA:3874553001050406}', '2026-11-28 15:59:23.579678+00', NULL, '01a222e1-f4fc-71d6-9770-cb03cfd3798e', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (10, '{dsp_advertisers:NA:3874553001050406}', '2026-11-28 15:59:23.579678+00', NULL, '01a222e1-f4fc-71d6-9770-cb043ebdd3d7', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (8, '{dsp_advertisers:NA:3874553001050406,manager_accounts:NA:amzn1.ads1.ma1.c1px4h5gvyos3zntj2eizxyzl}', '2026-11-28 15:59:23.579678+00', NULL, '01a222e1-f4fc-71d6-9770-cb02712c8465', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (11, '{manager_accounts:EU,manager_accounts:FE,manager_accounts:NA}', '2026-11-28 15:59:23.767842+00', NULL, '01a222e1-f46e-758a-9731-71b4271a006f', '01a222e1-ed12-74ec-bbc3-bb21a470896c');
INSERT INTO public.accounts_accountaccess VALUES (12, '{ads_accounts}', '2026-11-28 15:59:24.801971+00', NULL, '01a222e1-f9cb-727f-9e0c-b2eda91699b6', '01a222e1-f7e3-70a9-b84b-486cbaa656cc');
INSERT INTO public.accounts_accountaccess VALUES (13, '{ads_accounts}', '2026-11-28 15:59:24.801971+00', NULL, '01a222e1-f9cb-727f-9e0c-b2ee524e8214', '01a222e1-f7e3-70a9-b84b-486cbaa656cc');

INSERT INTO public.accounts_accountmanager VALUES (1, '{EU,NA}', '01a222e1-f042-7719-8539-7ca76565aa2a', '01a222e1-f46e-758a-9731-71b4271a006f');
INSERT INTO public.accounts_accountmanager VALUES (2, '{NA}', '01a222e1-f4fc-71d6-9770-cb02712c8465', '01a222e1-f46e-758a-9731-71b4271a006f');

INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f042-7719-8539-7ca94f775571', 'nordwind living
amzn1.ads-account.g.2ncxgp50vijudhzamtzpsv7v4', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f042-7719-8539-7cab95b1d980', 'nordwind disabled
amzn1.ads-account.g.4u6aa6xnooufr63vqqvatm62o', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f042-7719-8539-7ca76565aa2a', 'nordwind outdoor
amzn1.ads-account.g.rpczayanjm3susgm0q29pc9kh', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f042-7719-8539-7ca808db3435', 'nordwind vendors
amzn1.ads-account.g.rsqwel4ctqmst15o9m27qwcbd', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f042-7719-8539-7caa0b44844b', 'nordwind pending
amzn1.ads-account.g.vr4m8qenp0mtyflyjtkrlpm7n', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f438-7133-8ee7-45efcfeda1c1', 'nordwind dsp
entityynegce9e6meq0', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f462-70a9-a991-957cc841917e', 'profile alone
afwjgbmzl1acp8', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f4fc-71d6-9770-cb02712c8465', 'nordwind dsp advertiser 1
2240620910513', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f4fc-71d6-9770-cb03cfd3798e', 'nordwind dsp advertiser 2
4892185455976', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f4fc-71d6-9770-cb043ebdd3d7', 'nordwind dsp advertiser 3
6703330930503', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f46e-758a-9731-71b4271a006f', 'nordwind group
amzn1.ads1.ma1.c1px4h5gvyos3zntj2eizxyzl', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f9cb-727f-9e0c-b2eda91699b6', 'nordwind outdoor
amzn1.ads-account.g.rpczayanjm3susgm0q29pc9kh', false);
INSERT INTO public.accounts_accountsearch VALUES ('01a222e1-f9cb-727f-9e0c-b2ee524e8214', 'bob''s bikes
amzn1.ads-account.g.zum2xw9xlhtqhdghmzjohyhah', false);

INSERT INTO public.accounts_batchitem VALUES ('succeeded', 'Updated.', '01a222e1-f438-7133-8ee7-45efcfeda1c1', NULL, '01a222e1-fd7a-7289-849d-1d07d4e14210');
INSERT INTO public.accounts_batchitem VALUES ('succeeded', 'Updated.', '01a222e1-f4fc-71d6-9770-cb02712c8465', NULL, '01a222e1-fd7a-7289-849d-1d07d4e14210');
INSERT INTO public.accounts_batchitem VALUES ('succeeded', 'Updated.', '01a222e1-f4fc-71d6-9770-cb03cfd3798e', NULL, '01a222e1-fd7a-7289-849d-1d07d4e14210');
INSERT INTO public.accounts_batchitem VALUES ('waiting', '', '01a222e1-f438-7133-8ee7-45efcfeda1c1', NULL, '01a222e1-ff72-7685-8722-644a1b9e1ca7');
INSERT INTO public.accounts_batchitem VALUES ('waiting', '', '01a222e1-f4fc-71d6-9770-cb02712c8465', NULL, '01a222e1-ff72-7685-8722-644a1b9e1ca7');
INSERT INTO public.accounts_batchitem VALUES ('waiting', '', '01a222e1-f4fc-71d6-9770-cb03cfd3798e', NULL, '01a222e1-ff72-7685-8722-644a1b9e1ca7');

INSERT INTO public.accounts_batchoperation VALUES ('01a222e1-fd7a-7289-849d-1d07d4e14210', 'update', 'succeeded', '{"labels": {"team": "north"}}', NULL, 3, 3, 0, 0, '01a222e1-f4fc-71d6-9770-cb03cfd3798e', '2026-11-28 15:59:25.562867+00', '2026-11-28 15:59:25.615403+00', NULL, '2026-11-28 15:59:25.702349+00', NULL, '', 1);
INSERT INTO public.accounts_batchoperation VALUES ('01a222e1-ff72-7685-8722-644a1b9e1ca7', 'sync', 'waiting', '{}', NULL, 3, 0, 0, 0, NULL, '2026-11-28 15:59:26.067085+00', NULL, NULL, NULL, NULL, '', 1);

INSERT INTO public.accounts_profile VALUES (1, '5044813951074308', 'NA', 'US', 'ATVPDKIKX0DER', 'USD', 'America/Los_Angeles', 'seller', '', 'Nordwind Outdoor', 'A8DQBWU3PU4A9Z', 'ENTITYSY2ZD1EIA6IJY', 'edit', NULL, 25.00, '01a222e1-f042-7719-8539-7ca76565aa2a');
INSERT INTO public.accounts_profile VALUES (2, '9174314552609285', 'EU', 'DE', 'A1PA6795UKMFR9', 'EUR', 'Europe/Paris', 'seller', '', 'Nordwind Outdoor', 'A8DQBWU3PU4A9Z', 'ENTITY9ZZLHSUOS16NT', 'edit', NULL, 1200.50, '01a222e1-f042-7719-8539-7ca76565aa2a');
INSERT INTO public.accounts_profile VALUES (3, '94193234733243626', 'EU', 'UK', 'A1F83G8C2ARO7P', 'GBP', 'Europe/London', 'seller', '', 'Nordwind Outdoor', 'A8DQBWU3PU4A9Z', 'ENTITYI2QXRXU0SBKJ3', 'edit', NULL, 25.00, '01a222e1-f042-7719-8539-7ca76565aa2a');
INSERT INTO public.accounts_profile VALUES (4, '36307620585456034', 'FE', 'JP', 'A1VC38T7YXB528', 'JPY', 'Asia/Tokyo', 'vendor', '', 'Nordwind Vendors', 'ENTITYWO29IEK171WY9', 'ENTITY50YKXI4NXZ9T7', 'view', true, NULL, '01a222e1-f042-7719-8539-7ca808db3435');
INSERT INTO public.accounts_profile VALUES (5, '1140478936717304', 'NA', 'CA', 'A2EUQ1WTGCTBG2', 'CAD', 'America/Los_Angeles', 'seller', '', 'Nordwind Living', 'AR1LJFMGVR6FEO', 'ENTITYGTOIF8FIHUL32', 'edit', NULL, 999999999.00, '01a222e1-f042-7719-8539-7ca94f775571');
INSERT INTO public.accounts_profile VALUES (6, '3874553001050406', 'NA', 'US', 'ATVPDKIKX0DER', 'USD', 'America/Los_Angeles', 'agency', '', 'Nordwind DSP', 'ENTITYYNEGCE9E6MEQ0', '', 'edit', NULL, NULL, '01a222e1-f438-7133-8ee7-45efcfeda1c1');
INSERT INTO public.accounts_profile VALUES (7, '515917816977401', 'EU', 'ES', 'A1RKKUPIHCS9HS', 'EUR', 'Europe/Paris', 'seller', '', 'Profile alone', 'AFWJGBMZL1ACP8', '', 'edit', NULL, 0.00, '01a222e1-f462-70a9-a991-957cc841917e');
INSERT INTO public.accounts_profile VALUES (8, '5044813951074308', 'NA', 'US', 'ATVPDKIKX0DER', 'USD', 'America/Los_Angeles', 'seller', '', 'Nordwind Outdoor', 'A8DQBWU3PU4A9Z', 'ENTITYSY2ZD1EIA6IJY', 'view', NULL, 25.00, '01a222e1-f9cb-727f-9e0c-b2eda91699b6');
INSERT INTO public.accounts_profile VALUES (9, '9174314552609285', 'EU', 'DE', 'A1PA6795UKMFR9', 'EUR', 'Europe/Paris', 'seller', '', 'Nordwind Outdoor', 'A8DQBWU3PU4A9Z', 'ENTITY9ZZLHSUOS16NT', 'view', NULL, 1200.50, '01a222e1-f9cb-727f-9e0c-b2eda91699b6');
INSERT INTO public.accounts_profile VALUES (10, '94193234733243626', 'EU', 'UK', 'A1F83G8C2ARO7P', 'GBP', 'Europe/London', 'seller', '', 'Nordwind Outdoor', 'A8DQBWU3PU4A9Z', 'ENTITYI2QXRXU0SBKJ3', 'view', NULL, 25.00, '01a222e1-f9cb-727f-9e0c-b2eda91699b6');
INSERT INTO public.accounts_profile VALUES (11, '7388219471642800', 'EU', 'FR', 'A13V1IB3VIYZZH', 'EUR', 'Europe/Paris', 'seller', '', 'Bob''s Bikes', 'AZ1DYC8D4OK10X', 'ENTITY15NPZ08QITKHT', 'edit', NULL, 340.00, '01a222e1-f9cb-727f-9e0c-b2ee524e8214');

INSERT INTO public.accounts_syncrun VALUES ('01a222e1-ed37-762c-8f16-658279564e0d', 'manual', 'succeeded', '2026-11-28 15:59:21.399658+00', '2026-11-28 15:59:21.458115+00', '2026-11-28 15:59:21.458115+00', '2026-11-28 15:59:23.944323+00', '[{"gone": 0, "seen": 5, "pages": 1, "errors": [], "region": null, "source": "ads_accounts", "changed": 0, "created": 5, "outcome": "complete", "seconds": 1.697, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.102}, {"gone": 0, "seen": 3, "pages": 1, "errors": [], "region": "NA", "source": "profiles", "changed": 0, "created": 1, "outcome": "complete", "seconds": 1.743, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 3, "pages": 1, "errors": [], "region": "NA", "source": "profiles_edit", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.643, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 3, "pages": 1, "errors": [], "region": "EU", "source": "profiles", "changed": 0, "created": 1, "outcome": "complete", "seconds": 1.776, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 3, "pages": 1, "errors": [], "region": "EU", "source": "profiles_edit", "changed": 0, "created": 0, "outcome": "complete", "seconds": 1.653, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 1, "pages": 1, "errors": [], "region": "FE", "source": "profiles", "changed": 0, "created": 0, "outcome": "complete", "seconds": 1.757, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 0, "pages": 1, "errors": [], "region": "FE", "source": "profiles_edit", "changed": 0, "created": 0, "outcome": "complete", "seconds": 1.688, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 1, "pages": 1, "errors": [], "region": "NA", "source": "manager_accounts", "changed": 0, "created": 1, "outcome": "complete", "seconds": 1.639, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 1, "pages": 1, "errors": [], "region": "EU", "source": "manager_accounts", "changed": 0, "created": 0, "outcome": "complete", "seconds": 1.664, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 1, "pages": 1, "errors": [], "region": "FE", "source": "manager_accounts", "changed": 0, "created": 0, "outcome": "complete", "seconds": 1.607, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 3, "pages": 1, "errors": [], "region": "NA", "source": "dsp_advertisers", "changed": 0, "created": 3, "outcome": "complete", "seconds": 0.124, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "profile_id": "3874553001050406", "rejected_items": [], "waited_seconds": 0.0}]', 11, 11, 0, 0, 0, 0, 11, 0, 0, '', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL);
INSERT INTO public.accounts_syncrun VALUES ('01a222e1-f84a-76a6-89f5-d26c327caef2', 'manual', 'succeeded', '2026-11-28 15:59:24.234833+00', '2026-11-28 15:59:24.301926+00', '2026-11-28 15:59:24.301926+00', '2026-11-28 15:59:25.16073+00', '[{"gone": 0, "seen": 2, "pages": 1, "errors": [], "region": null, "source": "ads_accounts", "changed": 0, "created": 2, "outcome": "complete", "seconds": 0.336, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.021}, {"gone": 0, "seen": 1, "pages": 1, "errors": [], "region": "NA", "source": "profiles", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.275, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 0, "pages": 1, "errors": [], "region": "NA", "source": "profiles_edit", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.17, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 3, "pages": 1, "errors": [], "region": "EU", "source": "profiles", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.337, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 1, "pages": 1, "errors": [], "region": "EU", "source": "profiles_edit", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.168, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 0, "pages": 1, "errors": [], "region": "FE", "source": "profiles", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.382, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 0, "pages": 1, "errors": [], "region": "FE", "source": "profiles_edit", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.238, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 0, "pages": 1, "errors": [], "region": "NA", "source": "manager_accounts", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.169, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 0, "pages": 1, "errors": [], "region": "EU", "source": "manager_accounts", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.168, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}, {"gone": 0, "seen": 0, "pages": 1, "errors": [], "region": "FE", "source": "manager_accounts", "changed": 0, "created": 0, "outcome": "complete", "seconds": 0.168, "rejected": 0, "requests": 1, "throttled": 0, "unchanged": 0, "rejected_items": [], "waited_seconds": 0.0}]', 2, 2, 0, 0, 0, 0, 10, 0, 0, '', '01a222e1-f7e3-70a9-b84b-486cbaa656cc', NULL);
INSERT INTO public.accounts_syncrun VALUES ('01a222e1-ffbd-72bd-bd63-ddb577829de0', 'manual', 'waiting', '2026-11-28 15:59:26.14181+00', NULL, NULL, NULL, '[]', 0, 0, 0, 0, 0, 0, 0, 0, 0, '', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL);

INSERT INTO public.amazon_ads_ratelimit VALUES (1, 'EU', 'accounts', 9500, 1000, '2026-11-28 15:59:24.586403+00', '2026-11-28 15:59:24.691562+00', true, NULL, 8, 0.1818820000000001, '2026-11-28 15:59:21.561757+00', 8, 0, NULL, '01a222e1-f7e3-70a9-b84b-486cbaa656cc', '2026-11-28 15:59:24.367186+00', '', NULL, 0, '', false, NULL, 0, NULL, '2026-11-28 15:00:00+00', 8, 0, 0, 0);
INSERT INTO public.amazon_ads_ratelimit VALUES (5, 'FE', 'accounts', 9500, 1000, '2026-11-28 15:59:24.62979+00', '2026-11-28 15:59:24.734949+00', true, NULL, 7, 0.138239, '2026-11-28 15:59:21.697983+00', 7, 0, NULL, '01a222e1-f7e3-70a9-b84b-486cbaa656cc', '2026-11-28 15:59:24.371558+00', '', NULL, 0, '', false, NULL, 0, NULL, '2026-11-28 15:00:00+00', 7, 0, 0, 0);
INSERT INTO public.amazon_ads_ratelimit VALUES (7, 'NA', 'dsp', 9500, 1000, '2026-11-28 15:59:23.198207+00', '2026-11-28 15:59:23.303366+00', true, NULL, 1, 0, '2026-11-28 15:59:23.290223+00', 1, 0, NULL, '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, '', NULL, 0, '', false, NULL, 0, NULL, '2026-11-28 15:00:00+00', 1, 0, 0, 0);
INSERT INTO public.amazon_ads_ratelimit VALUES (6, '', 'lwa', 9500, 1000, '2026-11-28 15:59:24.342295+00', '2026-11-28 15:59:24.447454+00', true, NULL, 2, 1.4929169999999998, '2026-11-28 15:59:21.891925+00', 2, 0, NULL, '01a222e1-f7e3-70a9-b84b-486cbaa656cc', '2026-11-28 15:59:24.447464+00', '', NULL, 0, '', false, NULL, 0, NULL, '2026-11-28 15:00:00+00', 2, 0, 0, 0);
INSERT INTO public.amazon_ads_ratelimit VALUES (2, 'NA', 'accounts', 9500, 1000, '2026-11-28 15:59:24.521223+00', '2026-11-28 15:59:24.626382+00', true, NULL, 10, 0.183438, '2026-11-28 15:59:21.567631+00', 10, 0, NULL, '01a222e1-f7e3-70a9-b84b-486cbaa656cc', '2026-11-28 15:59:24.363388+00', '', NULL, 0, '', false, NULL, 0, NULL, '2026-11-28 15:00:00+00', 10, 0, 0, 0);

INSERT INTO public.auth_group VALUES (1, 'Administrator');
INSERT INTO public.auth_group VALUES (2, 'Viewer');
INSERT INTO public.auth_group VALUES (3, 'Operator');

INSERT INTO public.auth_group_permissions VALUES (1, 1, 129);
INSERT INTO public.auth_group_permissions VALUES (2, 1, 133);
INSERT INTO public.auth_group_permissions VALUES (3, 1, 72);
INSERT INTO public.auth_group_permissions VALUES (4, 1, 73);
INSERT INTO public.auth_group_permissions VALUES (5, 1, 74);
INSERT INTO public.auth_group_permissions VALUES (6, 1, 75);
INSERT INTO public.auth_group_permissions VALUES (7, 1, 76);
INSERT INTO public.auth_group_permissions VALUES (8, 1, 77);
INSERT INTO public.auth_group_permissions VALUES (9, 1, 85);
INSERT INTO public.auth_group_permissions VALUES (10, 1, 97);
INSERT INTO public.auth_group_permissions VALUES (11, 1, 101);
INSERT INTO public.auth_group_permissions VALUES (12, 1, 102);
INSERT INTO public.auth_group_permissions VALUES (13, 1, 103);
INSERT INTO public.auth_group_permissions VALUES (14, 1, 104);
INSERT INTO public.auth_group_permissions VALUES (15, 1, 105);
INSERT INTO public.auth_group_permissions VALUES (16, 1, 109);
INSERT INTO public.auth_group_permissions VALUES (17, 1, 113);
INSERT INTO public.auth_group_permissions VALUES (18, 1, 117);
INSERT INTO public.auth_group_permissions VALUES (19, 1, 121);
INSERT INTO public.auth_group_permissions VALUES (20, 1, 125);
INSERT INTO public.auth_group_permissions VALUES (21, 2, 129);
INSERT INTO public.auth_group_permissions VALUES (22, 2, 97);
INSERT INTO public.auth_group_permissions VALUES (23, 2, 101);
INSERT INTO public.auth_group_permissions VALUES (24, 2, 133);
INSERT INTO public.auth_group_permissions VALUES (25, 2, 72);
INSERT INTO public.auth_group_permissions VALUES (26, 2, 109);
INSERT INTO public.auth_group_permissions VALUES (27, 2, 113);
INSERT INTO public.auth_group_permissions VALUES (28, 2, 117);
INSERT INTO public.auth_group_permissions VALUES (29, 2, 85);
INSERT INTO public.auth_group_permissions VALUES (30, 2, 121);
INSERT INTO public.auth_group_permissions VALUES (31, 2, 125);
INSERT INTO public.auth_group_permissions VALUES (32, 3, 129);
INSERT INTO public.auth_group_permissions VALUES (33, 3, 97);
INSERT INTO public.auth_group_permissions VALUES (34, 3, 101);
INSERT INTO public.auth_group_permissions VALUES (35, 3, 102);
INSERT INTO public.auth_group_permissions VALUES (36, 3, 103);
INSERT INTO public.auth_group_permissions VALUES (37, 3, 104);
INSERT INTO public.auth_group_permissions VALUES (38, 3, 133);
INSERT INTO public.auth_group_permissions VALUES (39, 3, 73);
INSERT INTO public.auth_group_permissions VALUES (40, 3, 74);
INSERT INTO public.auth_group_permissions VALUES (41, 3, 72);
INSERT INTO public.auth_group_permissions VALUES (42, 3, 109);
INSERT INTO public.auth_group_permissions VALUES (43, 3, 113);
INSERT INTO public.auth_group_permissions VALUES (44, 3, 117);
INSERT INTO public.auth_group_permissions VALUES (45, 3, 85);
INSERT INTO public.auth_group_permissions VALUES (46, 3, 121);
INSERT INTO public.auth_group_permissions VALUES (47, 3, 125);

INSERT INTO public.auth_permission VALUES (1, 'Can add log entry', 1, 'add_logentry');
INSERT INTO public.auth_permission VALUES (2, 'Can change log entry', 1, 'change_logentry');
INSERT INTO public.auth_permission VALUES (3, 'Can delete log entry', 1, 'delete_logentry');
INSERT INTO public.auth_permission VALUES (4, 'Can view log entry', 1, 'view_logentry');
INSERT INTO public.auth_permission VALUES (5, 'Can add permission', 2, 'add_permission');
INSERT INTO public.auth_permission VALUES (6, 'Can change permission', 2, 'change_permission');
INSERT INTO public.auth_permission VALUES (7, 'Can delete permission', 2, 'delete_permission');
INSERT INTO public.auth_permission VALUES (8, 'Can view permission', 2, 'view_permission');
INSERT INTO public.auth_permission VALUES (9, 'Can add group', 3, 'add_group');
INSERT INTO public.auth_permission VALUES (10, 'Can change group', 3, 'change_group');
INSERT INTO public.auth_permission VALUES (11, 'Can delete group', 3, 'delete_group');
INSERT INTO public.auth_permission VALUES (12, 'Can view group', 3, 'view_group');
INSERT INTO public.auth_permission VALUES (13, 'Can add user', 4, 'add_user');
INSERT INTO public.auth_permission VALUES (14, 'Can change user', 4, 'change_user');
INSERT INTO public.auth_permission VALUES (15, 'Can delete user', 4, 'delete_user');
INSERT INTO public.auth_permission VALUES (16, 'Can view user', 4, 'view_user');
INSERT INTO public.auth_permission VALUES (17, 'Can add content type', 5, 'add_contenttype');
INSERT INTO public.auth_permission VALUES (18, 'Can change content type', 5, 'change_contenttype');
INSERT INTO public.auth_permission VALUES (19, 'Can delete content type', 5, 'delete_contenttype');
INSERT INTO public.auth_permission VALUES (20, 'Can view content type', 5, 'view_contenttype');
INSERT INTO public.auth_permission VALUES (21, 'Can add session', 6, 'add_session');
INSERT INTO public.auth_permission VALUES (22, 'Can change session', 6, 'change_session');
INSERT INTO public.auth_permission VALUES (23, 'Can delete session', 6, 'delete_session');
INSERT INTO public.auth_permission VALUES (24, 'Can view session', 6, 'view_session');
INSERT INTO public.auth_permission VALUES (25, 'Can add auth token', 7, 'add_authtoken');
INSERT INTO public.auth_permission VALUES (26, 'Can change auth token', 7, 'change_authtoken');
INSERT INTO public.auth_permission VALUES (27, 'Can delete auth token', 7, 'delete_authtoken');
INSERT INTO public.auth_permission VALUES (28, 'Can view auth token', 7, 'view_authtoken');
INSERT INTO public.auth_permission VALUES (29, 'Can add django job', 8, 'add_djangojob');
INSERT INTO public.auth_permission VALUES (30, 'Can change django job', 8, 'change_djangojob');
INSERT INTO public.auth_permission VALUES (31, 'Can delete django job', 8, 'delete_djangojob');
INSERT INTO public.auth_permission VALUES (32, 'Can view django job', 8, 'view_djangojob');
INSERT INTO public.auth_permission VALUES (33, 'Can add django job execution', 9, 'add_djangojobexecution');
INSERT INTO public.auth_permission VALUES (34, 'Can change django job execution', 9, 'change_djangojobexecution');
INSERT INTO public.auth_permission VALUES (35, 'Can delete django job execution', 9, 'delete_djangojobexecution');
INSERT INTO public.auth_permission VALUES (36, 'Can view django job execution', 9, 'view_djangojobexecution');
INSERT INTO public.auth_permission VALUES (37, 'Can add procrastinate event', 10, 'add_procrastinateevent');
INSERT INTO public.auth_permission VALUES (38, 'Can change procrastinate event', 10, 'change_procrastinateevent');
INSERT INTO public.auth_permission VALUES (39, 'Can delete procrastinate event', 10, 'delete_procrastinateevent');
INSERT INTO public.auth_permission VALUES (40, 'Can view procrastinate event', 10, 'view_procrastinateevent');
INSERT INTO public.auth_permission VALUES (41, 'Can add procrastinate job', 11, 'add_procrastinatejob');
INSERT INTO public.auth_permission VALUES (42, 'Can change procrastinate job', 11, 'change_procrastinatejob');
INSERT INTO public.auth_permission VALUES (43, 'Can delete procrastinate job', 11, 'delete_procrastinatejob');
INSERT INTO public.auth_permission VALUES (44, 'Can view procrastinate job', 11, 'view_procrastinatejob');
INSERT INTO public.auth_permission VALUES (45, 'Can add procrastinate periodic defer', 12, 'add_procrastinateperiodicdefer');
INSERT INTO public.auth_permission VALUES (46, 'Can change procrastinate periodic defer', 12, 'change_procrastinateperiodicdefer');
INSERT INTO public.auth_permission VALUES (47, 'Can delete procrastinate periodic defer', 12, 'delete_procrastinateperiodicdefer');
INSERT INTO public.auth_permission VALUES (48, 'Can view procrastinate periodic defer', 12, 'view_procrastinateperiodicdefer');
INSERT INTO public.auth_permission VALUES (49, 'Can add procrastinate worker', 13, 'add_procrastinateworker');
INSERT INTO public.auth_permission VALUES (50, 'Can change procrastinate worker', 13, 'change_procrastinateworker');
INSERT INTO public.auth_permission VALUES (51, 'Can delete procrastinate worker', 13, 'delete_procrastinateworker');
INSERT INTO public.auth_permission VALUES (52, 'Can view procrastinate worker', 13, 'view_procrastinateworker');
INSERT INTO public.auth_permission VALUES (53, 'Can add application refusal', 14, 'add_applicationrefusal');
INSERT INTO public.auth_permission VALUES (54, 'Can change application refusal', 14, 'change_applicationrefusal');
INSERT INTO public.auth_permission VALUES (55, 'Can delete application refusal', 14, 'delete_applicationrefusal');
INSERT INTO public.auth_permission VALUES (56, 'Can view application refusal', 14, 'view_applicationrefusal');
INSERT INTO public.auth_permission VALUES (57, 'Can add rate limit', 15, 'add_ratelimit');
INSERT INTO public.auth_permission VALUES (58, 'Can change rate limit', 15, 'change_ratelimit');
INSERT INTO public.auth_permission VALUES (59, 'Can delete rate limit', 15, 'delete_ratelimit');
INSERT INTO public.auth_permission VALUES (60, 'Can view rate limit', 15, 'view_ratelimit');
INSERT INTO public.auth_permission VALUES (61, 'Can add parked login', 16, 'add_parkedlogin');
INSERT INTO public.auth_permission VALUES (62, 'Can change parked login', 16, 'change_parkedlogin');
INSERT INTO public.auth_permission VALUES (63, 'Can delete parked login', 16, 'delete_parkedlogin');
INSERT INTO public.auth_permission VALUES (64, 'Can view parked login', 16, 'view_parkedlogin');
INSERT INTO public.auth_permission VALUES (65, 'Can add rate limit hour', 17, 'add_ratelimithour');
INSERT INTO public.auth_permission VALUES (66, 'Can change rate limit hour', 17, 'change_ratelimithour');
INSERT INTO public.auth_permission VALUES (67, 'Can delete rate limit hour', 17, 'delete_ratelimithour');
INSERT INTO public.auth_permission VALUES (68, 'Can view rate limit hour', 17, 'view_ratelimithour');
INSERT INTO public.auth_permission VALUES (69, 'Can add connection', 18, 'add_connection');
INSERT INTO public.auth_permission VALUES (70, 'Can change connection', 18, 'change_connection');
INSERT INTO public.auth_permission VALUES (71, 'Can delete connection', 18, 'delete_connection');
INSERT INTO public.auth_permission VALUES (72, 'Can view connection', 18, 'view_connection');
INSERT INTO public.auth_permission VALUES (73, 'Can connect an Amazon login', 18, 'connect_amazon');
INSERT INTO public.auth_permission VALUES (74, 'Can refresh a connection''s token', 18, 'refresh_connection');
INSERT INTO public.auth_permission VALUES (75, 'Can disconnect a connection', 18, 'disconnect_connection');
INSERT INTO public.auth_permission VALUES (76, 'Can ask for a connection''s access token', 18, 'use_access_token');
INSERT INTO public.auth_permission VALUES (77, 'Can see everybody''s connections', 18, 'view_all_connections');
INSERT INTO public.auth_permission VALUES (78, 'Can add authorization attempt', 19, 'add_authorizationattempt');
INSERT INTO public.auth_permission VALUES (79, 'Can change authorization attempt', 19, 'change_authorizationattempt');
INSERT INTO public.auth_permission VALUES (80, 'Can delete authorization attempt', 19, 'delete_authorizationattempt');
INSERT INTO public.auth_permission VALUES (81, 'Can view authorization attempt', 19, 'view_authorizationattempt');
INSERT INTO public.auth_permission VALUES (82, 'Can add alert', 20, 'add_alert');
INSERT INTO public.auth_permission VALUES (83, 'Can change alert', 20, 'change_alert');
INSERT INTO public.auth_permission VALUES (84, 'Can delete alert', 20, 'delete_alert');
INSERT INTO public.auth_permission VALUES (85, 'Can view alert', 20, 'view_alert');
INSERT INTO public.auth_permission VALUES (86, 'Can add access token request', 21, 'add_accesstokenrequest');
INSERT INTO public.auth_permission VALUES (87, 'Can change access token request', 21, 'change_accesstokenrequest');
INSERT INTO public.auth_permission VALUES (88, 'Can delete access token request', 21, 'delete_accesstokenrequest');
INSERT INTO public.auth_permission VALUES (89, 'Can view access token request', 21, 'view_accesstokenrequest');
INSERT INTO public.auth_permission VALUES (90, 'Can add heartbeat', 22, 'add_heartbeat');
INSERT INTO public.auth_permission VALUES (91, 'Can change heartbeat', 22, 'change_heartbeat');
INSERT INTO public.auth_permission VALUES (92, 'Can delete heartbeat', 22, 'delete_heartbeat');
INSERT INTO public.auth_permission VALUES (93, 'Can view heartbeat', 22, 'view_heartbeat');
INSERT INTO public.auth_permission VALUES (94, 'Can add token refresh', 23, 'add_tokenrefresh');
INSERT INTO public.auth_permission VALUES (95, 'Can change token refresh', 23, 'change_tokenrefresh');
INSERT INTO public.auth_permission VALUES (96, 'Can delete token refresh', 23, 'delete_tokenrefresh');
INSERT INTO public.auth_permission VALUES (97, 'Can view token refresh', 23, 'view_tokenrefresh');
INSERT INTO public.auth_permission VALUES (98, 'Can add account', 24, 'add_account');
INSERT INTO public.auth_permission VALUES (99, 'Can change account', 24, 'change_account');
INSERT INTO public.auth_permission VALUES (100, 'Can delete account', 24, 'delete_account');
INSERT INTO public.auth_permission VALUES (101, 'Can view account', 24, 'view_account');
INSERT INTO public.auth_permission VALUES (102, 'Can sync accounts', 24, 'sync_account');
INSERT INTO public.auth_permission VALUES (103, 'Can disconnect and reconnect accounts', 24, 'disconnect_account');
INSERT INTO public.auth_permission VALUES (104, 'Can change labels and settings of accounts', 24, 'update_account');
INSERT INTO public.auth_permission VALUES (105, 'Can see everybody''s accounts', 24, 'view_all_accounts');
INSERT INTO public.auth_permission VALUES (106, 'Can add account access', 25, 'add_accountaccess');
INSERT INTO public.auth_permission VALUES (107, 'Can change account access', 25, 'change_accountaccess');
INSERT INTO public.auth_permission VALUES (108, 'Can delete account access', 25, 'delete_accountaccess');
INSERT INTO public.auth_permission VALUES (109, 'Can view account access', 25, 'view_accountaccess');
INSERT INTO public.auth_permission VALUES (110, 'Can add account manager', 26, 'add_accountmanager');
INSERT INTO public.auth_permission VALUES (111, 'Can change account manager', 26, 'change_accountmanager');
INSERT INTO public.auth_permission VALUES (112, 'Can delete account manager', 26, 'delete_accountmanager');
INSERT INTO public.auth_permission VALUES (113, 'Can view account manager', 26, 'view_accountmanager');
INSERT INTO public.auth_permission VALUES (114, 'Can add profile', 27, 'add_profile');
INSERT INTO public.auth_permission VALUES (115, 'Can change profile', 27, 'change_profile');
INSERT INTO public.auth_permission VALUES (116, 'Can delete profile', 27, 'delete_profile');
INSERT INTO public.auth_permission VALUES (117, 'Can view profile', 27, 'view_profile');
INSERT INTO public.auth_permission VALUES (118, 'Can add sync run', 28, 'add_syncrun');
INSERT INTO public.auth_permission VALUES (119, 'Can change sync run', 28, 'change_syncrun');
INSERT INTO public.auth_permission VALUES (120, 'Can delete sync run', 28, 'delete_syncrun');
INSERT INTO public.auth_permission VALUES (121, 'Can view sync run', 28, 'view_syncrun');
INSERT INTO public.auth_permission VALUES (122, 'Can add account change', 29, 'add_accountchange');
INSERT INTO public.auth_permission VALUES (123, 'Can change account change', 29, 'change_accountchange');
INSERT INTO public.auth_permission VALUES (124, 'Can delete account change', 29, 'delete_accountchange');
INSERT INTO public.auth_permission VALUES (125, 'Can view account change', 29, 'view_accountchange');
INSERT INTO public.auth_permission VALUES (126, 'Can add batch operation', 30, 'add_batchoperation');
INSERT INTO public.auth_permission VALUES (127, 'Can change batch operation', 30, 'change_batchoperation');
INSERT INTO public.auth_permission VALUES (128, 'Can delete batch operation', 30, 'delete_batchoperation');
INSERT INTO public.auth_permission VALUES (129, 'Can view batch operation', 30, 'view_batchoperation');
INSERT INTO public.auth_permission VALUES (130, 'Can add batch item', 31, 'add_batchitem');
INSERT INTO public.auth_permission VALUES (131, 'Can change batch item', 31, 'change_batchitem');
INSERT INTO public.auth_permission VALUES (132, 'Can delete batch item', 31, 'delete_batchitem');
INSERT INTO public.auth_permission VALUES (133, 'Can view batch item', 31, 'view_batchitem');
INSERT INTO public.auth_permission VALUES (134, 'Can add account search', 32, 'add_accountsearch');
INSERT INTO public.auth_permission VALUES (135, 'Can change account search', 32, 'change_accountsearch');
INSERT INTO public.auth_permission VALUES (136, 'Can delete account search', 32, 'delete_accountsearch');
INSERT INTO public.auth_permission VALUES (137, 'Can view account search', 32, 'view_accountsearch');

INSERT INTO public.auth_user VALUES (1, 'pbkdf2_sha256$1000000$vsTYJU6GTMZJDzwLUINvYS$9yfK9bUtidjj9kO+T03Jo4G0z3v7tv85CfKeMc55e7w=', NULL, false, 'owner', '', '', 'owner@example.test', true, true, '2026-11-28 15:59:03.419748+00');
INSERT INTO public.auth_user VALUES (2, 'pbkdf2_sha256$1000000$7QUeq05fjTPMVdoqOFx1oe$24e72O7xcNYnIxXK4YRg8WdL740rlP6f5mxU+SiuwOE=', NULL, false, 'viewer', '', '', 'viewer@example.test', true, true, '2026-11-28 15:59:07.554093+00');
INSERT INTO public.auth_user VALUES (3, 'pbkdf2_sha256$1000000$aWLUE98ZtF0vqoW8DeJVo6$6paIvA4OuhGqNvdXwWika480n4hsS4lVu601h8PmQq8=', NULL, false, 'operator', '', '', 'operator@example.test', true, true, '2026-11-28 15:59:11.4112+00');
INSERT INTO public.auth_user VALUES (4, 'pbkdf2_sha256$1000000$KEPhuTyq1gKWpGMaKPmXfU$YVHV5LIdmcW74R+Fjit4Mu3T8FfQntA/P8o7kRWjy1o=', NULL, false, 'administrator', '', '', 'administrator@example.test', true, true, '2026-11-28 15:59:17.309423+00');

INSERT INTO public.auth_user_groups VALUES (1, 2, 2);
INSERT INTO public.auth_user_groups VALUES (2, 3, 3);
INSERT INTO public.auth_user_groups VALUES (3, 4, 1);
INSERT INTO public.auth_user_groups VALUES (4, 1, 3);

INSERT INTO public.django_content_type VALUES (1, 'admin', 'logentry');
INSERT INTO public.django_content_type VALUES (2, 'auth', 'permission');
INSERT INTO public.django_content_type VALUES (3, 'auth', 'group');
INSERT INTO public.django_content_type VALUES (4, 'auth', 'user');
INSERT INTO public.django_content_type VALUES (5, 'contenttypes', 'contenttype');
INSERT INTO public.django_content_type VALUES (6, 'sessions', 'session');
INSERT INTO public.django_content_type VALUES (7, 'knox', 'authtoken');
INSERT INTO public.django_content_type VALUES (8, 'django_apscheduler', 'djangojob');
INSERT INTO public.django_content_type VALUES (9, 'django_apscheduler', 'djangojobexecution');
INSERT INTO public.django_content_type VALUES (10, 'procrastinate', 'procrastinateevent');
INSERT INTO public.django_content_type VALUES (11, 'procrastinate', 'procrastinatejob');
INSERT INTO public.django_content_type VALUES (12, 'procrastinate', 'procrastinateperiodicdefer');
INSERT INTO public.django_content_type VALUES (13, 'procrastinate', 'procrastinateworker');
INSERT INTO public.django_content_type VALUES (14, 'amazon_ads', 'applicationrefusal');
INSERT INTO public.django_content_type VALUES (15, 'amazon_ads', 'ratelimit');
INSERT INTO public.django_content_type VALUES (16, 'amazon_ads', 'parkedlogin');
INSERT INTO public.django_content_type VALUES (17, 'amazon_ads', 'ratelimithour');
INSERT INTO public.django_content_type VALUES (18, 'tokens', 'connection');
INSERT INTO public.django_content_type VALUES (19, 'tokens', 'authorizationattempt');
INSERT INTO public.django_content_type VALUES (20, 'tokens', 'alert');
INSERT INTO public.django_content_type VALUES (21, 'tokens', 'accesstokenrequest');
INSERT INTO public.django_content_type VALUES (22, 'tokens', 'heartbeat');
INSERT INTO public.django_content_type VALUES (23, 'tokens', 'tokenrefresh');
INSERT INTO public.django_content_type VALUES (24, 'accounts', 'account');
INSERT INTO public.django_content_type VALUES (25, 'accounts', 'accountaccess');
INSERT INTO public.django_content_type VALUES (26, 'accounts', 'accountmanager');
INSERT INTO public.django_content_type VALUES (27, 'accounts', 'profile');
INSERT INTO public.django_content_type VALUES (28, 'accounts', 'syncrun');
INSERT INTO public.django_content_type VALUES (29, 'accounts', 'accountchange');
INSERT INTO public.django_content_type VALUES (30, 'accounts', 'batchoperation');
INSERT INTO public.django_content_type VALUES (31, 'accounts', 'batchitem');
INSERT INTO public.django_content_type VALUES (32, 'accounts', 'accountsearch');

INSERT INTO public.django_migrations VALUES (1, 'contenttypes', '0001_initial', '2026-11-28 15:58:23.715988+00');
INSERT INTO public.django_migrations VALUES (2, 'auth', '0001_initial', '2026-11-28 15:58:24.546823+00');
INSERT INTO public.django_migrations VALUES (3, 'tokens', '0001_initial', '2026-11-28 15:58:30.175303+00');
INSERT INTO public.django_migrations VALUES (4, 'tokens', '0002_disconnected_by', '2026-11-28 15:58:30.32332+00');
INSERT INTO public.django_migrations VALUES (5, 'tokens', '0003_alert_of_suspended_accounts', '2026-11-28 15:58:30.404374+00');
INSERT INTO public.django_migrations VALUES (6, 'tokens', '0004_left_fresh', '2026-11-28 15:58:30.565063+00');
INSERT INTO public.django_migrations VALUES (7, 'tokens', '0005_plural_names', '2026-11-28 15:58:30.649416+00');
INSERT INTO public.django_migrations VALUES (8, 'accounts', '0001_initial', '2026-11-28 15:58:41.579795+00');
INSERT INTO public.django_migrations VALUES (9, 'accounts', '0002_staging_and_changes', '2026-11-28 15:58:41.666419+00');
INSERT INTO public.django_migrations VALUES (10, 'accounts', '0003_batch_operations', '2026-11-28 15:58:44.031249+00');
INSERT INTO public.django_migrations VALUES (11, 'accounts', '0004_search', '2026-11-28 15:58:44.982431+00');
INSERT INTO public.django_migrations VALUES (12, 'accounts', '0005_list_indexes', '2026-11-28 15:58:47.297804+00');
INSERT INTO public.django_migrations VALUES (13, 'accounts', '0006_staged_chunk', '2026-11-28 15:58:47.336807+00');
INSERT INTO public.django_migrations VALUES (14, 'accounts', '0007_staged_of', '2026-11-28 15:58:47.38288+00');
INSERT INTO public.django_migrations VALUES (15, 'accounts', '0008_plural_names', '2026-11-28 15:58:47.746232+00');
INSERT INTO public.django_migrations VALUES (16, 'accounts', '0009_status_and_type', '2026-11-28 15:58:48.434495+00');
INSERT INTO public.django_migrations VALUES (17, 'accounts', '0010_appeared', '2026-11-28 15:58:48.490323+00');
INSERT INTO public.django_migrations VALUES (18, 'accounts', '0011_changed_by', '2026-11-28 15:58:48.899166+00');
INSERT INTO public.django_migrations VALUES (19, 'admin', '0001_initial', '2026-11-28 15:58:49.402386+00');
INSERT INTO public.django_migrations VALUES (20, 'admin', '0002_logentry_remove_auto_add', '2026-11-28 15:58:49.624326+00');
INSERT INTO public.django_migrations VALUES (21, 'admin', '0003_logentry_add_action_flag_choices', '2026-11-28 15:58:49.901673+00');
INSERT INTO public.django_migrations VALUES (22, 'amazon_ads', '0001_initial', '2026-11-28 15:58:50.271004+00');
INSERT INTO public.django_migrations VALUES (23, 'amazon_ads', '0002_reserve', '2026-11-28 15:58:50.348177+00');
INSERT INTO public.django_migrations VALUES (24, 'amazon_ads', '0003_application_probe', '2026-11-28 15:58:50.439841+00');
INSERT INTO public.django_migrations VALUES (25, 'contenttypes', '0002_remove_content_type_name', '2026-11-28 15:58:52.927744+00');
INSERT INTO public.django_migrations VALUES (26, 'auth', '0002_alter_permission_name_max_length', '2026-11-28 15:58:53.20626+00');
INSERT INTO public.django_migrations VALUES (27, 'auth', '0003_alter_user_email_max_length', '2026-11-28 15:58:53.30999+00');
INSERT INTO public.django_migrations VALUES (28, 'auth', '0004_alter_user_username_opts', '2026-11-28 15:58:53.632313+00');
INSERT INTO public.django_migrations VALUES (29, 'auth', '0005_alter_user_last_login_null', '2026-11-28 15:58:53.783252+00');
INSERT INTO public.django_migrations VALUES (30, 'auth', '0006_require_contenttypes_0002', '2026-11-28 15:58:53.78793+00');
INSERT INTO public.django_migrations VALUES (31, 'auth', '0007_alter_validators_add_error_messages', '2026-11-28 15:58:53.93162+00');
INSERT INTO public.django_migrations VALUES (32, 'auth', '0008_alter_user_username_max_length', '2026-11-28 15:58:54.061263+00');
INSERT INTO public.django_migrations VALUES (33, 'auth', '0009_alter_user_last_name_max_length', '2026-11-28 15:58:54.098634+00');
INSERT INTO public.django_migrations VALUES (34, 'auth', '0010_alter_group_name_max_length', '2026-11-28 15:58:54.391194+00');
INSERT INTO public.django_migrations VALUES (35, 'auth', '0011_update_proxy_permissions', '2026-11-28 15:58:54.681159+00');
INSERT INTO public.django_migrations VALUES (36, 'auth', '0012_alter_user_first_name_max_length', '2026-11-28 15:58:54.890586+00');
INSERT INTO public.django_migrations VALUES (37, 'django_apscheduler', '0001_initial', '2026-11-28 15:58:54.955449+00');
INSERT INTO public.django_migrations VALUES (38, 'django_apscheduler', '0002_auto_20180412_0758', '2026-11-28 15:58:54.976348+00');
INSERT INTO public.django_migrations VALUES (39, 'django_apscheduler', '0003_auto_20200716_1632', '2026-11-28 15:58:55.341661+00');
INSERT INTO public.django_migrations VALUES (40, 'django_apscheduler', '0004_auto_20200717_1043', '2026-11-28 15:58:55.566033+00');
INSERT INTO public.django_migrations VALUES (41, 'django_apscheduler', '0005_migrate_name_to_id', '2026-11-28 15:58:56.301606+00');
INSERT INTO public.django_migrations VALUES (42, 'django_apscheduler', '0006_remove_djangojob_name', '2026-11-28 15:58:56.445032+00');
INSERT INTO public.django_migrations VALUES (43, 'django_apscheduler', '0007_auto_20200717_1404', '2026-11-28 15:58:56.49813+00');
INSERT INTO public.django_migrations VALUES (44, 'django_apscheduler', '0008_remove_djangojobexecution_started', '2026-11-28 15:58:56.562622+00');
INSERT INTO public.django_migrations VALUES (45, 'django_apscheduler', '0009_djangojobexecution_unique_job_executions', '2026-11-28 15:58:56.610476+00');
INSERT INTO public.django_migrations VALUES (46, 'knox', '0001_initial', '2026-11-28 15:58:57.04915+00');
INSERT INTO public.django_migrations VALUES (47, 'knox', '0002_auto_20150916_1425', '2026-11-28 15:58:57.450648+00');
INSERT INTO public.django_migrations VALUES (48, 'knox', '0003_auto_20150916_1526', '2026-11-28 15:58:58.013068+00');
INSERT INTO public.django_migrations VALUES (49, 'knox', '0004_authtoken_expires', '2026-11-28 15:58:58.266432+00');
INSERT INTO public.django_migrations VALUES (50, 'knox', '0005_authtoken_token_key', '2026-11-28 15:58:58.51653+00');
INSERT INTO public.django_migrations VALUES (51, 'knox', '0006_auto_20160818_0932', '2026-11-28 15:58:59.164128+00');
INSERT INTO public.django_migrations VALUES (52, 'knox', '0007_auto_20190111_0542', '2026-11-28 15:58:59.395243+00');
INSERT INTO public.django_migrations VALUES (53, 'knox', '0008_remove_authtoken_salt', '2026-11-28 15:58:59.583698+00');
INSERT INTO public.django_migrations VALUES (54, 'knox', '0009_extend_authtoken_field', '2026-11-28 15:58:59.898417+00');
INSERT INTO public.django_migrations VALUES (55, 'procrastinate', '0001_initial', '2026-11-28 15:59:00.002361+00');
INSERT INTO public.django_migrations VALUES (56, 'procrastinate', '0002_drop_started_at_column', '2026-11-28 15:59:00.054317+00');
INSERT INTO public.django_migrations VALUES (57, 'procrastinate', '0003_drop_started_at_column', '2026-11-28 15:59:00.089859+00');
INSERT INTO public.django_migrations VALUES (58, 'procrastinate', '0004_drop_procrastinate_version_table', '2026-11-28 15:59:00.120161+00');
INSERT INTO public.django_migrations VALUES (59, 'procrastinate', '0005_fix_procrastinate_fetch_job', '2026-11-28 15:59:00.146912+00');
INSERT INTO public.django_migrations VALUES (60, 'procrastinate', '0006_fix_trigger_status_events_insert', '2026-11-28 15:59:00.159732+00');
INSERT INTO public.django_migrations VALUES (61, 'procrastinate', '0007_add_queueing_lock_column', '2026-11-28 15:59:00.175771+00');
INSERT INTO public.django_migrations VALUES (62, 'procrastinate', '0008_close_fetch_job_race_condition', '2026-11-28 15:59:00.19585+00');
INSERT INTO public.django_migrations VALUES (63, 'procrastinate', '0009_add_defer_job_function', '2026-11-28 15:59:00.218275+00');
INSERT INTO public.django_migrations VALUES (64, 'procrastinate', '0010_add_procrastinate_periodic_defers', '2026-11-28 15:59:00.255623+00');
INSERT INTO public.django_migrations VALUES (65, 'procrastinate', '0011_add_foreign_key_index', '2026-11-28 15:59:00.28594+00');
INSERT INTO public.django_migrations VALUES (66, 'procrastinate', '0012_add_locks_to_periodic_defer', '2026-11-28 15:59:00.310138+00');
INSERT INTO public.django_migrations VALUES (67, 'procrastinate', '0013_fix_procrastinate_defer_periodic_job', '2026-11-28 15:59:00.337607+00');
INSERT INTO public.django_migrations VALUES (68, 'procrastinate', '0014_add_finish_job_and_retry_job_functions', '2026-11-28 15:59:00.359725+00');
INSERT INTO public.django_migrations VALUES (69, 'procrastinate', '0015_add_trigger_on_job_deletion', '2026-11-28 15:59:00.382442+00');
INSERT INTO public.django_migrations VALUES (70, 'procrastinate', '0016_delete_finished_jobs', '2026-11-28 15:59:00.398681+00');
INSERT INTO public.django_migrations VALUES (71, 'procrastinate', '0017_add_checks_to_finish_job', '2026-11-28 15:59:00.417323+00');
INSERT INTO public.django_migrations VALUES (72, 'procrastinate', '0018_add_checks_to_retry_job', '2026-11-28 15:59:00.442186+00');
INSERT INTO public.django_migrations VALUES (73, 'procrastinate', '0019_fix_finish_job_compat_issue', '2026-11-28 15:59:00.467803+00');
INSERT INTO public.django_migrations VALUES (74, 'procrastinate', '0020_add_index_on_procrastinate_jobs', '2026-11-28 15:59:00.486333+00');
INSERT INTO public.django_migrations VALUES (75, 'procrastinate', '0021_add_kwargs_to_defer_periodic_job', '2026-11-28 15:59:00.490657+00');
INSERT INTO public.django_migrations VALUES (76, 'procrastinate', '0022_null_locks_excluded', '2026-11-28 15:59:00.514217+00');
INSERT INTO public.django_migrations VALUES (77, 'procrastinate', '0023_remove_old_finish_job_function', '2026-11-28 15:59:00.524158+00');
INSERT INTO public.django_migrations VALUES (78, 'procrastinate', '0024_job_id_bigint', '2026-11-28 15:59:00.554282+00');
INSERT INTO public.django_migrations VALUES (79, 'procrastinate', '0025_add_models', '2026-11-28 15:59:00.589805+00');
INSERT INTO public.django_migrations VALUES (80, 'procrastinate', '0026_add_job_priority', '2026-11-28 15:59:00.667557+00');
INSERT INTO public.django_migrations VALUES (81, 'procrastinate', '0027_add_periodic_job_priority', '2026-11-28 15:59:00.715859+00');
INSERT INTO public.django_migrations VALUES (82, 'procrastinate', '0028_add_cancel_states', '2026-11-28 15:59:00.729668+00');
INSERT INTO public.django_migrations VALUES (83, 'procrastinate', '0029_add_additional_params_to_retry_job', '2026-11-28 15:59:00.794975+00');
INSERT INTO public.django_migrations VALUES (84, 'procrastinate', '0030_alter_procrastinateevent_options', '2026-11-28 15:59:00.836132+00');
INSERT INTO public.django_migrations VALUES (85, 'procrastinate', '0031_add_indexes_for_fetch_job', '2026-11-28 15:59:00.867993+00');
INSERT INTO public.django_migrations VALUES (86, 'procrastinate', '0032_pre_cancel_notification', '2026-11-28 15:59:00.908462+00');
INSERT INTO public.django_migrations VALUES (87, 'procrastinate', '0033_post_cancel_notification', '2026-11-28 15:59:00.979914+00');
INSERT INTO public.django_migrations VALUES (88, 'procrastinate', '0034_pre_add_heartbeat', '2026-11-28 15:59:01.058799+00');
INSERT INTO public.django_migrations VALUES (89, 'procrastinate', '0035_post_add_heartbeat', '2026-11-28 15:59:01.100063+00');
INSERT INTO public.django_migrations VALUES (90, 'procrastinate', '0036_add_worker_model', '2026-11-28 15:59:01.13707+00');
INSERT INTO public.django_migrations VALUES (91, 'procrastinate', '0037_pre_batch_defer_jobs', '2026-11-28 15:59:01.163197+00');
INSERT INTO public.django_migrations VALUES (92, 'procrastinate', '0038_post_batch_defer_jobs', '2026-11-28 15:59:01.195557+00');
INSERT INTO public.django_migrations VALUES (93, 'procrastinate', '0039_pre_priority_lock_fetch_job', '2026-11-28 15:59:01.204773+00');
INSERT INTO public.django_migrations VALUES (94, 'procrastinate', '0040_pre_retry_failed_job', '2026-11-28 15:59:01.273598+00');
INSERT INTO public.django_migrations VALUES (95, 'procrastinate', '0041_post_retry_failed_job', '2026-11-28 15:59:01.289558+00');
INSERT INTO public.django_migrations VALUES (96, 'sessions', '0001_initial', '2026-11-28 15:59:01.370238+00');
INSERT INTO public.django_migrations VALUES (97, 'tokens', '0006_alert_addresses', '2026-11-28 15:59:01.715177+00');
INSERT INTO public.django_migrations VALUES (98, 'tokens', '0007_unread_lists', '2026-11-28 15:59:01.827162+00');

INSERT INTO public.knox_authtoken VALUES ('4524ddd7d1d3d48862dc486d1aeb65d1f940d18953be29cfcc0ba730e9f59f731cd487fe1888db314aa37524e2e345ba01fe2830462e06d4832eda196a30b0bb', '2026-11-28 15:59:11.407163+00', 2, '2027-02-26 15:59:11.406744+00', '2409a2bea29137f');
INSERT INTO public.knox_authtoken VALUES ('a5cbb16a2e96c1724d534957a0bbd39f3672ae922493a1f1e620ac18e0540b03b346d33a4b2d8a1a9495b2fdb21044bc4a61cd5d3482d4aeca4a1061ec10db1a', '2026-11-28 15:59:17.308812+00', 3, '2027-02-26 15:59:17.308575+00', 'd5f5e1a3bd543a7');
INSERT INTO public.knox_authtoken VALUES ('ef6969f4c03bc2b0e8399d4c31f6951421713b3c54adbee911f7b0f76dd980d445cef8030985ad8c1fa64141b56c01d4801cb6a99ea3d8331cf700756c760e9e', '2026-11-28 15:59:21.312259+00', 4, '2027-02-26 15:59:21.311992+00', '50c0da96a8ea669');

INSERT INTO public.procrastinate_events VALUES (1, 1, 'deferred', '2026-11-28 15:59:21.398888+00');
INSERT INTO public.procrastinate_events VALUES (2, 2, 'deferred', '2026-11-28 15:59:24.193938+00');
INSERT INTO public.procrastinate_events VALUES (3, 3, 'deferred', '2026-11-28 15:59:25.565528+00');
INSERT INTO public.procrastinate_events VALUES (4, 4, 'deferred', '2026-11-28 15:59:26.067855+00');
INSERT INTO public.procrastinate_events VALUES (5, 5, 'deferred', '2026-11-28 15:59:26.134943+00');

INSERT INTO public.procrastinate_jobs VALUES (1, 'sync', 'accounts.run_sync', NULL, '{"run_id": "01a222e1-ed37-762c-8f16-658279564e0d"}', 'todo', NULL, 0, 'accounts.run_sync:01a222e1-ed37-762c-8f16-658279564e0d', 0, false, NULL);
INSERT INTO public.procrastinate_jobs VALUES (2, 'sync', 'accounts.run_sync', NULL, '{"run_id": "01a222e1-f84a-76a6-89f5-d26c327caef2"}', 'todo', NULL, 0, 'accounts.run_sync:01a222e1-f84a-76a6-89f5-d26c327caef2', 0, false, NULL);
INSERT INTO public.procrastinate_jobs VALUES (3, 'batch', 'accounts.run_batch', NULL, '{"batch_id": "01a222e1-fd7a-7289-849d-1d07d4e14210"}', 'todo', NULL, 0, 'accounts.run_batch:01a222e1-fd7a-7289-849d-1d07d4e14210', 0, false, NULL);
INSERT INTO public.procrastinate_jobs VALUES (4, 'batch', 'accounts.run_batch', NULL, '{"batch_id": "01a222e1-ff72-7685-8722-644a1b9e1ca7"}', 'todo', NULL, 0, 'accounts.run_batch:01a222e1-ff72-7685-8722-644a1b9e1ca7', 0, false, NULL);
INSERT INTO public.procrastinate_jobs VALUES (5, 'sync', 'accounts.run_sync', NULL, '{"run_id": "01a222e1-ffbd-72bd-bd63-ddb577829de0"}', 'todo', NULL, 0, 'accounts.run_sync:01a222e1-ffbd-72bd-bd63-ddb577829de0', 0, false, NULL);

INSERT INTO public.tokens_connection VALUES ('01a222e1-ed12-74ec-bbc3-bb21a470896c', 'Login of alice', 'amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8', '{NA,EU,FE}', 'active', NULL, '', '', 'gAAAAABrCvpa43WDT1cghKgz-cvEAPK8FTvr5rEsw7zatBbcSawRiUkHBMo6rX3qDpMc9ZKHkQtBNoxwEdqEq2VFbK_ILIWX3TK1v1xnqhY2uzQaYYyCFuERpypBAs8F-mtvJ3C4jg7DYfYBKnQqxLpwcuj6ZXzoYA-4e4qM2fmZvDvlQJ30hW_HB0DVRNM8XRzuxmvj3DTtASYAhas0ms4qBIBcXROXfruZuoKtQyQc1y2fjZAqTuZIFmwNF4Tvq0ntO046g05iXiImarCZSmCFuIghJU-WbWuma7yKQU6PIG_9wRIymlBpjtJ30ypYP4fBvkVDv_WbuaeBPQA2GsrNOGINHe3ci2IReUJ1UayFj1IknZNQ0zh6Gz-HzvXBlbe9k53v5papEk7Q7rdbWZK8ATV8rc4lttc-dNBFPrfh0ozauI2BJ3vzfZl7zEpz8-10BXfOvmUPquG7XUKmmfZqwL-eNXQOfz26zfE0krV1Qd7kZFQMkrhwq77Xw5SkXMyhFjHTQ0vgIVatgXnG59TFuPAvzkCcXQoXCCTnXGqbu4SjAJ47U0ATdFhVFbXcfp3mIEO3-Ww55oVlIpVl4dBSSYlVHh6CjHiXFIEpiv3fSsojseuH6fg=', 'gAAAAABrCvpaT1Ke2ubKr7o_V3WcDHltwC5ssu2rcwcnW0EUvZ39Jru2-ex9UofqVI_p53c8GoDQPo8F8XRaE2qm48naZUREx-lnAsHEtahpd1AT6lSqvnTNOFGJ0X7Ar1HXQJ2SBnikh73M1Zg5jyFanFvQccEPMH2IuWEYXbgCdHKIE-pazq1oQXZYFKp4kMU3GDVWeU4SrxR2-Z4CeWgcc5WeY_pTYM5FS0fW_hzFPJZpbz2RE9YucIg-380tU5Lg2_nBmXTcgtlyInZzV41e_Bzrf9KZoj05NT7mjaw1S5sQQuaS5K8eFiOt5c2hsCv9YAJPPWhE3sFdOd1lqajwheXuy4Ksk5gOXUpQnxjIqhlFbsSDFCZpBnd5ZLGYtcTXcCpxbf-z62YXbBNrcX777MTwAPUl1I9gFrhJm9b3MMwqgRsfOarLamKTOQ8RII0Mcge228ioWAjxV5mMcYpfklr-1gOEFRmvw9SbL_IieGHdq72yU6oGDhc88nhHRnS6XXonj8ldGfaJlfWRpBvb7iahH1mv0vg_2kegbfl7LvlQb7eTRTGJ2EMcsrpjLaSWVtLu5ds3xkG6MAPSke-0B_otQzF-oc5T0KJww7pAFkGGFVCWoyxwnBsDp1p9Oj9axqzZH-XP', '2026-11-28 16:59:21.853984+00', NULL, 1, 0, '2026-11-28 16:48:37.329321+00', NULL, 1, '2026-11-28 15:59:22.077277+00', '', NULL, '2026-11-28 15:59:23.973464+00', '2026-11-28 16:16:42.073254+00', 0, '', '2026-11-28 15:59:21.364134+00', NULL, 1, NULL, '{}');
INSERT INTO public.tokens_connection VALUES ('01a222e1-f7e3-70a9-b84b-486cbaa656cc', 'Login of bob', 'amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8', '{NA,EU,FE}', 'active', NULL, '', '', 'gAAAAABrCvpcnAoxSSujm17ZmXIbtrJCJJv6Ah4MTPB6EOd35P1hNauuwAz7tk0ziI25AY--_ZV46VjooUbd7bPO1axOrnYtuI-gdzZaSes_h5L2jnDwGwHc0ZcidbE_Hhru67p6Da416DcaHjdlUpkXLRiUh3fXkjOn7iC-nX4rh2jKhCXwuV3Vb_IFtGtyXJbL2pbc8NZUfDqSvNmba_N9WCVnxldZ2ghwWQRwZOQdCwO5WsyMjdaGzZ4NhgU957bTrVDoO7lh3kmjH3Nm8Apb_kALZhxbu2gxPuyRnXN5YuAI19cjyOKVQOK0huoF1Zl7UY_BsGDCCqlZnocv72DozrkDvHGIdq1Ezyik-HTNoriT83koHzrnmDbFtWGEV8XMi1gjcM9-MtCOntc0xzV70Hnsf7MNw3X8tbBZXKpcwif-ah6Xk9Lumudcx4tP3P2V5oQ6ChuScZIowKJRg3PKWtgMGTWnYx_WawFwgN364B4aI4N59c7Dq-inyhSxrEKSgsTGlJF4srLrQ988gSBimyGK_f-LCIvKN11dncH0jno27wYsR2wcLmeoK03jyupCotYGSJqF_Wcy2f4KCL8jbAMsjS5YeA==', 'gAAAAABrCvpcu_4rh9SKk6sFDVGb4pC3O66wJM9CPvnQ1IRWwqvJX46lhF4tU5s9pDl5sZ1Jh0ppjffPN-RsRbr_-rq2NNjFDbcCFyFTdMQ6gJrdQDvrr670QPekSl3nXy0teVZUoGYZZtcOpP5nkpgT3YJa3X-VE6Pr2ESiziHG2wTrzn0QuA5nlRPjqVGN9W79IoOs4E-Gmhtgb87d5Bp2x0cTUccZhwm6OKAG2Qzrr-FtGZGY60hnfT73wGlwEoXMclDFgsOjzxREDsPH8a-IKpSKIkh47ghmPx7d3jtTOlIt7JwrIYmvYixo-LzNx3TdG7NQWe1neZPUamnQjcgpf4O4Zsma55YbN-lh99RQGeTdQYT7K_JulCkKcd-dFsb2tWgKesnjxW0smtKsX9sxmMmiCc5JJfAlJyclrWkmuC6PdHrP4ycJdeeICjWCKlcDeTpweHi_Ed46isEv_2ARPN1gDdk5kq_R1FKHrD8djRpPtUhK09BPeI5KS2BroSyCPCQw7RelxYRBiAlPKNbfDs5ka8h7oFgM1f6CXcRhyGyljdyKvSLQ-uImJXdzp7E27qD8oEIBclKrKx5J9pc2RqQplRYmlYGR9U8pNgfDsfni9lGmpLisT6jww2oor7K1GPz72Nls', '2026-11-28 16:59:24.437497+00', NULL, 1, 0, '2026-11-28 16:49:15.887527+00', NULL, 1, '2026-11-28 15:59:24.466981+00', '', NULL, '2026-11-28 15:59:25.169476+00', '2026-11-28 16:25:03.492119+00', 0, '', '2026-11-28 15:59:24.131856+00', NULL, 3, NULL, '{}');
INSERT INTO public.tokens_connection VALUES ('01a222e1-fc42-74b8-beef-01cbe13ad734', 'Login of charlie', 'amzn1.application-oa2-client.5a4d0b0c0d0e4f5061728394a5b6c7d8', '{NA,EU,FE}', 'disconnected', NULL, '', '', NULL, NULL, NULL, NULL, 1, 0, NULL, NULL, 0, NULL, '', NULL, NULL, NULL, 0, '', '2026-11-28 15:59:25.251038+00', '2026-11-28 15:59:25.332152+00', 3, 4, '{}');

INSERT INTO public.tokens_tokenrefresh VALUES ('f1353227-c6ca-440b-99d5-e91d6515be0e', 1, 'on_use', 1, '2026-11-28 15:59:21.834175+00', '2026-11-28 15:59:22.077475+00', 'succeeded', '', '', '230134b8-83fb-48f7-a1a2-5a2e04bf7478', '2026-11-28 16:59:21.853984+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', true);
INSERT INTO public.tokens_tokenrefresh VALUES ('1da6f321-d5c2-44c8-8336-001e2e80afe0', 1, 'on_use', 1, '2026-11-28 15:59:24.432291+00', '2026-11-28 15:59:24.467752+00', 'succeeded', '', '', 'f895b67e-daec-482b-aa47-7a7af6b5de10', '2026-11-28 16:59:24.437497+00', '01a222e1-f7e3-70a9-b84b-486cbaa656cc', true);

INSERT INTO public.user_accounts VALUES ('01a222e1-f042-7719-8539-7ca94f775571', 'amzn1.ads-account.g.2ncxgp50vijudhzamtzpsv7v4', 'ads_accounts', 'Nordwind Living', 'seller', 'pending', NULL, 'PARTIALLY_CREATED', '{CA,MX}', '{"MX": [{"errorId": 1, "errorCode": "INELIGIBLE", "errorMessage": "The account could not be created in this country."}]}', '{"errors": {"MX": [{"errorId": 1, "errorCode": "INELIGIBLE", "errorMessage": "The account could not be created in this country."}]}, "status": "PARTIALLY_CREATED", "profiles": [{"timezone": "America/Los_Angeles", "profileId": 1140478936717304, "accountInfo": {"id": "AR1LJFMGVR6FEO", "name": "Nordwind Living", "type": "seller", "marketplaceStringId": "A2EUQ1WTGCTBG2"}, "countryCode": "CA", "dailyBudget": 999999999.0, "currencyCode": "CAD"}], "accountName": "Nordwind Living", "adsAccountId": "amzn1.ads-account.g.2ncxgp50vijudhzamtzpsv7v4", "alternateIds": [{"profileId": 1140478936717304, "countryCode": "CA"}, {"entityId": "ENTITYGTOIF8FIHUL32", "countryCode": "CA"}], "countryCodes": ["CA", "MX"]}', '{}', false, true, '2026-11-28 15:59:23.325954+00', '2026-11-28 15:59:23.325954+00', NULL, '2026-11-28 15:59:23.325954+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f042-7719-8539-7cab95b1d980', 'amzn1.ads-account.g.4u6aa6xnooufr63vqqvatm62o', 'ads_accounts', 'Nordwind Disabled', 'unknown', 'suspended', NULL, 'DISABLED', '{IN}', '{}', '{"status": "DISABLED", "accountName": "Nordwind Disabled", "adsAccountId": "amzn1.ads-account.g.4u6aa6xnooufr63vqqvatm62o", "alternateIds": [], "countryCodes": ["IN"]}', '{}', false, true, '2026-11-28 15:59:23.325954+00', '2026-11-28 15:59:23.325954+00', NULL, '2026-11-28 15:59:23.325954+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f042-7719-8539-7ca76565aa2a', 'amzn1.ads-account.g.rpczayanjm3susgm0q29pc9kh', 'ads_accounts', 'Nordwind Outdoor', 'seller', 'active', NULL, 'CREATED', '{DE,UK,US}', '{}', '{"status": "CREATED", "profiles": [{"timezone": "America/Los_Angeles", "profileId": 5044813951074308, "accountInfo": {"id": "A8DQBWU3PU4A9Z", "name": "Nordwind Outdoor", "type": "seller", "marketplaceStringId": "ATVPDKIKX0DER"}, "countryCode": "US", "dailyBudget": 25.0, "currencyCode": "USD"}, {"timezone": "Europe/Paris", "profileId": 9174314552609285, "accountInfo": {"id": "A8DQBWU3PU4A9Z", "name": "Nordwind Outdoor", "type": "seller", "marketplaceStringId": "A1PA6795UKMFR9"}, "countryCode": "DE", "dailyBudget": 1200.5, "currencyCode": "EUR"}, {"timezone": "Europe/London", "profileId": 94193234733243626, "accountInfo": {"id": "A8DQBWU3PU4A9Z", "name": "Nordwind Outdoor", "type": "seller", "marketplaceStringId": "A1F83G8C2ARO7P"}, "countryCode": "UK", "dailyBudget": 25.0, "currencyCode": "GBP"}], "accountName": "Nordwind Outdoor", "adsAccountId": "amzn1.ads-account.g.rpczayanjm3susgm0q29pc9kh", "alternateIds": [{"entityId": "ENTITYSY2ZD1EIA6IJY", "profileId": 5044813951074308, "countryCode": "US"}, {"entityId": "ENTITYI2QXRXU0SBKJ3", "profileId": 94193234733243626, "countryCode": "UK"}, {"entityId": "ENTITY9ZZLHSUOS16NT", "profileId": 9174314552609285, "countryCode": "DE"}], "countryCodes": ["US", "UK", "DE"]}', '{}', false, true, '2026-11-28 15:59:23.325954+00', '2026-11-28 15:59:23.325954+00', NULL, '2026-11-28 15:59:23.325954+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f042-7719-8539-7ca808db3435', 'amzn1.ads-account.g.rsqwel4ctqmst15o9m27qwcbd', 'ads_accounts', 'Nordwind Vendors', 'vendor', 'active', NULL, 'CREATED', '{JP}', '{}', '{"status": "CREATED", "profiles": [{"timezone": "Asia/Tokyo", "profileId": 36307620585456034, "accountInfo": {"id": "ENTITYWO29IEK171WY9", "name": "Nordwind Vendors", "type": "vendor", "validPaymentMethod": true, "marketplaceStringId": "A1VC38T7YXB528"}, "countryCode": "JP", "currencyCode": "JPY"}], "accountName": "Nordwind Vendors", "adsAccountId": "amzn1.ads-account.g.rsqwel4ctqmst15o9m27qwcbd", "alternateIds": [{"profileId": 36307620585456034, "countryCode": "JP"}, {"entityId": "ENTITY50YKXI4NXZ9T7", "countryCode": "JP"}], "countryCodes": ["JP"]}', '{}', false, true, '2026-11-28 15:59:23.325954+00', '2026-11-28 15:59:23.325954+00', NULL, '2026-11-28 15:59:23.325954+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f042-7719-8539-7caa0b44844b', 'amzn1.ads-account.g.vr4m8qenp0mtyflyjtkrlpm7n', 'ads_accounts', 'Nordwind Pending', 'unknown', 'pending', NULL, 'PENDING', '{AU}', '{}', '{"status": "PENDING", "accountName": "Nordwind Pending", "adsAccountId": "amzn1.ads-account.g.vr4m8qenp0mtyflyjtkrlpm7n", "alternateIds": [], "countryCodes": ["AU"]}', '{}', false, true, '2026-11-28 15:59:23.325954+00', '2026-11-28 15:59:23.325954+00', NULL, '2026-11-28 15:59:23.325954+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f462-70a9-a991-957cc841917e', 'AFWJGBMZL1ACP8', 'profiles', 'Profile alone', 'seller', 'active', NULL, NULL, '{ES}', '{}', '{"profiles": [{"timezone": "Europe/Paris", "profileId": 515917816977401, "accountInfo": {"id": "AFWJGBMZL1ACP8", "name": "Profile alone", "type": "seller", "marketplaceStringId": "A1RKKUPIHCS9HS"}, "countryCode": "ES", "dailyBudget": 0.0, "currencyCode": "EUR"}]}', '{}', false, true, '2026-11-28 15:59:23.496036+00', '2026-11-28 15:59:23.496036+00', NULL, '2026-11-28 15:59:23.496036+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f4fc-71d6-9770-cb043ebdd3d7', '6703330930503', 'dsp_advertisers', 'Nordwind DSP advertiser 3', 'advertiser', 'active', NULL, NULL, '{US}', '{}', '{"url": "www.nordwinddspadvertiser3.example", "name": "Nordwind DSP advertiser 3", "country": "US", "currency": "USD", "timezone": "America/New_York", "advertiserId": "6703330930503"}', '{}', false, true, '2026-11-28 15:59:23.579678+00', '2026-11-28 15:59:23.579678+00', NULL, '2026-11-28 15:59:23.579678+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', '01a222e1-f438-7133-8ee7-45efcfeda1c1', 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f438-7133-8ee7-45efcfeda1c1', 'ENTITYYNEGCE9E6MEQ0', 'profiles', 'Nordwind DSP', 'agency', 'active', NULL, NULL, '{US}', '{}', '{"profiles": [{"timezone": "America/Los_Angeles", "profileId": 3874553001050406, "accountInfo": {"id": "ENTITYYNEGCE9E6MEQ0", "name": "Nordwind DSP", "type": "agency", "marketplaceStringId": "ATVPDKIKX0DER"}, "countryCode": "US", "currencyCode": "USD"}]}', '{"team": "north"}', false, true, '2026-11-28 15:59:23.430034+00', '2026-11-28 15:59:23.430034+00', NULL, '2026-11-28 15:59:25.666322+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f4fc-71d6-9770-cb02712c8465', '2240620910513', 'dsp_advertisers', 'Nordwind DSP advertiser 1', 'advertiser', 'active', NULL, NULL, '{US}', '{}', '{"url": "www.nordwinddspadvertiser1.example", "name": "Nordwind DSP advertiser 1", "country": "US", "currency": "USD", "timezone": "America/New_York", "advertiserId": "2240620910513"}', '{"team": "north"}', false, true, '2026-11-28 15:59:23.579678+00', '2026-11-28 15:59:23.579678+00', NULL, '2026-11-28 15:59:25.66658+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', '01a222e1-f438-7133-8ee7-45efcfeda1c1', 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f46e-758a-9731-71b4271a006f', 'amzn1.ads1.ma1.c1px4h5gvyos3zntj2eizxyzl', 'manager_accounts', 'Nordwind Group', 'manager', 'active', NULL, NULL, '{}', '{}', '{"EU": {"linkedAccounts": [{"accountId": "A8DQBWU3PU4A9Z", "profileId": "94193234733243626", "accountName": "Nordwind Outdoor", "accountType": "SELLER", "marketplaceId": "A1F83G8C2ARO7P", "dspAdvertiserId": ""}, {"accountId": "A8DQBWU3PU4A9Z", "profileId": "9174314552609285", "accountName": "Nordwind Outdoor", "accountType": "SELLER", "marketplaceId": "A1PA6795UKMFR9", "dspAdvertiserId": ""}], "managerAccountId": "amzn1.ads1.ma1.c1px4h5gvyos3zntj2eizxyzl", "managerAccountName": "Nordwind Group"}, "FE": {"linkedAccounts": [], "managerAccountId": "amzn1.ads1.ma1.c1px4h5gvyos3zntj2eizxyzl", "managerAccountName": "Nordwind Group"}, "NA": {"linkedAccounts": [{"accountId": "A8DQBWU3PU4A9Z", "profileId": "5044813951074308", "accountName": "Nordwind Outdoor", "accountType": "SELLER", "marketplaceId": "ATVPDKIKX0DER", "dspAdvertiserId": ""}, {"accountId": "ENTITYYNEGCE9E6MEQ0", "profileId": null, "accountName": "Nordwind DSP advertiser 1", "accountType": "DSP_ADVERTISING_ACCOUNT", "marketplaceId": "ATVPDKIKX0DER", "dspAdvertiserId": "2240620910513"}], "managerAccountId": "amzn1.ads1.ma1.c1px4h5gvyos3zntj2eizxyzl", "managerAccountName": "Nordwind Group"}}', '{}', false, true, '2026-11-28 15:59:23.767842+00', '2026-11-28 15:59:23.767842+00', NULL, '2026-11-28 15:59:23.767842+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', NULL, 1);
INSERT INTO public.user_accounts VALUES ('01a222e1-f9cb-727f-9e0c-b2eda91699b6', 'amzn1.ads-account.g.rpczayanjm3susgm0q29pc9kh', 'ads_accounts', 'Nordwind Outdoor', 'seller', 'active', NULL, 'CREATED', '{DE,UK,US}', '{}', '{"status": "CREATED", "profiles": [{"timezone": "America/Los_Angeles", "profileId": 5044813951074308, "accountInfo": {"id": "A8DQBWU3PU4A9Z", "name": "Nordwind Outdoor", "type": "seller", "marketplaceStringId": "ATVPDKIKX0DER"}, "countryCode": "US", "dailyBudget": 25.0, "currencyCode": "USD"}, {"timezone": "Europe/Paris", "profileId": 9174314552609285, "accountInfo": {"id": "A8DQBWU3PU4A9Z", "name": "Nordwind Outdoor", "type": "seller", "marketplaceStringId": "A1PA6795UKMFR9"}, "countryCode": "DE", "dailyBudget": 1200.5, "currencyCode": "EUR"}, {"timezone": "Europe/London", "profileId": 94193234733243626, "accountInfo": {"id": "A8DQBWU3PU4A9Z", "name": "Nordwind Outdoor", "type": "seller", "marketplaceStringId": "A1F83G8C2ARO7P"}, "countryCode": "UK", "dailyBudget": 25.0, "currencyCode": "GBP"}], "accountName": "Nordwind Outdoor", "adsAccountId": "amzn1.ads-account.g.rpczayanjm3susgm0q29pc9kh", "alternateIds": [{"entityId": "ENTITYSY2ZD1EIA6IJY", "profileId": 5044813951074308, "countryCode": "US"}, {"entityId": "ENTITYI2QXRXU0SBKJ3", "profileId": 94193234733243626, "countryCode": "UK"}, {"entityId": "ENTITY9ZZLHSUOS16NT", "profileId": 9174314552609285, "countryCode": "DE"}], "countryCodes": ["US", "UK", "DE"]}', '{}', false, true, '2026-11-28 15:59:24.801971+00', '2026-11-28 15:59:24.801971+00', NULL, '2026-11-28 15:59:24.801971+00', '01a222e1-f7e3-70a9-b84b-486cbaa656cc', NULL, 3);
INSERT INTO public.user_accounts VALUES ('01a222e1-f9cb-727f-9e0c-b2ee524e8214', 'amzn1.ads-account.g.zum2xw9xlhtqhdghmzjohyhah', 'ads_accounts', 'Bob''s Bikes', 'seller', 'active', NULL, 'CREATED', '{FR}', '{}', '{"status": "CREATED", "profiles": [{"timezone": "Europe/Paris", "profileId": 7388219471642800, "accountInfo": {"id": "AZ1DYC8D4OK10X", "name": "Bob''s Bikes", "type": "seller", "marketplaceStringId": "A13V1IB3VIYZZH"}, "countryCode": "FR", "dailyBudget": 340.0, "currencyCode": "EUR"}], "accountName": "Bob''s Bikes", "adsAccountId": "amzn1.ads-account.g.zum2xw9xlhtqhdghmzjohyhah", "alternateIds": [{"entityId": "ENTITY15NPZ08QITKHT", "profileId": 7388219471642800, "countryCode": "FR"}], "countryCodes": ["FR"]}', '{}', false, true, '2026-11-28 15:59:24.801971+00', '2026-11-28 15:59:24.801971+00', NULL, '2026-11-28 15:59:24.801971+00', '01a222e1-f7e3-70a9-b84b-486cbaa656cc', NULL, 3);
INSERT INTO public.user_accounts VALUES ('01a222e1-f4fc-71d6-9770-cb03cfd3798e', '4892185455976', 'dsp_advertisers', 'Nordwind DSP advertiser 2', 'advertiser', 'active', NULL, NULL, '{US}', '{}', '{"url": "www.nordwinddspadvertiser2.example", "name": "Nordwind DSP advertiser 2", "country": "US", "currency": "USD", "timezone": "America/New_York", "advertiserId": "4892185455976"}', '{"team": "north"}', false, true, '2026-11-28 15:59:23.579678+00', '2026-11-28 15:59:23.579678+00', NULL, '2026-11-28 15:59:25.666631+00', '01a222e1-ed12-74ec-bbc3-bb21a470896c', '01a222e1-f438-7133-8ee7-45efcfeda1c1', 1);

ALTER TABLE ONLY public.accounts_accountaccess
    ADD CONSTRAINT accounts_accountaccess_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.accounts_accountchange
    ADD CONSTRAINT accounts_accountchange_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.accounts_accountmanager
    ADD CONSTRAINT accounts_accountmanager_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.accounts_accountsearch
    ADD CONSTRAINT accounts_accountsearch_pkey PRIMARY KEY (account_id);

ALTER TABLE ONLY public.accounts_batchitem
    ADD CONSTRAINT accounts_batchitem_pkey PRIMARY KEY (batch_id, account_id);

ALTER TABLE ONLY public.accounts_batchoperation
    ADD CONSTRAINT accounts_batchoperation_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.accounts_profile
    ADD CONSTRAINT accounts_profile_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.accounts_syncrun
    ADD CONSTRAINT accounts_syncrun_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.amazon_ads_applicationrefusal
    ADD CONSTRAINT amazon_ads_applicationrefusal_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.amazon_ads_parkedlogin
    ADD CONSTRAINT amazon_ads_parkedlogin_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.amazon_ads_ratelimit
    ADD CONSTRAINT amazon_ads_ratelimit_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.amazon_ads_ratelimithour
    ADD CONSTRAINT amazon_ads_ratelimithour_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_name_key UNIQUE (name);

ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_permission_id_0cd325b0_uniq UNIQUE (group_id, permission_id);

ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_codename_01ab375a_uniq UNIQUE (content_type_id, codename);

ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_group_id_94350c0c_uniq UNIQUE (user_id, group_id);

ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_permission_id_14a6b632_uniq UNIQUE (user_id, permission_id);

ALTER TABLE ONLY public.auth_user
    ADD CONSTRAINT auth_user_username_key UNIQUE (username);

ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.django_apscheduler_djangojob
    ADD CONSTRAINT django_apscheduler_djangojob_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.django_apscheduler_djangojobexecution
    ADD CONSTRAINT django_apscheduler_djangojobexecution_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_app_label_model_76bd3d3b_uniq UNIQUE (app_label, model);

ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.django_migrations
    ADD CONSTRAINT django_migrations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.django_session
    ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key);

ALTER TABLE ONLY public.knox_authtoken
    ADD CONSTRAINT knox_authtoken_pkey PRIMARY KEY (digest);

ALTER TABLE ONLY public.accounts_accountaccess
    ADD CONSTRAINT one_access_per_account_and_connection UNIQUE (account_id, connection_id);

ALTER TABLE ONLY public.user_accounts
    ADD CONSTRAINT one_account_per_user_and_amazon_id UNIQUE (user_id, amazon_account_id);

ALTER TABLE ONLY public.amazon_ads_ratelimithour
    ADD CONSTRAINT one_count_per_pace_and_hour UNIQUE (rate_limit_id, hour);

ALTER TABLE ONLY public.accounts_accountmanager
    ADD CONSTRAINT one_link_per_manager_and_account UNIQUE (manager_id, account_id);

ALTER TABLE ONLY public.amazon_ads_ratelimit
    ADD CONSTRAINT one_pace_per_region_and_family UNIQUE (region, family);

ALTER TABLE ONLY public.amazon_ads_parkedlogin
    ADD CONSTRAINT one_parking_per_pace_and_login UNIQUE (rate_limit_id, subject);

ALTER TABLE ONLY public.accounts_profile
    ADD CONSTRAINT one_profile_per_account_and_amazon_id UNIQUE (account_id, profile_id);

ALTER TABLE ONLY public.amazon_ads_applicationrefusal
    ADD CONSTRAINT one_refusal_per_client_and_secret UNIQUE (client_id, secret_digest);

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);

ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tokens_accesstokenrequest
    ADD CONSTRAINT tokens_accesstokenrequest_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tokens_alert
    ADD CONSTRAINT tokens_alert_key_key UNIQUE (key);

ALTER TABLE ONLY public.tokens_alert
    ADD CONSTRAINT tokens_alert_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tokens_authorizationattempt
    ADD CONSTRAINT tokens_authorizationattempt_pkey PRIMARY KEY (state_digest);

ALTER TABLE ONLY public.tokens_connection
    ADD CONSTRAINT tokens_connection_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tokens_heartbeat
    ADD CONSTRAINT tokens_heartbeat_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tokens_tokenrefresh
    ADD CONSTRAINT tokens_tokenrefresh_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.django_apscheduler_djangojobexecution
    ADD CONSTRAINT unique_job_executions UNIQUE (job_id, run_time);

ALTER TABLE ONLY public.user_accounts
    ADD CONSTRAINT user_accounts_pkey PRIMARY KEY (id);

CREATE INDEX account_amazon_id ON public.user_accounts USING btree (amazon_account_id);

CREATE INDEX account_connection ON public.user_accounts USING btree (connection_id, id);

CREATE INDEX account_countries ON public.user_accounts USING gin (countries);

CREATE INDEX account_labels ON public.user_accounts USING gin (labels jsonb_path_ops);

CREATE INDEX account_metadata ON public.user_accounts USING gin (metadata jsonb_path_ops);

CREATE INDEX account_name ON public.user_accounts USING btree (name, id);

CREATE INDEX account_search_trigrams ON public.accounts_accountsearch USING gin (public.account_trigrams(text)) WHERE is_indexed;

CREATE INDEX account_search_waiting ON public.accounts_accountsearch USING btree (account_id) WHERE (NOT is_indexed);

CREATE INDEX account_status ON public.user_accounts USING btree (status, id);

CREATE INDEX account_status_name ON public.user_accounts USING btree (status, name, id);

CREATE INDEX account_status_type ON public.user_accounts USING btree (status, account_type);

CREATE INDEX account_type_name ON public.user_accounts USING btree (account_type, name, id);

CREATE INDEX account_user ON public.user_accounts USING btree (user_id, id);

CREATE INDEX account_user_connection ON public.user_accounts USING btree (user_id, connection_id, id);

CREATE INDEX account_user_name ON public.user_accounts USING btree (user_id, name, id);

CREATE INDEX account_user_status ON public.user_accounts USING btree (user_id, status, id);

CREATE INDEX account_user_status_name ON public.user_accounts USING btree (user_id, status, name, id);

CREATE INDEX accounts_accountaccess_connection_id_1e66751c ON public.accounts_accountaccess USING btree (connection_id);

CREATE INDEX accounts_accountchange_account_id_4719ae69 ON public.accounts_accountchange USING btree (account_id);

CREATE INDEX accounts_accountchange_run_id_98750438 ON public.accounts_accountchange USING btree (run_id);

CREATE INDEX accounts_accountmanager_account_id_4f41b1e3 ON public.accounts_accountmanager USING btree (account_id);

CREATE INDEX accounts_syncrun_connection_id_4e9105e5 ON public.accounts_syncrun USING btree (connection_id);

CREATE INDEX accounts_syncrun_requested_by_id_f1e67356 ON public.accounts_syncrun USING btree (requested_by_id);

CREATE INDEX alert_by_age ON public.tokens_alert USING btree (created_at);

CREATE INDEX alert_to_send ON public.tokens_alert USING btree (next_try_at) WHERE (next_try_at IS NOT NULL);

CREATE INDEX amazon_ads_parkedlogin_rate_limit_id_84a4a1de ON public.amazon_ads_parkedlogin USING btree (rate_limit_id);

CREATE INDEX amazon_ads_ratelimithour_rate_limit_id_fc9a0d8c ON public.amazon_ads_ratelimithour USING btree (rate_limit_id);

CREATE INDEX attempt_by_age ON public.tokens_authorizationattempt USING btree (created_at);

CREATE INDEX auth_group_name_a6ea08ec_like ON public.auth_group USING btree (name varchar_pattern_ops);

CREATE INDEX auth_group_permissions_group_id_b120cbf9 ON public.auth_group_permissions USING btree (group_id);

CREATE INDEX auth_group_permissions_permission_id_84c5c92e ON public.auth_group_permissions USING btree (permission_id);

CREATE INDEX auth_permission_content_type_id_2f476e4b ON public.auth_permission USING btree (content_type_id);

CREATE INDEX auth_user_groups_group_id_97559544 ON public.auth_user_groups USING btree (group_id);

CREATE INDEX auth_user_groups_user_id_6a12ed8b ON public.auth_user_groups USING btree (user_id);

CREATE INDEX auth_user_user_permissions_permission_id_1fbb5f2c ON public.auth_user_user_permissions USING btree (permission_id);

CREATE INDEX auth_user_user_permissions_user_id_a95ead1b ON public.auth_user_user_permissions USING btree (user_id);

CREATE INDEX auth_user_username_6821ab7c_like ON public.auth_user USING btree (username varchar_pattern_ops);

CREATE INDEX batch_by_time ON public.accounts_batchoperation USING btree (created_at DESC, id DESC);

CREATE INDEX batch_of_user ON public.accounts_batchoperation USING btree (user_id, created_at DESC, id DESC);

CREATE INDEX batch_unfinished ON public.accounts_batchoperation USING btree (id) WHERE ((state)::text = ANY ((ARRAY['waiting'::character varying, 'running'::character varying])::text[]));

CREATE INDEX change_by_time ON public.accounts_accountchange USING btree (changed_at, id);

CREATE INDEX change_of_account ON public.accounts_accountchange USING btree (account_id, changed_at DESC, id DESC);

CREATE INDEX connection_of_owner ON public.tokens_connection USING btree (owner_id, label, id);

CREATE INDEX connection_refresh_due ON public.tokens_connection USING btree (client_id, next_refresh_at) WHERE (next_refresh_at IS NOT NULL);

CREATE INDEX connection_sync_due ON public.tokens_connection USING btree (next_sync_at) WHERE ((state)::text = 'active'::text);

CREATE INDEX django_admin_log_content_type_id_c4bce8eb ON public.django_admin_log USING btree (content_type_id);

CREATE INDEX django_admin_log_user_id_c564eba6 ON public.django_admin_log USING btree (user_id);

CREATE INDEX django_apscheduler_djangojob_next_run_time_2f022619 ON public.django_apscheduler_djangojob USING btree (next_run_time);

CREATE INDEX django_apscheduler_djangojobexecution_job_id_daf5090a ON public.django_apscheduler_djangojobexecution USING btree (job_id);

CREATE INDEX django_apscheduler_djangojobexecution_run_time_16edd96b ON public.django_apscheduler_djangojobexecution USING btree (run_time);

CREATE INDEX django_session_expire_date_a5c62663 ON public.django_session USING btree (expire_date);

CREATE INDEX django_session_session_key_c0390e0f_like ON public.django_session USING btree (session_key varchar_pattern_ops);

CREATE INDEX heartbeat_by_kind ON public.tokens_heartbeat USING btree (kind, beat_at);

CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));

CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);

CREATE INDEX item_of_sync ON public.accounts_batchitem USING btree (run_id) WHERE ((run_id IS NOT NULL) AND ((state)::text = ANY ((ARRAY['waiting'::character varying, 'running'::character varying])::text[])));

CREATE INDEX knox_authtoken_digest_188c7e77_like ON public.knox_authtoken USING btree (digest varchar_pattern_ops);

CREATE INDEX knox_authtoken_token_key_8f4f7d47 ON public.knox_authtoken USING btree (token_key);

CREATE INDEX knox_authtoken_token_key_8f4f7d47_like ON public.knox_authtoken USING btree (token_key varchar_pattern_ops);

CREATE INDEX knox_authtoken_user_id_e5a5d899 ON public.knox_authtoken USING btree (user_id);

CREATE UNIQUE INDEX one_batch_per_user_and_idempotency_key ON public.accounts_batchoperation USING btree (user_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE UNIQUE INDEX one_connection_per_owner_client_and_login ON public.tokens_connection USING btree (owner_id, client_id, amazon_user_id) WHERE (NOT ((state)::text = 'disconnected'::text));

CREATE UNIQUE INDEX one_open_refresh_per_connection ON public.tokens_tokenrefresh USING btree (connection_id) WHERE (outcome IS NULL);

CREATE UNIQUE INDEX one_running_sync_per_connection ON public.accounts_syncrun USING btree (connection_id) WHERE ((state)::text = 'running'::text);

CREATE UNIQUE INDEX one_waiting_sync_per_connection ON public.accounts_syncrun USING btree (connection_id) WHERE ((state)::text = 'waiting'::text);

CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);

CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));

CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);

CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);

CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);

CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);

CREATE INDEX profile_amazon_id ON public.accounts_profile USING btree (profile_id);

CREATE INDEX profile_marketplace ON public.accounts_profile USING btree (marketplace_id, account_id);

CREATE INDEX refresh_by_start ON public.tokens_tokenrefresh USING btree (started_at);

CREATE INDEX refresh_of_connection ON public.tokens_tokenrefresh USING btree (connection_id, started_at DESC, id DESC);

CREATE INDEX staged_account_by_key ON public.accounts_staged_account USING btree (run_id, amazon_account_id) WHERE (source <> 'ads_accounts'::text);

CREATE INDEX staged_account_by_position ON public.accounts_staged_account USING btree (run_id, walk, "position");

CREATE INDEX staged_profile_by_key ON public.accounts_staged_profile USING btree (run_id, profile_id, region);

CREATE INDEX sync_by_time ON public.accounts_syncrun USING btree (created_at DESC, id DESC);

CREATE INDEX sync_of_connection ON public.accounts_syncrun USING btree (connection_id, created_at DESC, id DESC);

CREATE INDEX sync_running ON public.accounts_syncrun USING btree (heartbeat_at) WHERE ((state)::text = 'running'::text);

CREATE INDEX token_request_by_time ON public.tokens_accesstokenrequest USING btree (requested_at);

CREATE INDEX token_request_of_connection ON public.tokens_accesstokenrequest USING btree (connection_id, requested_at DESC, id DESC);

CREATE INDEX tokens_accesstokenrequest_connection_id_8a8c3ebd ON public.tokens_accesstokenrequest USING btree (connection_id);

CREATE INDEX tokens_accesstokenrequest_user_id_0cc55dab ON public.tokens_accesstokenrequest USING btree (user_id);

CREATE INDEX tokens_alert_connection_id_056167b4 ON public.tokens_alert USING btree (connection_id);

CREATE INDEX tokens_alert_key_d3a96e72_like ON public.tokens_alert USING btree (key varchar_pattern_ops);

CREATE INDEX tokens_authorizationattempt_connection_id_5daf71ed ON public.tokens_authorizationattempt USING btree (connection_id);

CREATE INDEX tokens_authorizationattempt_state_digest_95e66a87_like ON public.tokens_authorizationattempt USING btree (state_digest varchar_pattern_ops);

CREATE INDEX tokens_authorizationattempt_user_id_bf19b0f5 ON public.tokens_authorizationattempt USING btree (user_id);

CREATE INDEX tokens_connection_disconnected_by_id_b2483a35 ON public.tokens_connection USING btree (disconnected_by_id);

CREATE INDEX tokens_connection_owner_id_396370e5 ON public.tokens_connection USING btree (owner_id);

CREATE INDEX tokens_tokenrefresh_connection_id_5ada0e7f ON public.tokens_tokenrefresh USING btree (connection_id);

CREATE INDEX user_accounts_parent_id_cbfa18b5 ON public.user_accounts USING btree (parent_id);

CREATE TRIGGER note_account_changes AFTER UPDATE ON public.user_accounts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.accounts_note_account_changes();

CREATE TRIGGER note_profile_changes AFTER UPDATE ON public.accounts_profile REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.accounts_note_profile_changes();

CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();

CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();

CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();

CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();

CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();

CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();

CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();

CREATE TRIGGER search_changed_accounts AFTER UPDATE ON public.user_accounts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.accounts_search_changed();

CREATE TRIGGER search_new_accounts AFTER INSERT ON public.user_accounts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION public.accounts_search_new();

ALTER TABLE ONLY public.accounts_accountaccess
    ADD CONSTRAINT accounts_accountacce_connection_id_1e66751c_fk_tokens_co FOREIGN KEY (connection_id) REFERENCES public.tokens_connection(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_accountaccess
    ADD CONSTRAINT accounts_accountaccess_account_id_5aabae14_fk_user_accounts_id FOREIGN KEY (account_id) REFERENCES public.user_accounts(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_accountchange
    ADD CONSTRAINT accounts_accountchange_account_id_4719ae69_fk_user_accounts_id FOREIGN KEY (account_id) REFERENCES public.user_accounts(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_accountchange
    ADD CONSTRAINT accounts_accountchange_changed_by_id_849b35c5_fk_auth_user_id FOREIGN KEY (changed_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_accountchange
    ADD CONSTRAINT accounts_accountchange_run_id_98750438_fk_accounts_syncrun_id FOREIGN KEY (run_id) REFERENCES public.accounts_syncrun(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_accountmanager
    ADD CONSTRAINT accounts_accountmanager_account_id_4f41b1e3_fk_user_accounts_id FOREIGN KEY (account_id) REFERENCES public.user_accounts(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_accountmanager
    ADD CONSTRAINT accounts_accountmanager_manager_id_b3af0c8d_fk_user_accounts_id FOREIGN KEY (manager_id) REFERENCES public.user_accounts(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_batchoperation
    ADD CONSTRAINT accounts_batchoperation_user_id_63e23e0e_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_profile
    ADD CONSTRAINT accounts_profile_account_id_56718375_fk_user_accounts_id FOREIGN KEY (account_id) REFERENCES public.user_accounts(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_syncrun
    ADD CONSTRAINT accounts_syncrun_connection_id_4e9105e5_fk_tokens_connection_id FOREIGN KEY (connection_id) REFERENCES public.tokens_connection(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.accounts_syncrun
    ADD CONSTRAINT accounts_syncrun_requested_by_id_f1e67356_fk_auth_user_id FOREIGN KEY (requested_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.amazon_ads_parkedlogin
    ADD CONSTRAINT amazon_ads_parkedlog_rate_limit_id_84a4a1de_fk_amazon_ad FOREIGN KEY (rate_limit_id) REFERENCES public.amazon_ads_ratelimit(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.amazon_ads_ratelimithour
    ADD CONSTRAINT amazon_ads_ratelimit_rate_limit_id_fc9a0d8c_fk_amazon_ad FOREIGN KEY (rate_limit_id) REFERENCES public.amazon_ads_ratelimit(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissio_permission_id_84c5c92e_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_b120cbf9_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_2f476e4b_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_group_id_97559544_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.auth_user_groups
    ADD CONSTRAINT auth_user_groups_user_id_6a12ed8b_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permi_permission_id_1fbb5f2c_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.auth_user_user_permissions
    ADD CONSTRAINT auth_user_user_permissions_user_id_a95ead1b_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_content_type_id_c4bce8eb_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.django_admin_log
    ADD CONSTRAINT django_admin_log_user_id_c564eba6_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.django_apscheduler_djangojobexecution
    ADD CONSTRAINT django_apscheduler_djangojobexecution_job_id_daf5090a_fk FOREIGN KEY (job_id) REFERENCES public.django_apscheduler_djangojob(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.knox_authtoken
    ADD CONSTRAINT knox_authtoken_user_id_e5a5d899_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);

ALTER TABLE ONLY public.tokens_accesstokenrequest
    ADD CONSTRAINT tokens_accesstokenre_connection_id_8a8c3ebd_fk_tokens_co FOREIGN KEY (connection_id) REFERENCES public.tokens_connection(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.tokens_accesstokenrequest
    ADD CONSTRAINT tokens_accesstokenrequest_user_id_0cc55dab_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.tokens_alert
    ADD CONSTRAINT tokens_alert_connection_id_056167b4_fk_tokens_connection_id FOREIGN KEY (connection_id) REFERENCES public.tokens_connection(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.tokens_authorizationattempt
    ADD CONSTRAINT tokens_authorization_connection_id_5daf71ed_fk_tokens_co FOREIGN KEY (connection_id) REFERENCES public.tokens_connection(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.tokens_authorizationattempt
    ADD CONSTRAINT tokens_authorizationattempt_user_id_bf19b0f5_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.tokens_connection
    ADD CONSTRAINT tokens_connection_disconnected_by_id_b2483a35_fk_auth_user_id FOREIGN KEY (disconnected_by_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.tokens_connection
    ADD CONSTRAINT tokens_connection_owner_id_396370e5_fk_auth_user_id FOREIGN KEY (owner_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.tokens_tokenrefresh
    ADD CONSTRAINT tokens_tokenrefresh_connection_id_5ada0e7f_fk_tokens_co FOREIGN KEY (connection_id) REFERENCES public.tokens_connection(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.user_accounts
    ADD CONSTRAINT user_accounts_connection_id_11d811b3_fk_tokens_connection_id FOREIGN KEY (connection_id) REFERENCES public.tokens_connection(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.user_accounts
    ADD CONSTRAINT user_accounts_parent_id_cbfa18b5_fk_user_accounts_id FOREIGN KEY (parent_id) REFERENCES public.user_accounts(id) DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.user_accounts
    ADD CONSTRAINT user_accounts_user_id_8a31d4ed_fk_auth_user_id FOREIGN KEY (user_id) REFERENCES public.auth_user(id) DEFERRABLE INITIALLY DEFERRED;

SELECT pg_catalog.setval('public.accounts_accountaccess_id_seq', (SELECT max(id) FROM public.accounts_accountaccess));
SELECT pg_catalog.setval('public.accounts_accountchange_id_seq', (SELECT max(id) FROM public.accounts_accountchange));
SELECT pg_catalog.setval('public.accounts_accountmanager_id_seq', (SELECT max(id) FROM public.accounts_accountmanager));
SELECT pg_catalog.setval('public.accounts_profile_id_seq', (SELECT max(id) FROM public.accounts_profile));
SELECT pg_catalog.setval('public.amazon_ads_applicationrefusal_id_seq', (SELECT max(id) FROM public.amazon_ads_applicationrefusal));
SELECT pg_catalog.setval('public.amazon_ads_parkedlogin_id_seq', (SELECT max(id) FROM public.amazon_ads_parkedlogin));
SELECT pg_catalog.setval('public.amazon_ads_ratelimit_id_seq', (SELECT max(id) FROM public.amazon_ads_ratelimit));
SELECT pg_catalog.setval('public.amazon_ads_ratelimithour_id_seq', (SELECT max(id) FROM public.amazon_ads_ratelimithour));
SELECT pg_catalog.setval('public.auth_group_id_seq', (SELECT max(id) FROM public.auth_group));
SELECT pg_catalog.setval('public.auth_group_permissions_id_seq', (SELECT max(id) FROM public.auth_group_permissions));
SELECT pg_catalog.setval('public.auth_permission_id_seq', (SELECT max(id) FROM public.auth_permission));
SELECT pg_catalog.setval('public.auth_user_groups_id_seq', (SELECT max(id) FROM public.auth_user_groups));
SELECT pg_catalog.setval('public.auth_user_id_seq', (SELECT max(id) FROM public.auth_user));
SELECT pg_catalog.setval('public.auth_user_user_permissions_id_seq', (SELECT max(id) FROM public.auth_user_user_permissions));
SELECT pg_catalog.setval('public.django_admin_log_id_seq', (SELECT max(id) FROM public.django_admin_log));
SELECT pg_catalog.setval('public.django_apscheduler_djangojobexecution_id_seq', (SELECT max(id) FROM public.django_apscheduler_djangojobexecution));
SELECT pg_catalog.setval('public.django_content_type_id_seq', (SELECT max(id) FROM public.django_content_type));
SELECT pg_catalog.setval('public.django_migrations_id_seq', (SELECT max(id) FROM public.django_migrations));
SELECT pg_catalog.setval('public.procrastinate_workers_id_seq', (SELECT max(id) FROM public.procrastinate_workers));
SELECT pg_catalog.setval('public.procrastinate_events_id_seq', (SELECT max(id) FROM public.procrastinate_events));
SELECT pg_catalog.setval('public.procrastinate_jobs_id_seq', (SELECT max(id) FROM public.procrastinate_jobs));
SELECT pg_catalog.setval('public.procrastinate_periodic_defers_id_seq', (SELECT max(id) FROM public.procrastinate_periodic_defers));
