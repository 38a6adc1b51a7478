"""What a person can mend is a Refusal; anything else that goes wrong is a bug."""

from typing import Any


class Refusal(Exception):
    """A clear no: `key` names the words `refusal.<key>`, `params` fill them. Never carries personal data."""

    def __init__(self, key: str, **params: Any) -> None:
        super().__init__(key)
        self.key = key
        self.params = params

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.key}({shown})" if shown else self.key
