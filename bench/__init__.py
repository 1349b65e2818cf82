"""What is measured: ratios against peers in one run, and counts. Run a module: `python -m bench.chain`."""
