-- Finds the number up to which no request needs the numbers of accounts and connections any more.
SELECT least((SELECT min(request_number) FROM accounts_batchoperation WHERE state IN ('waiting', 'running')),
             last_value - %(kept)s)
  FROM accounts_request_number
