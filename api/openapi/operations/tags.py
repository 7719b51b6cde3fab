"""The families that operations belong to, in the order in which a newcomer wants them."""

from __future__ import annotations

RENDERING = "Rendering"
REPORTS = "Reports"
BATCHES = "Batches"
TEMPLATES = "Templates"
REPORT_CONFIGURATIONS = "Report configurations"
ASSETS = "Assets"
SCHEDULES = "Schedules"
TASKS = "Tasks"
HISTORY = "History records"
PRINTING = "Printing"
ODATA = "OData"
FARM = "Farm"

DESCRIPTIONS = {
    RENDERING: "A template and data go in, a document comes out: at once, or later as a stored report.",
    REPORTS: "What was rendered to be kept: how far it is, its document, and its life.",
    BATCHES: "Many documents at once: a template and a file of data, how far they are, one PDF or one ZIP of all.",
    TEMPLATES: "Documents to be, stored under a name. Every change makes a new version; a render says which it used.",
    REPORT_CONFIGURATIONS: "The same templates in the manner of `/api/v1`: one entity, two faces.",
    ASSETS: "Images, fonts, style sheets and data files that templates use by name: `asset:logo.png`.",
    SCHEDULES: "Templates that are rendered again and again, at the times that a cron line names.",
    TASKS: "The runs of schedules: when each was due, what became of it, and the report that it made.",
    HISTORY: "Which exact request made a document, and what came back: to be looked up, shown and printed again.",
    PRINTING: "Documents for printers: what waits, what was printed, and what agents do for printers that the farm "
    "cannot reach.",
    ODATA: "What all entity sets have in common: the service document, and what the sets are made of.",
    FARM: "Whether the farm lives, what it is, and what it can do.",
}
