"""What `api.report_configs` answers."""

from __future__ import annotations

from api.openapi import headers
from api.openapi.descriptions import JSON, Answer, Operation
from api.openapi.envelopes import many, one
from api.openapi.operations.odata import DOWN
from api.openapi.operations.tags import REPORT_CONFIGURATIONS
from api.openapi.operations.templates import IN_USE, LABEL, NO_SUCH, SAVED, STALE, TAKEN

_CHANGED = Answer("It is changed, and this is what it is now.", {JSON: one("ReportConfig")}, SAVED)

LISTING = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="List report configurations",
    text="Each as its newest version has it, with the verdict on that in short.",
    answers={200: Answer("A page of the list.", {JSON: many("ListedReportConfig")})},
    errors={503: DOWN},
)
CREATE = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Store a report configuration",
    text="The same as storing a template; what its text includes and does not exist yet is said in `meta.warnings`.",
    examples={"A label with a bar code": {**LABEL, "name": "shelf-label"}},
    answers={201: Answer("It is stored, as version 1.", {JSON: one("ReportConfig")}, ("Location", *SAVED))},
    errors={409: TAKEN, 503: DOWN},
)
READ = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Read a report configuration",
    answers={
        200: Answer("The report configuration, as its newest version has it.", {JSON: one("ReportConfig")}, ("ETag",))
    },
    errors={404: NO_SUCH, 503: DOWN},
)
REPLACE = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Replace a report configuration",
    text="The body is the next version in full: what it does not name is as if it had never been.",
    parameters=(headers.IF_MATCH,),
    examples={"A label with a bar code, by another name": {**LABEL, "name": "bin-label"}},
    answers={200: _CHANGED},
    errors={404: NO_SUCH, 409: TAKEN, 412: STALE, 503: DOWN},
)
CHANGE = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Change a report configuration",
    text="What is named makes the next version, what is not named stays.",
    parameters=(headers.IF_MATCH,),
    examples={"Another label": {"context": "Dispatch"}},
    answers={200: _CHANGED},
    errors={404: NO_SUCH, 409: TAKEN, 412: STALE, 503: DOWN},
)
REMOVE = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Remove a report configuration",
    text="What was rendered from it stays.",
    parameters=(headers.IF_MATCH,),
    answers={200: Answer("It is gone; this is what it was called.", {JSON: one("RemovedReportConfig")})},
    errors={404: NO_SUCH, 409: IN_USE, 412: STALE, 503: DOWN},
)
VERSIONS = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="List a report configuration's versions",
    text="The newest first. Each save makes one, and none ever changes.",
    answers={200: Answer("A page of the list.", {JSON: many("ReportConfigVersion")})},
    errors={404: NO_SUCH, 503: DOWN},
)
VERSION = Operation(
    tag=REPORT_CONFIGURATIONS,
    summary="Read one version",
    text="To render it once more, name its number as `template.version`.",
    answers={200: Answer("The report configuration, as this version had it.", {JSON: one("ReportConfig")})},
    errors={404: "There is no such template, or it has no version of this number.", 503: DOWN},
)
