"""Settings from the environment; keys are files in the var folder that the first start makes."""

import os
import secrets
from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[2]
KEY_BYTES = 32


class Settings(BaseSettings):
    """Each field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(extra="ignore")

    var_dir: Path = ROOT / "var"
    database_url: str = ""
    host: str = "0.0.0.0"  # noqa: S104 - tablets reach the desk over the local network
    port: int = 8501
    public_address: str = ""
    """Address that customers reach, for survey links; empty: the address the member of staff uses."""
    allowed_hosts: list[str] = Field(default_factory=list)
    """Host names the guard accepts beside bare addresses and localhost."""
    behind_tls: bool = False
    """True when a proxy ends TLS before the desk: cookies are then Secure with the `__Host-` prefix."""
    trusted_proxies: list[str] = Field(default_factory=list)
    session_idle_minutes: int = 60
    session_hours: int = 12
    metrics_token: str = ""
    survey_days: int = 60
    answered_call_is_response: bool = True
    """Whether a telephone call that somebody answers counts as the first response of the case it opens."""
    one_core: bool = True
    """Whether the serving process keeps its threads to one core (`lib.shared.cores`); Linux only."""

    @property
    def database(self) -> str:
        """The database's address: `DATABASE_URL`, else the SQLite file in the var folder."""
        return self.database_url or f"sqlite:///{self.var_dir / 'desk.db'}"


@lru_cache
def settings() -> Settings:
    """The settings of this process; `settings.cache_clear()` after changing the environment."""
    return Settings()


@lru_cache
def key(name: str) -> bytes:
    """A secret of the desk, at least 32 bytes, from `VAR_DIR/keys/NAME`; made with mode 0600 at first use.

    Raises ValueError for a key that is too short.
    """
    path = settings().var_dir / "keys" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_name(f"{name}.{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_BYTES))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    text = path.read_text().strip()
    if len(text) < 2 * KEY_BYTES or len(set(text)) < 8:
        raise ValueError(
            f"the key {name} in the var folder is too short; remove it to make a new one"
        )
    return text.encode()
