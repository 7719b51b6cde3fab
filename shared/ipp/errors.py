"""How speaking to a printer fails: there was no answer, or the answer was no."""

from __future__ import annotations

from shared.exceptions import PressroomError

# https://www.iana.org/assignments/ipp-registrations: statuses that another time may be other.
NOT_NOW = {
    0x0405: "client-error-timeout",
    0x0500: "server-error-internal-error",
    0x0502: "server-error-service-unavailable",
    0x0504: "server-error-device-error",
    0x0505: "server-error-temporary-error",
    0x0506: "server-error-not-accepting-jobs",
    0x0507: "server-error-busy",
    0x050A: "server-error-printer-is-deactivated",
    0x050B: "server-error-too-many-jobs",
}
STATUSES = {
    **NOT_NOW,
    0x0400: "client-error-bad-request",
    0x0401: "client-error-forbidden",
    0x0402: "client-error-not-authenticated",
    0x0403: "client-error-not-authorized",
    0x0404: "client-error-not-possible",
    0x0406: "client-error-not-found",
    0x0407: "client-error-gone",
    0x0408: "client-error-request-entity-too-large",
    0x0409: "client-error-request-value-too-long",
    0x040A: "client-error-document-format-not-supported",
    0x040B: "client-error-attributes-or-values-not-supported",
    0x040D: "client-error-charset-not-supported",
    0x040E: "client-error-conflicting-attributes",
    0x0410: "client-error-document-format-error",
    0x0411: "client-error-document-access-error",
    0x0501: "server-error-operation-not-supported",
    0x0503: "server-error-version-not-supported",
    0x0508: "server-error-job-canceled",
    0x0509: "server-error-multiple-document-jobs-not-supported",
}
# Of what somebody else says, who may say much.
MOST_CHARACTERS = 1000
# Everything below is a yes, if perhaps with a reservation.
FIRST_ERROR = 0x0400
UNKNOWN_JOB = (0x0406, 0x0407)


class PrinterUnreachableError(PressroomError):
    """Raised when there was no answer of IPP, in the system's own words.

    Args:
        message: Why.
        sent: Whether the request may have arrived nevertheless.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(_storable(message))
        self.sent = sent


class PrinterRefusedError(PressroomError):
    """Raised when the printer answered that it will not, in its own words.

    Args:
        message: Why.
        status: IPP's status code.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(_storable(message))
        self.status = status

    @property
    def is_for_now(self) -> bool:
        """Whether another time may be other."""
        return self.status in NOT_NOW


def _storable(words: str) -> str:
    """Return the words of a device as they can be kept and shown."""
    return "".join(one if one.isprintable() else " " for one in words[:MOST_CHARACTERS])
