"""Why a decision said no: a stable code, a sentence that says what to do, the field at fault."""


class Refusal(Exception):  # noqa: N818 - the domain's word
    """A command that the current state or the rules do not allow. Nothing was recorded.

    `code` is stable and machine-readable; `field` names the command's field, if one is to blame,
    and `suggestion` is a value that would do instead.
    """

    def __init__(
        self, code: str, message: str, field: str | None = None, suggestion: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.suggestion = suggestion
