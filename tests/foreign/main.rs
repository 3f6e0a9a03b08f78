//! Scenarios with peers that are not fifowire: Python 3 and the shell.
