-- Takes the next number of a request, and finds the number up to which no request needs the numbers of accounts and
-- connections.
SELECT number,
       least((SELECT min(request_number) FROM accounts_batchoperation WHERE state IN ('waiting', 'running')),
             number - %(kept)s)
  FROM (SELECT nextval('accounts_request_number') AS number) taken
