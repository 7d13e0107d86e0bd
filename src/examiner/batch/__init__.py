"""Many submissions: jobs, the journal that lets a killed run go on, workers here or on a Dask cluster."""
