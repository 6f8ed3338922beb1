"""The broker that devices publish to, and the accounts it lets in.

    accounts ──▶ DeviceGate.admit(users) ──┬─▶ embedded_gate ─▶ nats_config ─▶ the running nats-server
                                           └─▶ mosquitto     ─▶ passwords, acl ─▶ a reload command

`embedded` supervises the nats-server that `constantes up` brings along; `mosquitto` writes the files of a
broker that somebody else runs. Nothing here knows a reading, a topic's meaning, or the registry: what comes
in is a list of accounts, what goes out is a broker that lets in exactly these.
"""
