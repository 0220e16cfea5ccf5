"""Training, calibrating and storing models. Frames in, distributions and files out; no database, no clock."""
