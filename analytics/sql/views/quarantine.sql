-- One row a message that could not be accepted.
select * from lake.quarantine
