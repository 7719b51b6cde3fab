"""Every setting of the farm, one line each: name, environment variable, type, default, meaning.

Only here is the environment read. Attribute ``home`` is the variable ``PRESSROOM_HOME``, and so on. A ``PRESSROOM_*``,
``REPORTS_CLEAN_*`` or ``PURGE_HISTORY_*`` variable that is not declared here is refused with the nearest known name, so that a misspelling
cannot pass unnoticed. The table in README.md is generated from this file (``pressroom settings``).

jsreport's users have a JSON file for what is said of the reports extension; ``PRESSROOM_CONFIG`` names one, and a
variable wins over it.
"""

from __future__ import annotations

import enum
import ipaddress
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import environ

from shared import spelling
from shared.durations import duration
from shared.exceptions import SettingsError
from shared.tokens import Token, read_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PREFIX = "PRESSROOM"
OURS = (f"{PREFIX}_", "REPORTS_CLEAN_", "PURGE_HISTORY_")
# Spellings of one variable; the first is the seed's own, and the one that the table has.
SPELLINGS = {"REPORTS_CLEAN_THRESHOLD": "REPORTS_CLEAN_TRESHOLD"}
# Where the JSON file has what which variable says.
CONFIGURED: dict[tuple[str, ...], str] = {
    ("extensions", "reports", "cleanInterval"): "REPORTS_CLEAN_INTERVAL",
    ("extensions", "reports", "cleanTreshold"): "REPORTS_CLEAN_TRESHOLD",
    ("extensions", "reports", "cleanThreshold"): "REPORTS_CLEAN_TRESHOLD",
}
MIB = 1024 * 1024


class Source(enum.StrEnum):
    """Where a setting's value comes from."""

    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Given:
    """A setting that somebody gave.

    Attributes:
        name: The variable; of the file, the one that says the same.
        source: Who said it.
        text: What was said. It may be a secret.
    """

    name: str
    source: Source
    text: str = field(repr=False)


def _flag(text: object) -> bool:
    if isinstance(text, bool):
        return text
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    try:
        return known[str(text).strip().lower()]
    except KeyError:
        raise ValueError("expected 1 or 0 (or true, false, yes, no, on, off)") from None


def _number(kind: type[int | float], low: float, high: float = float("inf")) -> Callable[[object], float]:
    name = "a whole number" if kind is int else "a number"

    def convert(text: object) -> float:
        try:
            value = kind(str(text))
        except ValueError:
            raise ValueError(f"expected {name}") from None
        if not low <= value < float("inf"):
            raise ValueError(f"expected {name} of at least {low}")
        if value > high:
            raise ValueError(f"expected {name} of at most {high}")
        return value

    return convert


def _choice(*known: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return text

    return convert


def _listed(text: object) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(text).split(",") if part.strip())


def _networks(text: object) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part) for part in _listed(text))
    except ValueError as error:
        raise ValueError(f"expected addresses or networks such as 10.0.0.0/8, comma-separated ({error})") from None


def _duration(text: object) -> float | None:
    return duration(str(text)) if str(text).strip() else None


def _days(text: object) -> float | None:
    return _number(float, 0, 36_500)(text) if str(text).strip() else None


def _path(text: object) -> Path:
    # The path becomes part of URLs and of the supervisor's configuration, where these mean something else.
    if any(character in "%?#;" or not character.isprintable() for character in str(text)):
        raise ValueError("expected a path without % ? # ; and control characters")
    return Path(str(text)).absolute()


def _url(*schemes: str) -> Callable[[str], str]:
    def convert(text: str) -> str:
        if text and not text.startswith(tuple(f"{scheme}:" for scheme in schemes)):
            raise ValueError(f"expected a URL that begins with {', '.join(f'{scheme}:' for scheme in schemes)}")
        return text

    return convert


def _count(default: int, meaning: str, *, low: int = 1, high: float = float("inf")) -> int:
    return cast("int", environ.var(default, converter=_number(int, low, high), help=meaning))


def _seconds(default: float, meaning: str, *, low: float = 0) -> float:
    return cast("float", environ.var(default, converter=_number(float, low), help=meaning))


def _text(default: str, meaning: str, *, converter: Callable[[str], str] = str) -> str:
    return cast("str", environ.var(default, converter=converter, help=meaning))


# fmt: off
@environ.config(prefix=PREFIX, frozen=True)
class Settings:
    """The farm's settings. Sizes are bytes, durations seconds. ``given``, last, has those that are no defaults."""

    home: Path = environ.var("./var", converter=_path, help="Folder that holds everything an embedded farm writes")
    host: str = _text("127.0.0.1", "Address the gateway listens on; one that is not loopback needs PRESSROOM_TOKENS")
    port: int = _count(8000, "Port the gateway listens on", high=65535)
    tokens: tuple[Token, ...] = environ.var("", converter=lambda text: tuple(read_token(entry) for entry in _listed(text)), help="Accepted API tokens, comma-separated, each with or without a name, `warehouse:secret`; sent as Bearer, or as the password of Basic")
    revoked_tokens: tuple[str, ...] = environ.var("", converter=_listed, help="Tokens, or names of tokens, that are accepted no more and are told so, comma-separated")
    insecure: bool = environ.var("0", converter=_flag, help="1 lets the gateway listen without tokens on any address")
    public_url: str = _text("", "Base of the links in answers, when clients reach the gateway under another address", converter=_url("http", "https"))
    flower_url: str = _text("", "Where people reach Flower, for links to it; empty: no link (`scripts/up` names the one that it starts)", converter=_url("http", "https"))
    trusted_proxies: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = environ.var("", converter=_networks, help="Addresses or networks of proxies whose `X-Forwarded-*` headers are believed, comma-separated")
    config: str = _text("", "JSON file with jsreport's clean-up settings: `{\"extensions\": {\"reports\": {\"cleanInterval\": \"5m\", \"cleanTreshold\": \"1d\"}}}`; variables win over it")
    database_url: str = _text("", "SQLAlchemy URL, `postgresql://user:password@host/name`; empty: SQLite in the home", converter=_url("postgresql", "postgresql+psycopg", "sqlite"))
    broker_url: str = _text("", "`redis://[:password@]host:6379/0` or `redis+socket:///path`; empty: the home's Valkey", converter=_url("redis", "rediss", "redis+socket"))
    storage: str = _text("filesystem", "`filesystem` (a folder in the home) or `s3`", converter=_choice("filesystem", "s3"))
    s3_endpoint: str = _text("", "S3 server as `host:port`")
    s3_access_key: str = _text("", "S3 access key")
    s3_secret_key: str = _text("", "S3 secret key")
    s3_bucket: str = _text("pressroom", "S3 bucket; made when it is not there")
    s3_region: str = _text("us-east-1", "Region that the S3 bucket is in")
    s3_secure: bool = environ.var("1", converter=_flag, help="0 speaks HTTP to the S3 server instead of HTTPS")
    gateway_threads: int = _count(32, "Requests that one gateway process serves at once; three of four may wait for renders", low=4, high=1000)
    gateway_processes: int = _count(1, "Gateway processes")
    max_body_bytes: int = _count(50 * MIB, "Largest request body; a larger one gets 413")
    inline_data_bytes: int = _count(256 * 1024, "Data larger than this goes to storage instead of the render's row", low=0)
    default_recipe: str = _text("weasyprint-pdf", "Recipe of a request that names none")
    default_engine: str = _text("jinja", "Templating engine of a request that names none")
    render_timeout: float = _seconds(60, "Time limit of a render that names none", low=0.1)
    render_timeout_max: float = _seconds(600, "Longest time limit that a request may ask for", low=0.1)
    render_timeout_grace: float = _seconds(5, "From the end of the time limit until the rendering child is killed", low=0.1)
    render_memory_bytes: int = _count(2048 * MIB, "Address space of one rendering child; 0: no limit", low=0)
    render_markup_bytes: int = _count(64 * MIB, "Largest text that a template may put out; a longer one fails its render")
    render_document_bytes: int = _count(512 * MIB, "Largest document that a render may make")
    render_pages: int = _count(20_000, "Most pages that a document may have")
    render_children: int = _count(0, "Rendering children of one worker; 0: one per core", low=0)
    child_renders: int = _count(2000, "Renders after which a rendering child is replaced by a fresh one")
    standby: float = _seconds(30, "How long a rendering child with nothing to do waits for the next render, which then needs no message; 0: not at all", low=0)
    child_memory_bytes: int = _count(512 * MIB, "Memory past which a rendering child is replaced after its render; 0: never", low=0)
    sync_wait: float = _seconds(30, "How long a synchronous request waits for its render to start before 503", low=0.1)
    max_queued: int = _count(20_000, "Renders that may wait in one queue; beyond, new ones get 429")
    max_queued_per_client: int = _count(10_000, "Renders of one client (a named token) that may wait; beyond, its new ones get 429")
    batch_items: int = _count(1_000_000, "Most items that one batch may have")
    batch_bytes: int = _count(4096 * MIB, "Largest file of items that one batch may be sent with; one item has at most PRESSROOM_MAX_BODY_BYTES")
    min_free_bytes: int = _count(256 * MIB, "Free disk space of the home below which nothing new is accepted; 0: not watched", low=0)
    storage_patience: float = _seconds(300, "How long the storage may be away before nothing new is accepted", low=0)
    heartbeat_interval: float = _seconds(3, "Between two signs of life of a worker", low=0.1)
    worker_dead_after: float = _seconds(15, "Silence after which a worker's running renders are given to others", low=0.5)
    worker_silent_after: float = _seconds(20, "How long an idle worker may take nothing although messages wait in its queues, before it is restarted", low=0.5)
    shutdown_grace: float = _seconds(15, "How long what is told to stop may finish what it has begun; what a worker has not finished then is given to others at once", low=0)
    reconcile_interval: float = _seconds(5, "Between two looks of the reconciler", low=0.1)
    sweep_interval: float = _seconds(60, "Between two sweeps of results that nobody kept", low=0.1)
    republish_after: float = _seconds(10, "Age at which a queued render without a message is published again", low=0.1)
    max_losses: int = _count(3, "Attempts lost to dying workers after which a render fails as poisoned")
    certification_interval: int = _count(1000, "Of the renders that a certified template's fast engine makes, one of so many is compared with the reference once more, behind the first hundred; 0: none", low=0)
    transient_keep: float = _seconds(600, "How long the result of a synchronous render without `save` stays in storage")
    reports_clean_interval: float = environ.var("5m", name="REPORTS_CLEAN_INTERVAL", converter=lambda text: duration(str(text)), help="How often old reports are looked for: `30s`, `5m`, `1d`, or milliseconds")
    reports_clean_treshold: float | None = environ.var("", name="REPORTS_CLEAN_TRESHOLD", converter=_duration, help="Age at which stored reports are removed, `..._THRESHOLD` for short; empty: never, but for those with an `expiresIn`")
    schedule_interval: float = _seconds(1, "Between two looks for schedules that are due", low=0.1)
    purge_history_days: float | None = environ.var("30", name="PURGE_HISTORY_DAYS", converter=_days, help="Age in days at which history records and print tasks are removed; empty: never")
    purge_interval: float = _seconds(3600, "Between two looks for history records that are to be removed", low=0.1)
    print_interval: float = _seconds(2, "Between two looks at print jobs that are under way", low=0.1)
    print_retry_for: float = _seconds(3600, "How long a printer that cannot be reached is tried before a print task fails")
    print_lease: float = _seconds(120, "How long a print agent may keep a task that it claimed without a word", low=0.1)
    tasks_keep: float = _seconds(30 * 86400, "How long ended tasks of schedules can be looked up")
    odata_page: int = _count(1000, "Most entities in one page of an OData list; the rest follows by its nextLink", high=100_000)
    max_asset_bytes: int = _count(10 * MIB, "Largest asset; a larger one gets 413")
    asset_cache_bytes: int = _count(256 * MIB, "Disk space for the assets that one worker keeps at hand")
    document_cache_bytes: int = _count(256 * MIB, "Disk space for the documents that one gateway keeps at hand; 0: none is kept", low=0)
    locale: str = _text("en", "Locale of the money, number and date filters when a template names none")
    log_level: str = _text("INFO", "Least severe level that is logged", converter=_choice("DEBUG", "INFO", "WARNING", "ERROR"))
    log_format: str = _text("json", "`json` (one object per line) or `console` (coloured, for people)", converter=_choice("json", "console"))

    given: tuple[Given, ...] = ()

    @property
    def database(self) -> str:
        """The database's URL, with the embedded default filled in."""
        return self.database_url or f"sqlite:///{self.home / 'pressroom.db'}"

    @property
    def broker(self) -> str:
        """The broker's URL, with the embedded default filled in."""
        return self.broker_url or f"redis+socket://{self.broker_socket}"

    @property
    def broker_socket(self) -> Path:
        """The embedded Valkey's Unix socket."""
        return self.home / "run" / "valkey.sock"

    @property
    def blobs(self) -> Path:
        """The folder of the filesystem storage."""
        return self.home / "blobs"

    @property
    def logs(self) -> Path:
        """The folder into which the supervisor writes each process' log lines."""
        return self.home / "logs"
# fmt: on


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Args:
        environment: The process' environment, if None; only names that begin with ``PRESSROOM_`` or
            ``REPORTS_CLEAN_`` are looked at.

    Raises:
        SettingsError: A variable is unknown, malformed, or contradicts another; or the file is.
    """
    environment = _respelled(os.environ if environment is None else environment)
    known = [declared["name"] for declared in described()]
    for name in environment:
        if name.startswith(OURS) and name not in known:
            hint = spelling.hint(name, known, "see the settings table in README.md")
            raise SettingsError(f"Unknown setting {name}: {hint}")
    own = environment
    environment = {**_configured(own.get(f"{PREFIX}_CONFIG", "")), **own}
    for name in known:
        # A converter's error does not say which variable it was about, so each is tried alone first.
        if name in environment:
            try:
                environ.to_config(Settings, {name: environment[name]})
            except ValueError as error:
                raise SettingsError(f"{name} is {environment[name]!r}: {error}") from error
    settings = environ.to_config(Settings, environment)
    _check_together(settings, environment)
    given = [name for name in known if name in environment]
    sources = {name: Source.ENVIRONMENT if name in own else Source.FILE for name in given}
    # Frozen for everybody else.
    object.__setattr__(settings, "given", tuple(Given(name, sources[name], environment[name]) for name in given))
    return settings


def _respelled(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with one spelling for each variable."""
    respelled = dict(environment)
    for other, ours in SPELLINGS.items():
        value = respelled.pop(other, None)
        if value is not None and respelled.setdefault(ours, value) != value:
            raise SettingsError(f"{ours} and {other} are the same setting and contradict each other: set one")
    return respelled


def _configured(path: str) -> dict[str, str]:
    """Return what the JSON file says, as the variables that say the same."""
    if not path:
        return {}
    # jsreport's own example has comments, which JSON has not.
    import json5  # noqa: PLC0415  # Only a farm with such a file pays for it.

    said = f"PRESSROOM_CONFIG is {path!r}"
    try:
        content = json5.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{said}, which cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise SettingsError(f"{said}, which is not JSON: {error}") from error
    found: dict[str, str] = {}
    for keys, value in _leaves(content, ()):
        name = CONFIGURED.get(keys)
        if name is None:
            known = ", ".join(".".join(one) for one in CONFIGURED)
            raise SettingsError(f"{said}, which sets {'.'.join(keys) or 'no object'}: expected only {known}")
        text = value if isinstance(value, str) else json.dumps(value)
        if found.setdefault(name, text) != text:
            raise SettingsError(f"{said}, which has {keys[-1]} in two spellings that contradict each other: keep one")
        try:
            _duration(text)
        except ValueError as error:
            raise SettingsError(f"{said}, in which {'.'.join(keys)} is {value!r}: {error}") from error
    return found


def _leaves(content: object, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(value, (*keys, str(key)))
    else:
        yield keys, content


def _check_together(settings: Settings, environment: Mapping[str, str]) -> None:
    if environment.get(f"{PREFIX}_TOKENS") and not settings.tokens:
        raise SettingsError("PRESSROOM_TOKENS holds no token: expected one or more, separated by commas")
    if settings.render_timeout > settings.render_timeout_max:
        raise SettingsError(
            f"PRESSROOM_RENDER_TIMEOUT is {settings.render_timeout:g}: expected at most PRESSROOM_RENDER_TIMEOUT_MAX, "
            f"which is {settings.render_timeout_max:g}"
        )
    if settings.worker_dead_after < 2 * settings.heartbeat_interval:
        raise SettingsError(
            f"PRESSROOM_WORKER_DEAD_AFTER is {settings.worker_dead_after:g}: expected at least twice "
            f"PRESSROOM_HEARTBEAT_INTERVAL, which is {settings.heartbeat_interval:g}, or living workers count as dead"
        )
    if settings.storage == "s3":
        missing = [
            f"{PREFIX}_{name.upper()}"
            for name in ("s3_endpoint", "s3_access_key", "s3_secret_key")
            if not getattr(settings, name)
        ]
        if missing:
            raise SettingsError(f"PRESSROOM_STORAGE is 's3', which also needs {', '.join(missing)}")


def check_exposure(settings: Settings) -> None:
    """Refuse to serve strangers without a token.

    Raises:
        SettingsError: The address is not loopback, there are no tokens, and nothing says that this is meant.
    """
    if settings.tokens or settings.insecure or _is_loopback(settings.host):
        return
    raise SettingsError(
        f"The gateway would listen on {settings.host} without asking for a token: set PRESSROOM_TOKENS, "
        "or PRESSROOM_INSECURE=1 if everybody who can reach that address may use the farm"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def described() -> list[dict[str, str]]:
    """List every setting as ``{"name", "default", "help"}``, in the order of their declaration."""
    rows: list[dict[str, str]] = []

    def collect(declared: list[dict[str, object]]) -> str:
        rows.extend(
            {
                "name": str(one["var_name"]),
                "default": str(one.get("default", "")),
                "help": str(one.get("help_str", "")),
            }
            for one in declared
        )
        return ""

    environ.generate_help(Settings, formatter=collect)
    return rows
