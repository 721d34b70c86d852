-- Records that a person looks at the activity now, and returns when their visit before this one ended.
-- Looks that follow each other within half an hour are one visit.
INSERT INTO tokens_activityvisit AS visit (user_id, seen_at, previous_at)
VALUES (%(user)s, now(), NULL)
    ON CONFLICT (user_id) DO UPDATE
   SET previous_at = CASE WHEN visit.seen_at < now() - interval '30 minutes' THEN visit.seen_at
                          ELSE visit.previous_at END,
       seen_at = now()
RETURNING previous_at
