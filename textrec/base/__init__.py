"""What every room stands on: errors, parameters, records, the charset, files that appear whole.

In: nothing. Out: the types and tools that the rooms hand each other. It uses no other room.
"""
