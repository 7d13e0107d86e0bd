"""Where student code runs: values as bytes, the confined process, its names as tests see them, processes that wait."""
