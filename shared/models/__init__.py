"""The tables, a module for each group of features. What may be done with their rows is in the features' own modules."""

from shared.models.base import BY_CODE_POINT, Base
from shared.models.batches import Batch, BatchSlice
from shared.models.certification import Certificate
from shared.models.history import Comparison, HistoryRecord, Leased, Preview, Thumbnail
from shared.models.printing import Printer, PrintTask
from shared.models.rendering import Render, Report, SpentName, Template, TemplateVersion
from shared.models.scheduling import Schedule, Task
from shared.models.sign_ins import SignIn, SigningKey
from shared.models.stored import Asset, RetiredObject
from shared.models.workers import Duty, QueueSample, Worker

__all__ = [
    "BY_CODE_POINT",
    "Asset",
    "Base",
    "Batch",
    "BatchSlice",
    "Certificate",
    "Comparison",
    "Duty",
    "HistoryRecord",
    "Leased",
    "Preview",
    "PrintTask",
    "Printer",
    "QueueSample",
    "Render",
    "Report",
    "RetiredObject",
    "Schedule",
    "SignIn",
    "SigningKey",
    "SpentName",
    "Task",
    "Template",
    "TemplateVersion",
    "Thumbnail",
    "Worker",
]
