"""Speaking IPP: to a printer, or to a queue of a print server. See RFC 8010 for the bytes, RFC 8011 for their meaning.

Not with pyipp: that refuses a whole answer for one operation that it does not know, drops silently what it has no tag
for, knows neither ranges nor collections in requests, and costs a process 16 MB of aiohttp. The tests hold it beside
`shared.ipp.encoding`.
"""

from shared.ipp.client import Operation, Printer
from shared.ipp.errors import PrinterRefusedError, PrinterUnreachableError
from shared.ipp.jobs import Job, JobState, Ticket
from shared.ipp.transport import Document

__all__ = [
    "Document",
    "Job",
    "JobState",
    "Operation",
    "Printer",
    "PrinterRefusedError",
    "PrinterUnreachableError",
    "Ticket",
]
