"""What goes on inside one person, hour by hour: pure functions of a person, an instant, and what befalls them.

`Body` (in `body`) puts the parts together; each other module is one part and names where its figures come from. None
knows an instrument, a unit on a display, or a message.
"""
