"""What the engine will do about a declaration: plans, their versions, the linked handlers.

`build` is the whole left half of the house as one call.
"""
