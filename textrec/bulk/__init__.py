"""Pictures by the million to tables of text: `textrec bulk`, on the cores of one machine or on a Ray cluster."""
