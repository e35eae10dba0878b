# What one counter is inside an entity's record (contract: columns.pxd).
