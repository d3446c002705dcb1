"""Learners that are not error transport, for comparison."""
