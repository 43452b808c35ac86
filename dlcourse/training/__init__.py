"""The third part: what makes training quick, stable, and right about examples that it has never seen."""
