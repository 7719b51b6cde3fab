"""What the fields of bodies, queries and entities mean, by shape. An idle gateway holds none of these texts.

A test sees to it that every field has a text, and every text a field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMED = {
    "_id": "Its id, given by the farm: a UUID that sorts by time.",
    "shortid": "Its short id, safe in addresses.",
    "name": "Its name.",
}
_DATED = {"creationDate": "When it was made.", "modificationDate": "When it was last changed."}
_TEMPLATE = {
    "name": "Its name, which no other template has.",
    "content": "Its text, in the language of its engine.",
    "engine": "The templating engine, one of `GET /api/engine`; left out: the farm's default.",
    "recipe": "What makes the document, one of `GET /api/recipe`; left out: the farm's default.",
    "sampleData": "What it is rendered with when a request brings no data: an object, or a text with the JSON of one.",
    "options": "Options of those of its renders that name none themselves.",
    "parameters": "What it asks of whoever renders it.",
    "fields": "What it expects in the data, for those who send it.",
    "context": "A label that groups templates.",
    "contextColour": "The label's colour, as `#rrggbb`.",
}
_FIXED = "A shortid is chosen when the template is made: leave this out."
_SCHEDULE = {
    "name": "Its name, which no other schedule has; its reports are called so, too.",
    "cron": "When it runs: minute, hour, day of month, month, day of week; six fields begin with seconds.",
    "templateShortid": "The short id of the template that it renders.",
    "timezone": "By whose clocks: the name of a zone in the time zone database.",
    "data": "What it renders the template with; left out: the template's sample data.",
    "enabled": "Whether it runs by itself. A schedule that does not can be run by hand.",
    "allowOverlap": "Whether a run may begin while the one before goes on.",
    "maxRetries": "How often a failed run is tried again, if another try may help.",
}
_PRINTER = {
    "name": "Its name, which no other printer has.",
    "uri": "Where the farm speaks IPP with it, or with its queue: `ipp://…` or `ipps://…`, with a host.",
    "agent": "Whether an agent prints for it, because the farm cannot reach it.",
    "location": "Where it stands, for people.",
    "isDefault": "Whether it prints what names no printer; then no other does.",
    "certificateCheck": "Whether its certificate must be one that the farm trusts; for `ipps`.",
}
_PARAMETER = {
    "name": "Its name in the template.",
    "type": "What it must be.",
    "description": "What it is for.",
}
_PRINT = {
    "printerName": "The printer's name; left out: the default printer.",
    "numberOfCopies": "How many the printer makes.",
    "options": "How it is to be printed; what is left out is as the printer likes.",
}
_BATCH = {
    "name": "How the documents are called: a text with `{{ number }}` for values of their data and `{{ _index }}` for "
    "their place; left out: the template's name and the place.",
    "timeout": "The time limit of each document, milliseconds.",
    "public": "Whether everybody may read the documents.",
    "keep": "Whether no clean-up removes them.",
    "expiresIn": "When the clean-up may remove them: a duration, such as `30d`.",
    "merge": "Whether one PDF is made of all of them, too.",
}
_COLUMNS = (
    'Which column of the file stands where in the data: a JSON object such as `{"customer.name": "Client"}`; of JSON '
    "a column is a name or a path. All that are named are taken out first and then put in their places. What is not "
    "named keeps its own; where something is put there, inside of it or around it, it is left out. With it, `{}` as "
    "well, a table's columns without a name of their own get one: `column_3`, `B_2`."
)
_JOB = {
    "jobId": "The job's number at the printer.",
    "jobState": "What the printer last said of the job.",
    "jobStateReasons": "Why it said so.",
}

FIELDS: Mapping[str, Mapping[str, str]] = {
    "ReplayBody": {
        "version": "Which version of the template: the one of the record, the newest one, or one by its number.",
        "outputType": "What you get: the PDF in the answer, a link to it, or neither.",
        "async": "Whether the answer comes at once, and the document later.",
    },
    "RenderBody": {
        "template": "What to render.",
        "data": "What the template's names stand for: an object, or a text that is the JSON of one. Left out: the "
        "template's sample data.",
        "options": "How to render it, and what to do with the document.",
    },
    "TemplateBody": {
        "_id": "A stored template's id.",
        "shortid": "A stored template's short id.",
        "name": "A stored template's name.",
        "version": "One of the stored template's versions, by its number; left out: the newest.",
        "content": "The template's text. Alone, it is rendered without being stored; beside a stored template, it is "
        "rendered in place of what is stored.",
        "engine": "The templating engine, one of `GET /api/engine`.",
        "recipe": "What makes the document, one of `GET /api/recipe`.",
    },
    "OptionsBody": {
        "reportName": "The name of the document's file, without extension, and of the report; in any script.",
        "download": "Whether a browser should save the document rather than show it.",
        "timeout": "Milliseconds after which the render is given up.",
        "reports": "Whether, and how, the document is kept.",
    },
    "ReportsBody": {
        "save": "Wait for the document, and keep it as a report.",
        "async": "Do not wait; keep the document as a report when it is done.",
        "public": "Let everybody read the report who knows its address, without a token.",
        "blobName": "The name of the stored object, with folders if you like, without extension. No two reports share "
        "one.",
        "keep": "Never clean the report up, however old.",
        "expiresIn": "How long the report is kept, instead of as long as the farm keeps others: `30s`, `5m`, `2h`, "
        "`1d`, or milliseconds.",
    },
    "ConfigRenderBody": {
        "outputType": "`base64`: the document in the answer; `url`: a link to it; `none`: neither, it is only recorded "
        "or printed.",
        "parameters": "What the template asks for, by name.",
        "data": "What the document is made of: an object, whose keys are names in the template, or a list of objects, "
        "which is `rows` there. Left out: nothing, and not the template's sample data.",
        "createHistoryRecord": "Whether request and answer are recorded.",
        "createPrintTask": "Whether the document is printed. Then it is recorded, too.",
        "printerName": "The printer's name; needed to print.",
        "numberOfCopies": "How many the printer makes of it.",
        "options": "How it is printed; left out: as the printer likes.",
        "async": "Whether the answer comes at once, and the document later.",
    },
    "RenderQuery": {
        "outputType": "Of a render without a history record: how the document is answered, as in its request.",
    },
    "ChangedReportBody": {
        "reportName": "The report's new name.",
        "public": "Whether everybody may read it who knows its address.",
        "keep": "Whether it is never cleaned up.",
    },
    "NewTemplateBody": {
        **_TEMPLATE,
        "shortid": "The shortid that it has elsewhere, if it comes from there; left out: a new one.",
    },
    "DraftBody": {
        **_TEMPLATE,
        "name": "The name that it would have; the document is called so, unless `options.reportName` says otherwise.",
        "sampleData": "What it is rendered with: an object, or a text with the JSON of one.",
        "shortid": "Of no effect: so that the body which is to create it can be sent as it is.",
    },
    "ChangedTemplateBody": {**_TEMPLATE, "shortid": _FIXED},
    "ReplacedTemplateBody": {**_TEMPLATE, "shortid": _FIXED},
    "TemplateOptionsBody": {
        "reportName": "The name of the document's file, without extension, and of the report.",
        "download": "Whether a browser should save the document rather than show it.",
        "timeout": "Milliseconds after which a render is given up.",
    },
    "ParameterBody": {
        **_PARAMETER,
        "required": "Whether a render without it is refused.",
        "default": "What it is when a render does not say.",
        "example": "A value that makes sense, for those who try it.",
    },
    "FieldBody": {**_PARAMETER, "name": "Its name in the data."},
    "NewScheduleBody": {
        **_SCHEDULE,
        "shortid": "The shortid that it has elsewhere, if it comes from there; left out: a new one.",
        "retryDelay": "Seconds until the first of those tries; twice as many until each further one.",
    },
    "ChangedScheduleBody": {**_SCHEDULE, "retryDelay": "Seconds until a failed run's first further try."},
    "PreviewQuery": {
        "cron": _SCHEDULE["cron"],
        "timezone": _SCHEDULE["timezone"],
        "count": "How many of its next runs.",
        "locale": "The language of the words.",
    },
    "RunNowBody": {"scheduleId": "The schedule's `_id` or shortid."},
    "NewAssetBody": {
        "name": "Its name: a path such as `logos/northwind.png`. The extension says what it is.",
        "content": "The file, in Base64.",
    },
    "NewPrinterBody": _PRINTER,
    "ChangedPrinterBody": _PRINTER,
    "PrintBody": _PRINT,
    "TestPageBody": {name: _PRINT[name] for name in ("numberOfCopies", "options")},
    "BatchBody": {
        "template": "The stored template of all documents, by its `_id`, shortid or name.",
        "items": "The data of each document.",
        "requests": "Documents that each have a template of their own.",
        "name": _BATCH["name"],
        "options": "How the documents are made and kept.",
        "merge": _BATCH["merge"],
        "print": "Where the documents are printed in their order; left out: nowhere.",
    },
    "BatchOptionsBody": {
        "timeout": _BATCH["timeout"],
        "reports": "How the documents are kept.",
    },
    "BatchReportsBody": {
        "public": _BATCH["public"],
        "keep": _BATCH["keep"],
        "expiresIn": _BATCH["expiresIn"],
    },
    "BatchRequestBody": {
        "template": "What is rendered: a stored template, or a text of its own.",
        "data": "Its data.",
        "name": "How the document is called; left out: as the batch says.",
        "options": "How it is made.",
    },
    "RequestOptionsBody": {"timeout": "Its time limit, milliseconds."},
    "BatchPrintingBody": {
        "printerName": "The printer's name.",
        "numberOfCopies": _PRINT["numberOfCopies"],
        "options": _PRINT["options"],
    },
    "UploadQuery": {
        "template": "The `_id`, shortid or name of the stored template of all documents.",
        "version": "The number of a version of it; left out: the newest.",
        **_BATCH,
        "printerName": "The printer that prints them in their order; left out: none does.",
        "numberOfCopies": _PRINT["numberOfCopies"],
        "columns": _COLUMNS,
    },
    "BatchPreviewQuery": {
        "template": "The `_id`, shortid or name of the stored template of all documents.",
        "version": "The number of a version of it; left out: the newest.",
        "name": "How the documents are to be called: the first one's name is answered.",
        "columns": f"{_COLUMNS} Left out: as is suggested.",
    },
    "BatchesQuery": {
        "state": "The state that they must have.",
        "search": "A part of their template's name, trace id, creator or documents' name, in any case.",
    },
    "DocumentsQuery": {
        "state": "The state that they must have.",
        "after": "The place behind which the list begins: `nextAfter` of the page before.",
        "limit": "How many at most.",
    },
    "ArchiveQuery": {
        "first": "The place of the first document.",
        "last": "The place of the last document; left out: the batch's last.",
    },
    "NewPrintTaskBody": {
        **_PRINT,
        "fileBase64": "The PDF, in Base64.",
        "report": "In its place, the id of a stored report, whose PDF is printed.",
        "fileName": "Its name, with extension; for people. Left out: the report's, or `document.pdf`.",
    },
    "PrintOptionsBody": {
        "duplex": "On one side of the paper, or on both, turned at the long or the short edge.",
        "media": "The paper, by its keyword in IPP: `iso_a4_210x297mm`.",
        "tray": "Where the paper comes from, by its keyword in IPP: `tray-2`.",
        "pageRanges": "The pages, in ascending order: `1-3,5`.",
        "colour": "Whether in colour.",
    },
    "ClaimBody": {
        "agent": "The agent's name, by which people know it.",
        "lease": "Of a print task that the agent has already: the lease, to keep it.",
        "status": "`printing` when its printer has begun.",
        **_JOB,
    },
    "ResultBody": {
        "lease": "The lease that the claim gave.",
        "status": "`completed` only when the printer said so; `unknown` when it forgot the job before.",
        "error": "Why it did not come to paper, in the printer's or the system's own words.",
        **_JOB,
    },
    "PrintTaskQuery": {
        "search": "A part of file name, trace id or printer's name, in any case.",
        "status": "Only those of this status.",
        "printerName": "Only those of this printer.",
        "reportHistoryRecord": "Only those of the history record with this id.",
        "traceId": "Only those of this trace.",
        "createdFrom": "Only those made then or later: a date, or a time; without an offset, UTC.",
        "createdTo": "Only those made before then.",
    },
    "HistoryQuery": {
        "search": "A part of trace id, template's name, file name or creator, in any case.",
        "status": "Only those of this status.",
        "reportConfig": "Only those of this template: its id, its shortid, its name, or a name that it once had.",
        "traceId": "Only those of this trace.",
        "source": "Only those that came from there.",
        "keep": "Only those that are pinned, or only those that are not.",
        "createdFrom": "Only those made then or later: a date, or a time; without an offset, UTC.",
        "createdTo": "Only those made before then.",
    },
    "OneHistoryQuery": {
        "include": "`reportPdf`: with the PDF, in Base64.",
        "apiPayload": "`false`: without the request, which may be of many MB; `apiPayload` is null then.",
    },
    "ChangedRecordBody": {"keep": "Whether no purge removes it."},
    "OnePrintTaskQuery": {"include": "`file`: with the PDF, in Base64."},
    "ChangedAssetBody": {"name": "Its new name."},
    "ReportConfigQuery": {
        "certified": "Only those with this verdict on their newest version; `none`: those that nobody asked it of.",
    },
    "AssetQuery": {"folder": "Only those in this folder, and in the folders below it."},
    "Report": {
        **_NAMED,
        **_DATED,
        "reportName": "The same as `name`.",
        "state": "`planned` while it waits or is made, then `success`, `error` or `cancelled`.",
        "error": "Why there is no document, when the render failed.",
        "recipe": "What made the document.",
        "contentType": "The document's media type.",
        "fileExtension": "The document's extension, without the dot.",
        "templateShortid": "The short id of the template it was made of.",
        "blobName": "The name of the stored object, without extension.",
        "public": "Whether everybody may read it who knows its address.",
        "keep": "Whether it is never cleaned up.",
        "taskId": "The task that made it, when a schedule did.",
        "traceId": "The trace id of the request that asked for it.",
        "attempts": "How many workers have begun it; more than one if some died.",
        "pages": "How many pages the document has.",
        "size": "How large the document is, in bytes.",
        "sha256": "The document's SHA-256, in hexadecimal digits.",
        "startedDate": "When the last attempt began.",
        "finishedDate": "When it ended, one way or the other.",
        "expirationDate": "When it is cleaned up, if it says so itself.",
    },
    "Template": {
        **_NAMED,
        **_DATED,
        **{name: text for name, text in _TEMPLATE.items() if name != "name"},
        "engine": "The templating engine.",
        "recipe": "What makes the document.",
        "version": "The number of this version, counted from 1.",
    },
    "Asset": {
        **_NAMED,
        **_DATED,
        "name": "The path by which templates name it, as in `asset:fonts/text.woff2`.",
        "mediaType": "What kind of file it is.",
        "size": "How large it is, in bytes.",
        "sha256": "Its SHA-256, in hexadecimal digits.",
    },
    "Schedule": {
        **_NAMED,
        **_DATED,
        **{name: text for name, text in _SCHEDULE.items() if name != "name"},
        "retryDelay": "Seconds until a failed run's first further try.",
        "nextRun": "When it runs next; null while it is switched off.",
        "lastRun": "When its last run began; null before the first, and when that is no longer on record.",
        "lastState": "How far that run is: the state of its task.",
    },
    "Task": {
        "_id": _NAMED["_id"],
        "creationDate": "When it was made.",
        "scheduleShortid": "The short id of its schedule.",
        "scheduleId": "The id of its schedule.",
        "state": "How far it is.",
        "error": "Why it made no report, when it did not.",
        "attempt": "How often it has been tried.",
        "renderId": "The render that it asked for.",
        "dueDate": "The time of the schedule's cron line that it stands for.",
        "traceId": "Its trace id: everything that it did has it.",
        "finishDate": "When it ended, one way or the other.",
    },
}
# Of queries, where a shape's own text does not say it better.
QUERY_FIELDS: Mapping[str, str] = {
    "page": "Which page, counted from 1.",
    "pageSize": "How many a page has.",
    "search": "A part of the name, in any case.",
    "sort": "By what; with `-` before it, the other way round.",
    "engine": "Only those of this templating engine.",
    "recipe": "Only those of this recipe.",
    "context": "Only those with this label.",
}
