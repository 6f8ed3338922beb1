"""Simulated devices: each follows the device contract on the wire and keeps its readings until the receipt.

What a kind shows, the protocol, and what a device keeps are apart: an instrument knows no message, `client` no
medicine, `outbox` neither. What there is to measure is in `simulators.physiology`.
"""
