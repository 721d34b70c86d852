"""Lists of accounts: filters, pages, search and export, shared by the API, the pages and the commands."""
