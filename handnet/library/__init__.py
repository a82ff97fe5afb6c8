"""What the commands do, as functions: `handnet.load`, `handnet.train`, `handnet.evaluate`, `handnet.export_model`."""
