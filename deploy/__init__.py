"""What an installation is set up with: compose file's readers, configurations of other programs, the native shape.

Nothing here is part of the program itself, and nothing in the program knows of it.
"""
