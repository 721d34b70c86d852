"""Where the database still has a text that should be erased."""

from django.db import connection as database
from psycopg import sql


def find_tables_with(text: str) -> list[str]:
    """Return the tables that have the text in any column of any row."""
    found = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            count = sql.SQL("SELECT count(*) FROM {} AS line WHERE line::text ILIKE %s")
            cursor.execute(count.format(sql.Identifier(table)), [f"%{text}%"])
            if cursor.fetchone()[0]:
                found.append(table)
    return found
