"""The composition root: settings, wiring, the command line. The only package that knows all the others."""
