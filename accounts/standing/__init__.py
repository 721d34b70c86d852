"""Whether accounts can advertise: what Amazon's billing says about their profiles, and what follows for accounts.

A profile keeps Amazon's answers. `find_due_pairs` chooses about which advertisers to ask, `record_answers` stores what
Amazon said, and `settle_accounts` derives standing and status of accounts. `accounts.sync.billing` makes the calls.
"""
