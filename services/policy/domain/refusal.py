"""One exception for every question that has no answer."""


class PolicyRefusal(ValueError):
    """No answer; `code` is a stable snake_case word (contract), `explanation` says what is wrong with which number."""

    def __init__(self, code: str, explanation: str) -> None:
        super().__init__(code, explanation)
        self.code = code
        self.explanation = explanation


def require_positive(code: str, **values: float) -> None:
    """Raise PolicyRefusal(code) unless every value is a finite number above zero; NaN is refused too."""
    for name, value in values.items():
        if not (0.0 < value < float("inf")):
            raise PolicyRefusal(code, f"{name}={value} must be a finite number above zero")


def require_not_negative(code: str, **values: float) -> None:
    """Raise PolicyRefusal(code) unless every value is finite and at least zero."""
    for name, value in values.items():
        if not (0.0 <= value < float("inf")):
            raise PolicyRefusal(code, f"{name}={value} must be a finite number of at least zero")
