"""Strangers that speak only the wire: devices, faults, load and a record. They import nothing of ours."""
