"""What happened: the types of events, their wire form, and the state that they fold to.

Pure: nothing here reads a clock or a store.
"""
