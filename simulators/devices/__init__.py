"""Simulated devices: each follows the device contract on the wire and keeps its readings until the receipt.

The physics of a kind, the protocol, and what a device keeps are apart: `circulation` knows no message, `client` no
medicine, `outbox` neither.
"""
