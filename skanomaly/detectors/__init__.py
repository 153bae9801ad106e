"""The detectors, one file a paper; `skanomaly` has their names."""
