"""Many radiographs in, files out: the command line and the folder tool, both on top of core and scene."""
