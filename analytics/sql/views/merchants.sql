-- One row a registered merchant.
select * from lake.merchants
