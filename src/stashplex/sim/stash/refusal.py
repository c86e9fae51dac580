"""What a resolver raises when Stash would answer 200 with `errors`.

Not a fault of the transport: the reply is complete, only its data is null. The message is what a client sees.
"""

NIL = "runtime error: invalid memory address or nil pointer dereference"


class RequestRefused(Exception):  # noqa: N818 - errors name the condition
    """The request was understood, and is answered with an error."""


class InternalSystemError(RequestRefused):
    """What Stash says when it recovered from a panic. Shape: `cause` is what it panicked with."""

    def __init__(self, cause: str = NIL) -> None:
        super().__init__(f"Internal system error. Error <{cause}>")
