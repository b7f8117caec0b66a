"""Text for statements about app servers whose end was asked for before: how often, and how it went.

What cannot be ended is asked for its end again by itself, the less often the longer it takes.
"""

#: Beside `app_server`. A plan alone asks for nothing.
ASKED = """
    LEFT JOIN LATERAL (
        SELECT min(finished_at) AS first, max(finished_at) AS last,
               bool_or(error ->> 'code' = 'unconfirmed-gone') AS is_unconfirmed,
               (array_agg(error ->> 'code' ORDER BY sequence DESC))[1] AS code
        FROM jobs WHERE kind = 'terminate' AND instance_id = app_server.instance_id
            AND params ->> 'app_server' = app_server.id::text AND NOT dry_run
    ) AS asked ON true
"""

#: It is due again after an hour, and later after half as long as it has taken until `last`, but
#: each day. NULL when it was never asked for.
IS_DUE = """
    {last} < clock_timestamp() - least(
        interval '1 day', greatest(interval '55 minutes', ({last} - {first}) / 2))
"""
