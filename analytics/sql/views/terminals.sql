-- One row a registered terminal.
select
    *,
    h3_cell_to_parent(cell_r9, 8) as cell_r8
from lake.terminals
